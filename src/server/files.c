/* SPDX-License-Identifier: BSD-2-Clause */
/* PUT and GET: the file is opened in the pool, then a transfer takes over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/units.h"
#include "server/peer.h"

/* One file being opened. */
struct request {
	struct job job;
	struct list node;
	struct peer *peer;
	uint32_t id;
	bool cancelled;
	bool replace;
	bool resumable;
	uint8_t token[APP_TOKEN]; /* if it is */
	bool counted;             /* among the client's open files */
	unsigned rights;          /* that it needs on the export */
	uint64_t size;
	struct export_path path;
	struct partial partial; /* PUT: what the job opened */
	int fd;                 /* GET */
	struct stat st;
};

/* What a transfer is about, for the log. */
struct note {
	struct peer *peer;
	const struct export *export;
	unsigned rights;
	bool put;
	char path[];
};

static void note_result(struct transfer *transfer)
{
	struct note *note = transfer->user;
	struct server_totals *totals = &note->peer->server->totals;
	struct metrics *metrics = &note->peer->server->metrics;
	char size[UNITS_TEXT], rate[UNITS_TEXT], duration[UNITS_TEXT];
	uint64_t us = transfer->ended_us - transfer->started_us;
	const char *verb = note->put ? "received" : "sent";

	if (transfer->result) {
		peer_log(note->peer, SRDMA_LOG_WARN, "'%s' not %s: %s", note->path, verb,
		         transfer->text);
		return;
	}
	atomic_fetch_add(note->put ? &totals->files_received : &totals->files_sent, 1);
	atomic_fetch_add(note->put ? &totals->bytes_received : &totals->bytes_sent,
	                 transfer->bytes);
	metrics_observe(note->put ? &metrics->receiving : &metrics->sending, us);
	peer_log(note->peer, SRDMA_LOG_INFO, "%s '%s': %s in %s, %s", verb, note->path,
	         format_size(size, transfer->bytes), format_duration(duration, us),
	         format_rate(rate, transfer->bytes, us));
}

static void note_gone(struct transfer *transfer)
{
	struct note *note = transfer->user;
	struct peer *peer = note->peer;

	free(note);
	account_return_file(&peer->server->accounts, peer->account);
	peer_settle(peer);
	peer_let_go(peer);
}

static const struct transfer_events events = {
	.finished = note_result,
	.gone = note_gone,
};

static struct note *make_note(const struct request *request, bool put)
{
	size_t length = strlen(request->path.text) + 1;
	struct note *note = malloc(sizeof(*note) + length);

	if (!note) {
		fault(FAULT_MEMORY, "the server is out of memory");
		return NULL;
	}
	note->peer = request->peer;
	note->put = put;
	note->export = request->path.export;
	note->rights = request->rights;
	memcpy(note->path, request->path.text, length);
	return note;
}

/* Takes over what the job opened. */
static int start_transfer(struct request *request, bool put)
{
	struct note *note = make_note(request, put);
	struct channel *channel = &request->peer->channel;
	struct transfer *transfer;
	int error = -FAULT_MEMORY;

	if (note && put)
		error = receiver_start(channel, request->id, &request->partial,
		                       request->size, &events, note, &transfer);
	else if (note)
		error = sender_start(channel, request->id, request->fd, request->size,
		                     note->path, &events, note, &transfer);
	if (note && !put)
		request->fd = -1;
	if (error) {
		free(note);
		return error;
	}
	request->counted = false; /* the transfer is, from now on */
	peer_hold(request->peer);
	peer_log(request->peer, SRDMA_LOG_DEBUG, "%s '%s' %s",
	         put ? "receiving" : "sending", note->path,
	         transfer->resumed ? "goes on" : "begins");
	return 0;
}

static void end_request(struct request *request)
{
	struct peer *peer = request->peer;

	list_remove(&request->node);
	peer->request_count--;
	if (request->fd >= 0)
		close(request->fd);
	partial_hand_over(&request->partial, request->partial.bytes > 0);
	partial_clear(&request->partial);
	if (request->counted)
		account_return_file(&peer->server->accounts, peer->account);
	free(request);
	peer_settle(peer);
	peer_let_go(peer);
}

static bool is_wanted(const struct request *request)
{
	return request->peer->session && !request->cancelled;
}

static void refuse(const struct request *request, const char *verb, int error,
                   const char *text)
{
	char what[APP_NAME_MAX + 16];

	snprintf(what, sizeof(what), "%s '%.*s'", verb, APP_NAME_MAX, request->path.text);
	peer_refuse(request->peer, request->id, what, error, text);
}

static struct request *find_request(const struct peer *peer, uint32_t id)
{
	list_for_each (node, &peer->requests) {
		struct request *request = container_of(node, struct request, node);

		if (request->id == id)
			return request;
	}
	return NULL;
}

bool files_are_permitted(const struct peer *peer)
{
	const struct exports *exports = &peer->server->settings.exports;

	list_for_each (node, &peer->requests) {
		struct request *request = container_of(node, struct request, node);

		if (!access_has(peer->access, exports, request->path.export,
		                request->rights))
			return false;
	}
	list_for_each (node, &peer->channel.transfers) {
		struct note *note = container_of(node, struct transfer, node)->user;

		if (!access_has(peer->access, exports, note->export, note->rights))
			return false;
	}
	return true;
}

static int check_rights(const struct request *request)
{
	const char *what = request->rights & ACCESS_REPLACE ? "replace files in"
	                   : request->rights & ACCESS_PUT   ? "put into"
	                                                    : "get from";

	return peer_check_export(request->peer, request->path.export, request->rights,
	                         what);
}

static int make_request(struct peer *peer, const struct app_message *message,
                        const struct app_bytes *path, unsigned rights,
                        struct request **out)
{
	struct request *request;
	int error;

	/* That of a transfer under way would not have come here. */
	if (find_request(peer, message->id))
		return fault(FAULT_PROTOCOL, "the id of a request is in use");
	if (peer->channel.transfer_count + peer->request_count >= PEER_TRANSFERS)
		return fault(FAULT_BUSY,
		             "this session has its %u transfers under way: wait for one",
		             PEER_TRANSFERS);
	request = calloc(1, sizeof(*request));
	if (!request)
		return fault(FAULT_MEMORY, "the server is out of memory");
	request->peer = peer;
	request->id = message->id;
	request->fd = -1;
	request->rights = rights;
	error = exports_find(&peer->server->settings.exports, path, &request->path);
	if (!error)
		error = check_rights(request);
	if (!error)
		error = account_take_file(&peer->server->accounts, peer->account);
	request->counted = !error;
	if (error)
		free(request);
	else
		*out = request;
	return error;
}

static void submit(struct request *request, int (*run)(struct job *),
                   void (*done)(struct job *, int, const char *))
{
	struct peer *peer = request->peer;

	peer_hold(peer);
	peer->request_count++;
	list_append(&peer->requests, &request->node);
	request->job.run = run;
	request->job.done = done;
	jobs_submit(peer->server->jobs, srdma_session_worker(peer->session),
	            &request->job);
}

void files_cancel(struct peer *peer, uint32_t id)
{
	struct request *request = find_request(peer, id);

	if (request)
		request->cancelled = true;
}

/*
 * PUT
 */

/* What was kept of the file, if it still belongs there. */
static int find_parked(struct request *request, int dirfd)
{
	struct partial *partial = &request->partial;
	const struct parked_key key = {
		.owner = request->peer->account->name,
		.path = request->path.text,
		.token = request->token,
		.size = request->size,
		.replace = request->replace,
	};
	int error;

	if (!request->resumable)
		return 0;
	error = parking_leave(&request->peer->server->parking, &key, partial);
	if (!error && partial->file && !newfile_is_in(partial->file, dirfd))
		partial_clear(partial);
	return error;
}

static int begin(struct request *request, int dirfd, const char *name)
{
	struct newfile *file;
	int error = find_parked(request, dirfd);

	if (error || request->partial.bytes || request->partial.published) {
		close(dirfd);
		return error;
	}
	partial_clear(&request->partial);
	error = newfile_create(dirfd, name, request->path.text, request->replace,
	                       request->size, &file);
	return error ? error : partial_begin(&request->partial, file);
}

static int run_create(struct job *job)
{
	struct request *request = container_of(job, struct request, job);
	const char *name;
	int dirfd, error = export_open_parent(&request->path, &dirfd, &name);

	return error ? error : begin(request, dirfd, name);
}

static void create_done(struct job *job, int result, const char *text)
{
	struct request *request = container_of(job, struct request, job);

	if (!result && is_wanted(request)) {
		result = start_transfer(request, true);
		text = fault_text();
	}
	if (result && is_wanted(request))
		refuse(request, "PUT", result, text);
	end_request(request);
}

int files_put(struct peer *peer, const struct app_message *message)
{
	struct request *request;
	bool replace = message->put.flags & APP_PUT_REPLACE;
	unsigned rights = replace ? ACCESS_PUT | ACCESS_REPLACE : ACCESS_PUT;
	int error = make_request(peer, message, &message->put.path, rights, &request);

	if (error)
		return error;
	request->size = message->put.size;
	request->replace = replace;
	request->resumable = (message->put.flags & APP_PUT_RESUMABLE) &&
	                     peer->server->settings.keep_partial_ms;
	memcpy(request->token, message->put.token, APP_TOKEN);
	submit(request, run_create, create_done);
	return 0;
}

/*
 * GET
 */

static int run_open(struct job *job)
{
	struct request *request = container_of(job, struct request, job);
	int error = export_open(&request->path, O_RDONLY, &request->fd);

	if (error)
		return error;
	if (fstat(request->fd, &request->st) < 0)
		return fault_errno(errno, "'%s'", request->path.text);
	if (!S_ISREG(request->st.st_mode))
		return fault(FAULT_NOT_A_FILE, "'%s' is %s, not a file",
		             request->path.text,
		             S_ISDIR(request->st.st_mode) ? "a directory" : "special");
	request->size = (uint64_t)request->st.st_size;
	posix_fadvise(request->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static int offer(struct request *request)
{
	struct app_message found = { .type = APP_FOUND, .id = request->id };
	int error;

	found.found.size = request->size;
	found.found.changed = request->st.st_mtime;
	error = channel_send(&request->peer->channel, &found);
	return error ? error : start_transfer(request, false);
}

static void open_done(struct job *job, int result, const char *text)
{
	struct request *request = container_of(job, struct request, job);

	if (!result && is_wanted(request)) {
		result = offer(request);
		text = fault_text();
	}
	if (result && is_wanted(request))
		refuse(request, "GET", result, text);
	end_request(request);
}

int files_get(struct peer *peer, const struct app_message *message)
{
	struct request *request;
	int error = make_request(peer, message, &message->path, ACCESS_GET, &request);

	if (error)
		return error;
	submit(request, run_open, open_done);
	return 0;
}
