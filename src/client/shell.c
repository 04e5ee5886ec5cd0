/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shell: commands from standard input, on one session. The session is served while the
 * user thinks. From a pipe there is no prompt, and a command that failed shows in the
 * exit status.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/words.h"

#define LINE_MAX_BYTES 65536
#define PROMPT         "srdma> "

struct shell {
	struct call *call;
	bool terminal;
	bool eof;
	bool quit;
	unsigned failed;
	size_t used; /* of `input`: read, not yet taken as lines */
	char input[LINE_MAX_BYTES];
};

static void print_help(void)
{
	command_help_all();
	puts("  help\n      this\n  quit\n      end the session (as does the end of "
	     "input)");
}

static void run_words(struct shell *shell, int count, char **words)
{
	const struct command *command = command_find(words[0]);
	struct client *client = shell->call->client;
	struct call call = { .client = client };
	struct report report;
	int error;

	report_begin(&report, words[0], client->options.json);
	call.report = &report;
	if (!command || command == &shell_command || command->alone)
		error = fault(FAULT_USAGE,
		              "there is no command '%s' here: 'help' shows them",
		              words[0]);
	else
		error = call_parse(&call, command, NULL, count, words);
	if (!error)
		error = command->run(&call);
	if (command)
		call_clear(command, &call);
	shell->failed += report_end(&report, client, error) != EXIT_SUCCESS;
}

static void run_line(struct shell *shell, char *line)
{
	char *words[WORDS_MAX + 1];
	int count = split_words(line, words);

	if (count < 0) {
		fprintf(stderr, "secure_client: %s\n", fault_text());
		shell->failed++;
	} else if (count == 0) {
		return;
	} else if (strcmp(words[0], "quit") == 0 || strcmp(words[0], "exit") == 0) {
		shell->quit = true;
	} else if (strcmp(words[0], "help") == 0) {
		print_help();
	} else {
		run_words(shell, count, words);
	}
	fflush(stdout);
}

static void prompt(const struct shell *shell)
{
	if (!shell->terminal || shell->quit)
		return;
	fputs(PROMPT, stdout);
	fflush(stdout);
}

/* Lines that are complete, and at the end of input what is left. */
static void run_lines(struct shell *shell)
{
	struct client *client = shell->call->client;

	while (!shell->quit && !client->closed && !client_was_interrupted()) {
		char *end = memchr(shell->input, '\n', shell->used);
		char line[LINE_MAX_BYTES];
		size_t length, rest;

		if (!end && (!shell->eof || !shell->used))
			return;
		length = end ? (size_t)(end - shell->input) : shell->used;
		rest = end ? shell->used - length - 1 : 0;
		memcpy(line, shell->input, length);
		line[length] = '\0';
		memmove(shell->input, shell->input + shell->used - rest, rest);
		shell->used = rest;
		run_line(shell, line);
		prompt(shell);
	}
}

static int read_input(struct shell *shell)
{
	size_t room = sizeof(shell->input) - 1 - shell->used;
	ssize_t got;

	if (!room)
		return fault(FAULT_USAGE, "a line is longer than %u bytes",
		             LINE_MAX_BYTES);
	got = read(STDIN_FILENO, shell->input + shell->used, room);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN
		               ? 0
		               : fault_errno(errno, "cannot read standard input");
	shell->eof = got == 0;
	shell->used += (size_t)got;
	return 0;
}

/* Until there is input, or something for the session to do. */
static int wait_for_input(struct shell *shell)
{
	struct client *client = shell->call->client;
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = srdma_worker_fd(client->worker), .events = POLLIN },
	};
	int error;

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR ? 0 : fault_errno(errno, "poll");
	error = client_run(client);
	if (!error && client->closing)
		error = fault(FAULT_CLOSED, "the server closes the session");
	if (!error && fds[0].revents)
		error = read_input(shell);
	return error;
}

static int run(struct call *call)
{
	struct shell *shell = calloc(1, sizeof(*shell));
	unsigned failed;
	int error = 0;

	if (!shell)
		return fault(FAULT_MEMORY, "out of memory");
	shell->call = call;
	shell->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	prompt(shell);
	while (!error && !shell->quit && !shell->eof && !client_was_interrupted()) {
		error = wait_for_input(shell);
		if (!error)
			run_lines(shell);
		if (!error && call->client->closed)
			error = client_run(call->client);
	}
	failed = shell->failed;
	free(shell);
	if (!error && failed)
		error = fault(FAULT_CANCELLED, "%u of the shell's commands failed",
		              failed);
	return error;
}

const struct command shell_command = {
	.name = "shell",
	.arguments = "",
	.help = "take commands from standard input: those above, help, quit",
	.run = run,
};
