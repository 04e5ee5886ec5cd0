/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/units.h"

static void on_progress(struct transfer *transfer)
{
	struct moving *moving = transfer->user;

	progress_update(&moving->progress, transfer->bytes, transfer->size);
}

static void on_finished(struct transfer *transfer)
{
	struct moving *moving = transfer->user;

	moving->finished = true;
	moving->result = transfer->result;
	snprintf(moving->text, sizeof(moving->text), "%s", transfer->text);
	moving->bytes = transfer->bytes;
	moving->resumed = transfer->resumed;
	moving->us = transfer->ended_us - transfer->started_us;
	format_hex(moving->sha256, transfer->sha256, sizeof(transfer->sha256));
}

static void on_gone(struct transfer *transfer)
{
	struct moving *moving = transfer->user;

	moving->gone = true;
	moving->transfer = NULL;
	if (moving->released)
		free(moving);
}

const struct transfer_events moving_events = {
	.progress = on_progress,
	.finished = on_finished,
	.gone = on_gone,
};

struct moving *moving_new(void)
{
	struct moving *moving = calloc(1, sizeof(*moving));

	if (!moving)
		fault(FAULT_MEMORY, "out of memory");
	return moving;
}

void moving_release(struct moving *moving)
{
	if (!moving || !moving->transfer) {
		free(moving);
		return;
	}
	moving->released = true;
	moving->progress.shown = false;
}

/* The server learns of it by FAIL, and both let go of the file. */
static int cancel(struct client *client, struct moving *moving, int error)
{
	char text[FAULT_TEXT];

	snprintf(text, sizeof(text), "%s", fault_text());
	if (moving->transfer && !client->closed)
		transfer_cancel(moving->transfer, -FAULT_CANCELLED, "the client gave up");
	return fault((enum fault) - error, "%s", text);
}

int moving_broke(int error, const char *target)
{
	char text[FAULT_TEXT];
	const char *todo = "";

	/* The others are the server's own sentence about the file. */
	if (-error < FAULT_REFUSED && error != -FAULT_CANCELLED)
		return error;
	if (error == -FAULT_VANISHED || error == -FAULT_NETWORK)
		todo = ": repeat it when the server is there again";
	snprintf(text, sizeof(text), "%s", fault_text());
	return fault((enum fault) - error, "'%.120s' was not stored: %.200s%s", target,
	             text, todo);
}

int moving_wait(struct client *client, struct moving *moving)
{
	int error = client_wait(client, &moving->finished);

	progress_end(&moving->progress);
	if (!moving->finished)
		return cancel(client, moving, error);
	if (moving->result)
		return fault((enum fault) - moving->result, "%s", moving->text);
	/* A shell has further use for the session: let the memory be given back first. */
	return client_wait(client, &moving->gone);
}

void moving_report(const struct call *call, const struct moving *moving, const char *verb,
                   const char *from, const char *to)
{
	char size[UNITS_TEXT], rate[UNITS_TEXT], duration[UNITS_TEXT];
	struct json *json = &call->report->json;

	report_amount(call->report, moving->bytes, moving->us);
	json_string(json, "from", from);
	json_string(json, "to", to);
	json_string(json, "sha256", moving->sha256);
	json_bool(json, "verified", true);
	json_uint(json, "resumed_bytes", moving->resumed);
	report_say(call->report, "%s '%s' as '%s': %s in %s, %s, SHA-256 %s", verb, from,
	           to, format_size(size, moving->bytes),
	           format_duration(duration, moving->us),
	           format_rate(rate, moving->bytes, moving->us), moving->sha256);
}

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
