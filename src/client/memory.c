/* SPDX-License-Identifier: BSD-2-Clause */
/* write and read: one-sided, to and from the session's scratch region. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/printable.h"
#include "client/scratch.h"
#include "program/newfile.h"
#include "program/units.h"

#define MOST       (16 << 20) /* what a server may offer */
#define SHOWN_MOST 4096

static void report_digest(const struct call *call, const void *memory, uint64_t length)
{
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_TEXT];

	if (sha256_of(memory, length, digest) == 0)
		json_string(&call->report->json, "sha256",
		            format_hex(hex, digest, sizeof(digest)));
}

static int move_and_compare(struct call *call, bool write, void *memory, uint64_t length)
{
	struct srdma_remote *remote;
	uint64_t us = 0;
	int error = scratch_get(call->client, &remote);

	if (!error)
		error = scratch_move(call->client, remote, write, memory,
		                     call->options.offset, length, &us);
	if (!error)
		error = scratch_compare(call->client, memory, call->options.offset,
		                        length);
	if (error)
		return error;
	report_amount(call->report, length, us);
	json_uint(&call->report->json, "offset", call->options.offset);
	json_bool(&call->report->json, "verified", true);
	report_digest(call, memory, length);
	return 0;
}

/*
 * write
 */

static int read_file(const char *path, char **data, size_t *length)
{
	FILE *file = fopen(path, "re");
	int error = 0;

	if (!file)
		return fault_errno(errno, "cannot read '%s'", path);
	*data = malloc(MOST + 1);
	if (!*data)
		error = fault(FAULT_MEMORY, "out of memory");
	else
		*length = fread(*data, 1, MOST + 1, file);
	if (!error && ferror(file))
		error = fault_errno(errno, "cannot read '%s'", path);
	if (!error && *length > MOST)
		error = fault(FAULT_RANGE,
		              "'%s' is too large for a scratch region: 'put' "
		              "moves files",
		              path);
	fclose(file);
	if (error)
		free(*data);
	return error;
}

static int check_write(const struct call *call)
{
	const struct command_options *o = &call->options;

	if (!o->text == !o->file)
		return fault(FAULT_USAGE, "write: give --text TEXT or --file FILE");
	return 0;
}

static int run_write(struct call *call)
{
	const struct command_options *o = &call->options;
	char *data = NULL;
	size_t length = 0;
	int error = 0;

	if (o->file) {
		error = read_file(o->file, &data, &length);
	} else {
		data = strdup(o->text);
		length = strlen(o->text);
		if (!data)
			error = fault(FAULT_MEMORY, "out of memory");
	}
	if (error)
		return error;
	error = move_and_compare(call, true, data, length);
	if (!error)
		report_say(call->report,
		           "wrote %zu bytes at %llu into the server's memory; the server "
		           "finds the same there",
		           length, (unsigned long long)o->offset);
	free(data);
	return error;
}

static const struct option_spec write_options[] = {
	{ "offset", 'o', "N", "where in the scratch region (default: 0)", option_size,
	  OPTION_AT(struct command_options, offset), 0, MOST },
	{ "text", 0, "TEXT", "what to write", option_text,
	  OPTION_AT(struct command_options, text) },
	{ "file", 'f', "FILE", "write what FILE holds", option_text,
	  OPTION_AT(struct command_options, file) },
	OPTIONS_END,
};

const struct command write_command = {
	.name = "write",
	.arguments = "[--offset N] --text TEXT | --file FILE",
	.help = "write into memory of the server by RDMA, without its program taking "
	        "part; "
	        "then have it compare. The region is this session's: use shell to write "
	        "and read in one",
	.options = write_options,
	.check = check_write,
	.run = run_write,
};

/*
 * read
 */

static int check_read(const struct call *call)
{
	if (!call->options.length)
		return fault(FAULT_USAGE, "read: give --length N");
	return 0;
}

static int store(const char *path, const void *data, size_t length)
{
	FILE *file = fopen(path, "we");
	size_t written;

	if (!file)
		return fault_errno(errno, "cannot write '%s'", path);
	written = fwrite(data, 1, length, file);
	if (fclose(file) != 0 || written != length)
		return fault_errno(errno, "cannot write '%s'", path);
	return 0;
}

static void show(const struct call *call, const char *data, size_t length)
{
	struct json *json = &call->report->json;
	char hex[2 * SHOWN_MOST + 1];

	if (length <= SHOWN_MOST)
		json_string(json, "hex", format_hex(hex, data, length));
	if (call->report->as_json)
		return;
	/* As it is into a pipe; without control characters onto a terminal. */
	if (isatty(STDOUT_FILENO)) {
		print_printable(stdout, data, length);
		putchar('\n');
	} else {
		fwrite(data, 1, length, stdout);
	}
}

static int run_read(struct call *call)
{
	const struct command_options *o = &call->options;
	char *data = calloc(1, o->length);
	int error;

	if (!data)
		return fault(FAULT_MEMORY, "out of memory");
	error = move_and_compare(call, false, data, o->length);
	if (!error && o->output)
		error = store(o->output, data, o->length);
	else if (!error)
		show(call, data, o->length);
	free(data);
	return error;
}

static const struct option_spec read_options[] = {
	{ "offset", 'o', "N", "where in the scratch region (default: 0)", option_size,
	  OPTION_AT(struct command_options, offset), 0, MOST },
	{ "length", 'n', "N", "how much", option_size,
	  OPTION_AT(struct command_options, length), 1, MOST },
	{ "output", 'f', "FILE", "store it there, instead of printing it", option_text,
	  OPTION_AT(struct command_options, output) },
	OPTIONS_END,
};

const struct command read_command = {
	.name = "read",
	.arguments = "[--offset N] --length N [--output FILE]",
	.help = "read memory of the server by RDMA, without its program taking part; "
	        "then "
	        "have it compare",
	.options = read_options,
	.check = check_read,
	.run = run_read,
};
