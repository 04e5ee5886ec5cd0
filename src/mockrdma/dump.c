// SPDX-License-Identifier: BSD-2-Clause
/* mockrdma dump: a capture as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mockrdma/command.h"
#include "mockrdma/host.h"

/* Not 0 when nobody reads it any more. */
static int put_line(void *arg, const char *text)
{
	(void)arg;
	return puts(text) < 0;
}

int command_dump(int argc, char **argv)
{
	mockrdma_dump_function *dump;
	int err;

	if (argc != 2)
		return usage_error("dump takes one file");
	dump = host_dump();
	if (!dump)
		return EXIT_FAILURE;
	err = dump(argv[1], put_line, NULL);
	if (err < 0)
		fprintf(stderr, "mockrdma: cannot read %s: %s\n", argv[1],
		        err == -EPROTO ? "it is no capture of Ethernet packets"
		                       : strerror(-err));
	return err || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
