/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of mockrdma. Each takes its own name and arguments as main() would and
 * returns the exit status of the program.
 */
#ifndef MOCKRDMA_COMMAND_H
#define MOCKRDMA_COMMAND_H

enum {
	EXIT_USAGE = 2,        /* the command line is wrong */
	EXIT_CANNOT_RUN = 126, /* as a shell has it: found, but not to be executed */
	EXIT_NOT_FOUND = 127,  /* as a shell has it: no such program */
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(int argc, char **argv);
};

int command_run(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_stat(int argc, char **argv);
int command_dump(int argc, char **argv);

/* Says what is wrong with the command line, and where help is; returns EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
