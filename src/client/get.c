/* SPDX-License-Identifier: BSD-2-Clause */
/* get: a file comes from the server, and appears here when it is whole and verified. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform.h"
#include "client/files.h"
#include "program/newfile.h"

/* Where the file is to be, as a directory and a name in it. */
struct target {
	char path[APP_PATH_MAX + APP_NAME_MAX + 2];
	int dirfd;
	const char *name;
};

struct offer {
	struct exchange exchange;
	uint64_t size;
	int64_t changed;
};

static void on_found(struct exchange *exchange, const struct app_message *message)
{
	struct offer *offer = container_of(exchange, struct offer, exchange);

	if (message->type != APP_FOUND)
		return;
	offer->size = message->found.size;
	offer->changed = message->found.changed;
	exchange->done = true;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int choose_path(const struct call *call, char *out, size_t size)
{
	const char *remote = base_name(call->words[0]);
	const char *given = call->count > 1 ? call->words[1] : remote;
	int length;

	if (call->count > 1 && is_directory(given))
		length = snprintf(out, size, "%s%s%s", given,
		                  *base_name(given) ? "/" : "", remote);
	else
		length = snprintf(out, size, "%s", given);
	if (length < 0 || (size_t)length >= size)
		return fault(FAULT_BAD_NAME, "the name of the file is too long");
	if (!*base_name(out))
		return fault(FAULT_NO_DIRECTORY, "there is no directory '%s'", out);
	return 0;
}

static int check(const struct call *call)
{
	struct target target;
	struct stat st;
	int error;

	if (!*base_name(call->words[0]))
		return fault(FAULT_USAGE, "get: '%s' names no file: EXPORT/NAME does",
		             call->words[0]);
	error = choose_path(call, target.path, sizeof(target.path));
	if (error || call->options.force || lstat(target.path, &st) < 0)
		return error;
	return fault(FAULT_EXISTS,
	             "'%s' exists: choose another name, or --force to replace it",
	             target.path);
}

static int open_target(const struct call *call, struct target *target)
{
	char directory[sizeof(target->path)];
	int error = choose_path(call, target->path, sizeof(target->path));
	size_t length;

	if (error)
		return error;
	target->name = base_name(target->path);
	length = (size_t)(target->name - target->path);
	memcpy(directory, target->path, length);
	memcpy(directory + length, ".", 2);
	target->dirfd = platform_open_directory(directory);
	if (target->dirfd < 0)
		return fault_errno(errno, "cannot create '%s'", target->path);
	return 0;
}

static int ask(struct call *call, struct offer *offer)
{
	const char *path = call->words[0];
	struct app_message request = { .type = APP_GET, .path = { path, strlen(path) } };

	offer->exchange.answer = on_found;
	return client_ask(call->client, &offer->exchange, &request);
}

/* From the offer on, the id belongs to the transfer: what cannot be has to be called off.
 */
static int call_off(struct client *client, uint32_t id, int error)
{
	char text[FAULT_TEXT];

	snprintf(text, sizeof(text), "%s", fault_text());
	channel_send_fail(&client->channel, id, error, text);
	return fault((enum fault) - error, "%s", text);
}

/* What there is from a session before, or a new file; the directory is taken over. */
static int begin(struct call *call, const struct target *target,
                 const struct offer *offer, struct partial *partial)
{
	struct newfile *file;
	int error;

	if (resume_take(&call->resume, offer->size, offer->changed, partial)) {
		close(target->dirfd);
		return 0;
	}
	error = newfile_create(target->dirfd, target->name, target->path,
	                       call->options.force, offer->size, &file);
	return error ? error : partial_begin(partial, file);
}

static int receive(struct call *call, struct moving *moving, struct target *target,
                   const struct offer *offer)
{
	struct client *client = call->client;
	struct partial partial;
	int error = begin(call, target, offer, &partial);

	if (!error)
		error = receiver_start(&client->channel, offer->exchange.id, &partial,
		                       offer->size, &moving_events, moving,
		                       &moving->transfer);
	if (error)
		return call_off(client, offer->exchange.id, error);
	progress_begin(&moving->progress, target->name, !call->report->as_json);
	return moving_wait(client, moving);
}

static int move(struct call *call, struct moving *moving)
{
	struct target target;
	struct offer offer = { 0 };
	int error = client_need_jobs(call->client);

	call->client->channel.sync = !call->options.no_sync;
	if (!error)
		error = resume_prepare(&call->resume, call->client);
	if (!error)
		error = ask(call, &offer);
	if (!error)
		error = client_check_session(call->client);
	if (!error)
		error = open_target(call, &target);
	if (error)
		return error;
	error = receive(call, moving, &target, &offer);
	if (error)
		return moving_broke(error, target.path);
	moving_report(call, moving, "got", call->words[0], target.path);
	return 0;
}

static int run(struct call *call)
{
	struct moving *moving = moving_new();
	int error = moving ? move(call, moving) : -FAULT_MEMORY;

	moving_release(moving);
	return error;
}

static const struct option_spec options[] = {
	{ "force", 'f', NULL, "replace a file that exists here", option_flag,
	  OPTION_AT(struct command_options, force) },
	{ "no-sync", 0, NULL,
	  "do not wait until it is on the disk before it gets its name: faster, and not "
	  "safe against a crash of the machine",
	  option_flag, OPTION_AT(struct command_options, no_sync) },
	OPTIONS_END,
};

const struct command get_command = {
	.name = "get",
	.arguments = "[OPTION...] EXPORT/NAME [FILE]",
	.help = "fetch a file from the server into FILE (default: its own name, here; a "
	        "directory: its own name there), which appears only when it is whole and "
	        "its SHA-256 is verified",
	.options = options,
	.least = 1,
	.most = 2,
	.repeats = true,
	.check = check,
	.run = run,
};
