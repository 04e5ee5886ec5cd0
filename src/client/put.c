/* SPDX-License-Identifier: BSD-2-Clause */
/* put: a file goes to the server, and appears there when it is whole and verified. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform.h"
#include "client/files.h"
#include "client/listing.h"

static bool is_standard_input(const char *path)
{
	return strcmp(path, "-") == 0;
}

static int open_source(const char *path, int *fd, uint64_t *size)
{
	struct stat st;

	*size = APP_SIZE_UNKNOWN;
	*fd = is_standard_input(path) ? dup(STDIN_FILENO)
	                              : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0)
		return fault_errno(errno, "cannot read '%s'", path);
	if (fstat(*fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		close(*fd);
		return fault(FAULT_NOT_A_FILE,
		             "'%s' is a directory: put takes one file, such as "
		             "a tar of it",
		             path);
	}
	if (S_ISREG(st.st_mode) && !is_standard_input(path))
		*size = (uint64_t)st.st_size;
	platform_will_read_on(*fd);
	return 0;
}

static int check(const struct call *call)
{
	const char *path = call->words[0];
	const char *target = call->count > 1 ? call->words[1] : "";
	bool named = strchr(target, '/') && *base_name(target);
	uint64_t size;
	int fd, error;

	if (is_standard_input(path))
		return named ? 0
		             : fault(FAULT_USAGE,
		                     "put -: give the name that it is to have, "
		                     "EXPORT/NAME");
	error = open_source(path, &fd, &size);
	if (!error)
		close(fd);
	return error;
}

/* "EXPORT/NAME" as it is; the file's own name behind "EXPORT", "EXPORT/DIR/" or nothing.
 */
static int choose_target(struct call *call, char *out, size_t size)
{
	const char *given = call->count > 1 ? call->words[1] : "";
	const char *name = base_name(call->words[0]);
	char export[APP_NAME_MAX + 1];
	int error = 0, length;

	if (!*given) {
		error = listing_only_export(call->client, export, sizeof(export));
		given = export;
	}
	if (error)
		return error;
	if (!strchr(given, '/'))
		length = snprintf(out, size, "%s/%s", given, name);
	else
		length =
		        snprintf(out, size, "%s%s", given, *base_name(given) ? "" : name);
	if (length < 0 || (size_t)length >= size)
		return fault(FAULT_BAD_NAME, "the path on the server is too long");
	return 0;
}

static int start(struct call *call, struct moving *moving, const char *target)
{
	struct client *client = call->client;
	struct app_message request = { .type = APP_PUT, .id = client_next_id(client) };
	uint64_t size;
	int fd, error = client_check_session(client);

	if (!error)
		error = open_source(call->words[0], &fd, &size);
	if (error)
		return error;
	error = sender_start(&client->channel, request.id, fd, size, call->words[0],
	                     &moving_events, moving, &moving->transfer);
	if (error)
		return error;
	request.put.size = size;
	request.put.flags = call->options.force ? APP_PUT_REPLACE : 0;
	if (call->resume.able && size != APP_SIZE_UNKNOWN) {
		request.put.flags |= APP_PUT_RESUMABLE;
		memcpy(request.put.token, call->resume.token, APP_TOKEN);
	}
	request.put.path = (struct app_bytes){ target, strlen(target) };
	return channel_send(&client->channel, &request);
}

static int move(struct call *call, struct moving *moving)
{
	char target[APP_PATH_MAX + 1];
	int error = client_need_jobs(call->client);

	call->resume.once = is_standard_input(call->words[0]);
	if (!error)
		error = resume_prepare(&call->resume, call->client);
	if (!error)
		error = choose_target(call, target, sizeof(target));
	if (error)
		return error;
	progress_begin(&moving->progress, base_name(target), !call->report->as_json);
	error = start(call, moving, target);
	if (!error)
		error = moving_wait(call->client, moving);
	if (error)
		return moving_broke(error, target);
	moving_report(call, moving, "put", call->words[0], target);
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
	{ "force", 'f', NULL, "replace a file that exists on the server", option_flag,
	  OPTION_AT(struct command_options, force) },
	OPTIONS_END,
};

const struct command put_command = {
	.name = "put",
	.arguments = "[--force] FILE [EXPORT/NAME]",
	.help = "store FILE ('-': standard input) on the server, where it appears under "
	        "its "
	        "name only when it is whole and its SHA-256 is verified. Without NAME it "
	        "keeps its own, without EXPORT it goes to the only one",
	.options = options,
	.least = 1,
	.most = 2,
	.repeats = true,
	.check = check,
	.run = run,
};
