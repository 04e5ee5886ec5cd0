/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/command.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 6

static const struct command *const commands[] = {
	&ping_command, &send_command, &write_command, &read_command,  &put_command,
	&get_command,  &ls_command,   &shell_command, &bench_command,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_usage(const struct command *command)
{
	printf("  %s%s%s\n      ", command->name, *command->arguments ? " " : "",
	       command->arguments);
	cli_wrap(stdout, command->help, HELP_COLUMN);
	if (command->options)
		cli_help(stdout, command->options, 4);
}

void command_help(const struct command *command)
{
	printf("usage: secure_client HOST[:PORT] %s%s%s\n\n      ", command->name,
	       *command->arguments ? " " : "", command->arguments);
	cli_wrap(stdout, command->help, HELP_COLUMN);
	if (command->options) {
		putchar('\n');
		cli_help(stdout, command->options, 0);
	}
}

void command_help_all(void)
{
	for (size_t i = 0; i < COMMANDS; i++)
		print_usage(commands[i]);
}

static const struct command_options defaults = {
	.count = 100,
	.size = 56,
	.clients = 100,
	.processes = 2,
	.opening = 64,
	.for_ms = 5000,
};

int call_parse(struct call *call, const struct command *command,
               struct client_options *common, int argc, char **argv)
{
	struct cli cli = { .tables = { { command->options, &call->options },
		                       { common ? client_specs : NULL, common } } };
	int error;

	call->options = defaults;
	error = cli_take(&cli, argc, argv, &call->count);
	call->words = argv + 1;
	if (error || (common && common->help))
		return error;
	if (call->count < command->least || call->count > command->most)
		return fault(FAULT_USAGE, "%s: the arguments are: %s", command->name,
		             *command->arguments ? command->arguments : "none");
	return command->check ? command->check(call) : 0;
}

void call_clear(const struct command *command, struct call *call)
{
	resume_clear(&call->resume);
	if (command->options)
		cli_clear(command->options, &call->options);
}
