/* SPDX-License-Identifier: BSD-2-Clause */
/* secure_client: one command, or a shell, against a secure_server. */
#include <stdio.h>
#include <stdlib.h>

#include "client/command.h"
#include "client/retry.h"
#include "program/logger.h"

static int print_help(void)
{
	puts("usage: secure_client [OPTION...] HOST[:PORT] COMMAND [ARGUMENT...]\n\n"
	     "Messages, one-sided memory access and files over RDMA, with a server "
	     "whose\n"
	     "identity is verified and that verifies ours. The port is 4433 unless "
	     "given.\n\n"
	     "Commands:");
	command_help_all();
	puts("\nOptions:");
	cli_help(stdout, client_specs, 0);
	puts("\nWithout an RDMA device: mockrdma run -- secure_client ...\n\n"
	     "Exit status: 0 done, 1 failed, 2 the command line is wrong.");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_command_help(const struct command *command)
{
	command_help(command);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Before there is a session. */
static int fail(const struct client *client, const char *command, int error)
{
	struct report report;
	int status;

	report_begin(&report, command, client->options.json);
	status = report_end(&report, NULL, error);
	if (error == -FAULT_USAGE)
		fputs("Try 'secure_client --help'.\n", stderr);
	return status;
}

/* In a session, and with --reconnect in as many as it takes. */
static int attempt(struct client *client, const struct command *command,
                   struct call *call)
{
	struct retry retry = { 0 };
	int error;

	if (command->alone)
		return command->run(call);
	do {
		retry_begin(&retry);
		error = client_open(client, call->host, call->port);
		if (!error)
			error = command->run(call);
	} while (error && retry_again(&retry, call, command, error));
	return error;
}

static int run_command(struct client *client, const struct command *command,
                       struct call *call, const char *server)
{
	struct report report;
	char *host = NULL, *port = NULL;
	int status, error = split_server(server, &host, &port);

	report_begin(&report, command->name, client->options.json);
	call->client = client;
	call->report = &report;
	call->host = host;
	call->port = port;
	logger_start(client->options.log_level, LOG_TEXT);
	client_catch_signals();
	if (!error)
		error = attempt(client, command, call);
	status = report_end(&report, client, error);
	if (client_close(client) && status == EXIT_SUCCESS) {
		fprintf(stderr, "secure_client: %s\n", fault_text());
		status = EXIT_FAILURE;
	}
	free(host);
	free(port);
	return status;
}

static int call_command(struct client *client, const struct command *command, int argc,
                        char **argv, const char *server)
{
	struct call call = { 0 };
	int status, error = call_parse(&call, command, &client->options, argc, argv);

	if (!error && !client->options.help && !client->options.ca)
		error = fault(FAULT_USAGE,
		              "no --ca: without it the server cannot be "
		              "verified; --cert and --key are what it asks "
		              "for (scripts/make-certs.sh makes a set to try "
		              "with)");
	if (error)
		status = fail(client, command->name, error);
	else if (client->options.help)
		status = print_command_help(command);
	else
		status = run_command(client, command, &call, server);
	call_clear(command, &call);
	return status;
}

/* `words` begins with the server. */
static int take_command(struct client *client, int count, char **words)
{
	const struct command *command;

	if (count < 2)
		return fail(client, NULL,
		            fault(FAULT_USAGE,
		                  count ? "no command given" : "no server given"));
	command = command_find(words[1]);
	if (!command)
		return fail(client, NULL,
		            fault(FAULT_USAGE, "there is no command '%s'", words[1]));
	return call_command(client, command, count - 1, words + 1, words[0]);
}

/* Options stand anywhere; those behind the command's name may be its own. */
int main(int argc, char **argv)
{
	static struct client client;
	struct cli cli = { .tables = { { client_specs, &client.options } },
		           .most_words = 2 };
	int status, words;

	client_options_default(&client.options);
	if (cli_take(&cli, argc, argv, &words))
		status = fail(&client, NULL, -FAULT_USAGE);
	else if (client.options.version)
		status = puts("secure_client " PROJECT_VERSION) < 0;
	else if (client.options.help && words < 2)
		status = print_help();
	else
		status = take_command(&client, words, argv + 1);
	cli_clear(client_specs, &client.options);
	return status;
}
