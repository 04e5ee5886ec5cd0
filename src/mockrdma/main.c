// SPDX-License-Identifier: BSD-2-Clause
/* mockrdma: runs programs on the software RDMA device. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mockrdma/command.h"

#ifndef PROJECT_VERSION
#define PROJECT_VERSION "unversioned"
#endif

static const struct command commands[] = {
	{ "run", "[--] PROGRAM [ARGUMENT...]",
	  "run PROGRAM with the mock RDMA device in place of the system's devices",
	  command_run },
	{ "ls", "[--json]",
	  "show the processes of this host, their devices, QPs, CQs, MRs and listeners",
	  command_ls },
	{ "stat", "[-a] [-w] [--json]",
	  "show what they counted: -a zeros too, -w again each second", command_stat },
	{ "dump", "FILE", "print the packets of a capture (MOCKRDMA_PCAP), a line each",
	  command_dump },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int usage_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("mockrdma: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry 'mockrdma --help'.\n", stderr);
	va_end(args);
	return EXIT_USAGE;
}

static int print_help(void)
{
	puts("usage: mockrdma COMMAND [ARGUMENT...]\n"
	     "       mockrdma --help | --version\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	puts("\nExit status: of run, that of the program; 2 when the command line is "
	     "wrong,\n"
	     "126 when the program cannot be executed, 127 when it is not found.");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_version(void)
{
	puts("mockrdma " PROJECT_VERSION);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("no command given");
	if (is_help(argv[1]))
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && is_help(argv[2]))
			return print_help();
		return commands[i].run(argc - 1, argv + 1);
	}
	return usage_error("there is no command '%s'", argv[1]);
}
