/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a pattern into the memory that examples/minimal_server.c grants, reads it back,
 * and compares: the server's program takes no part in either.
 *
 *   one_sided CERTIFICATE KEY CA HOST PORT
 */
#include <srdma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT     10000 /* ms */
#define SCRATCH_TAG 1

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "one_sided: %s: %s\n", what, srdma_detail());
	exit(1);
}

int main(int argc, char **argv)
{
	struct srdma_context *context;
	struct srdma_session *session;
	struct srdma_remote *remote;
	struct srdma_buffer *out, *in;
	size_t length;
	char *pattern, *copy;

	if (argc != 6) {
		fprintf(stderr, "usage: one_sided CERTIFICATE KEY CA HOST PORT\n");
		return 2;
	}
	if (srdma_context_new(&context) ||
	    srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE, argv[1]) ||
	    srdma_context_set_text(context, SRDMA_OPT_KEY, argv[2]) ||
	    srdma_context_set_text(context, SRDMA_OPT_CA, argv[3]) ||
	    srdma_context_load(context))
		die("context");
	if (srdma_dial(context, argv[4], argv[5], NULL, NULL, TIMEOUT, &session))
		die("connect");
	if (srdma_remote_wait(session, SCRATCH_TAG, TIMEOUT, &remote))
		die("the server grants nothing");

	length = srdma_remote_length(remote);
	pattern = malloc(length);
	copy = calloc(1, length);
	if (!pattern || !copy)
		return 1;
	for (size_t i = 0; i < length; i++)
		pattern[i] = (char)(i * 31 + i / 251);
	if (srdma_buffer_register(session, pattern, length, &out) ||
	    srdma_buffer_register(session, copy, length, &in))
		die("register");

	if (srdma_write_wait(session, out, 0, remote, 0, length, TIMEOUT))
		die("write");
	if (srdma_read_wait(session, in, 0, remote, 0, length, TIMEOUT))
		die("read");
	if (memcmp(pattern, copy, length)) {
		fprintf(stderr, "one_sided: what was read is not what was written\n");
		return 1;
	}
	printf("%zu bytes written and read back\n", length);

	if (srdma_close_wait(session, TIMEOUT))
		die("close");
	srdma_session_free(session);
	srdma_context_free(context);
	free(pattern);
	free(copy);
	return 0;
}
