/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands: a table, and what each gets. */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include "client/client.h"
#include "client/report.h"
#include "client/resume.h"

struct call {
	struct client *client;
	struct report *report;
	const char *host, *port;
	struct command_options options;
	struct resume resume;
	char **words; /* arguments that are no options */
	int count;
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	const struct option_spec *options; /* NULL: none */
	int least, most;                   /* words */
	bool alone;   /* no session is there for it: it opens its own */
	bool repeats; /* in another session, when one broke: nothing is done twice */
	/* What is wrong without a server to ask: before it is connected. May be NULL. */
	int (*check)(const struct call *call);
	int (*run)(struct call *call);
};

const struct command *command_find(const char *name);
void command_help(const struct command *command);
void command_help_all(void);

/*
 * Takes the words behind the command's name (argv[0]) apart: its own options, and
 * `common` ones if given. Free with call_clear(), on failure too.
 */
int call_parse(struct call *call, const struct command *command,
               struct client_options *common, int argc, char **argv);
void call_clear(const struct command *command, struct call *call);

extern const struct command ping_command;
extern const struct command send_command;
extern const struct command write_command;
extern const struct command read_command;
extern const struct command put_command;
extern const struct command get_command;
extern const struct command ls_command;
extern const struct command shell_command;
extern const struct command bench_command;

#endif
