/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options as a table: the command line, --help and the configuration file all come from
 * it. A setter gets the place that the option is about (target + offset).
 */
#ifndef PROGRAM_CLI_H
#define PROGRAM_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct option_spec {
	const char *name;     /* without dashes; the key in a configuration file */
	char letter;          /* 0: none */
	const char *argument; /* how help names it; NULL: a flag */
	const char *help;
	/* 0, or -FAULT_USAGE with a sentence that need not name the option. */
	int (*set)(const struct option_spec *spec, void *place, const char *value);
	size_t offset;
	uint64_t least, most;
	bool command_line_only;
};

#define OPTION_AT(type, member) .offset = offsetof(type, member)

/* The last entry of a table has no name. */
#define OPTIONS_END          \
	{                    \
		.name = NULL \
	}

/* Setters. */
int option_flag(const struct option_spec *spec, void *place, const char *value);
int option_text(const struct option_spec *spec, void *place, const char *value);
int option_count(const struct option_spec *spec, void *place, const char *value);
int option_size(const struct option_spec *spec, void *place, const char *value);
int option_duration(const struct option_spec *spec, void *place, const char *value);
int option_transport(const struct option_spec *spec, void *place, const char *value);
int option_packets(const struct option_spec *spec, void *place, const char *value);
int option_connect(const struct option_spec *spec, void *place, const char *value);
/* "sealed,none": a mask of enum srdma_protection. */
int option_protection(const struct option_spec *spec, void *place, const char *value);
int option_log_level(const struct option_spec *spec, void *place, const char *value);

/* Up to two tables, each with the structure that it fills. */
struct cli {
	struct {
		const struct option_spec *specs;
		void *target;
	} tables[2];
	int most_words; /* what follows so many words is words too; 0: no limit */
};

/*
 * Takes the options out of argv[1…]: what is left is moved to its front, and counted.
 * 0, or -FAULT_USAGE with a sentence.
 */
int cli_take(const struct cli *set, int argc, char **argv, int *words);

/* One option by its name: for configuration files. */
int cli_set(const struct option_spec *specs, void *target, const char *name,
            const char *value);

/* Frees what option_text() put into the target. */
void cli_clear(const struct option_spec *specs, void *target);

/* Lines of help, `indent` columns further to the right. */
void cli_help(FILE *out, const struct option_spec *specs, int indent);

/* `text`, broken at spaces, from column `column` (where the line is now) on. */
void cli_wrap(FILE *out, const char *text, int column);

#endif
