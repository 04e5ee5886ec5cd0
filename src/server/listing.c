/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing a directory, or the exports. A message full of entries is read at a time, in
 * the pool, and the next when there is room for it: a directory of any size takes one
 * message.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/peer.h"

#define MESSAGE_LIMIT  16384
#define ENTRIES_HEADER 1

struct listing {
	struct job job;
	struct peer *peer;
	uint32_t id;
	struct export_path path; /* no export: list these */
	DIR *directory;
	struct dirent *next; /* read, but did not fit */
	bool in_pool;
	bool stopped;
	bool last;
	size_t used;
	size_t room;
	char body[MESSAGE_LIMIT];
};

static void destroy(struct listing *listing)
{
	struct peer *peer = listing->peer;

	if (listing->directory)
		closedir(listing->directory);
	if (peer->listing == listing)
		peer->listing = NULL;
	if (listing->path.export)
		account_return_file(&peer->server->accounts, peer->account);
	free(listing);
	peer_settle(peer);
	peer_let_go(peer);
}

static int open_directory(struct listing *listing)
{
	int fd, error = export_open(&listing->path, O_RDONLY | O_DIRECTORY, &fd);

	if (error)
		return error;
	listing->directory = fdopendir(fd);
	if (listing->directory)
		return 0;
	error = fault_errno(errno, "cannot list '%s'", listing->path.text);
	close(fd);
	return error;
}

static bool add(struct listing *listing, const struct app_entry *entry)
{
	size_t used = app_add_entry(entry, listing->body, listing->used, listing->room);

	if (used)
		listing->used = used;
	return used != 0;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* A file that goes away meanwhile is none: no entry, but done. */
static bool add_file(struct listing *listing, const char *name)
{
	struct app_entry entry = { .kind = APP_ENTRY_OTHER };
	struct stat st;

	if (is_dots(name) ||
	    fstatat(dirfd(listing->directory), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	if (S_ISREG(st.st_mode))
		entry.kind = APP_ENTRY_FILE;
	else if (S_ISDIR(st.st_mode))
		entry.kind = APP_ENTRY_DIRECTORY;
	entry.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	entry.changed = st.st_mtime;
	entry.name.at = name;
	entry.name.length = strlen(name);
	return add(listing, &entry);
}

static int run_read(struct job *job)
{
	struct listing *listing = container_of(job, struct listing, job);
	int error = listing->directory ? 0 : open_directory(listing);

	if (error)
		return error;
	listing->used = 0;
	for (;;) {
		errno = 0;
		if (!listing->next)
			listing->next = readdir(listing->directory);
		if (!listing->next)
			break;
		if (!add_file(listing, listing->next->d_name))
			return 0;
		listing->next = NULL;
	}
	listing->last = true;
	return errno ? fault_errno(errno, "cannot list '%s'", listing->path.text) : 0;
}

static void send_entries(struct listing *listing)
{
	struct app_message entries = { .type = APP_ENTRIES, .id = listing->id };

	entries.entries.last = listing->last;
	entries.entries.rest.at = listing->body;
	entries.entries.rest.length = listing->used;
	if (channel_send(&listing->peer->channel, &entries))
		peer_cut(listing->peer, fault_text());
}

static void read_done(struct job *job, int result, const char *text)
{
	struct listing *listing = container_of(job, struct listing, job);
	struct peer *peer = listing->peer;

	listing->in_pool = false;
	if (listing->stopped) {
		destroy(listing);
		return;
	}
	if (result)
		peer_refuse(peer, listing->id, "LIST", result, text);
	else
		send_entries(listing);
	if (result || listing->last)
		destroy(listing);
	else
		listing_continue(peer);
}

void listing_continue(struct peer *peer)
{
	struct listing *listing = peer->listing;

	if (!listing || listing->in_pool || channel_is_blocked(&peer->channel))
		return;
	listing->in_pool = true;
	jobs_submit(peer->server->jobs, srdma_session_worker(peer->session),
	            &listing->job);
}

void listing_stop(struct peer *peer)
{
	struct listing *listing = peer->listing;

	if (!listing)
		return;
	peer->listing = NULL;
	listing->stopped = true;
	if (!listing->in_pool)
		destroy(listing);
}

bool listing_is_permitted(const struct peer *peer)
{
	const struct listing *listing = peer->listing;

	return !listing || access_has(peer->access, &peer->server->settings.exports,
	                              listing->path.export, ACCESS_LS);
}

static int list_exports(struct peer *peer, struct listing *listing)
{
	const struct exports *exports = &peer->server->settings.exports;

	for (unsigned i = 0; i < exports->count; i++) {
		const struct export *export = &exports->list[i];
		struct app_entry entry = {
			.kind = export->read_only ? APP_ENTRY_EXPORT_READ_ONLY
			                          : APP_ENTRY_EXPORT,
			.name = { export->name, strlen(export->name) },
		};

		if (!peer->access->exports[i])
			continue;
		if (add(listing, &entry))
			continue;
		send_entries(listing);
		listing->used = 0;
		add(listing, &entry);
	}
	listing->last = true;
	send_entries(listing);
	destroy(listing);
	return 0;
}

static int begin(struct peer *peer, struct listing *listing,
                 const struct app_message *message)
{
	size_t most = srdma_session_max_message(peer->session);
	int error = 0;

	listing->peer = peer;
	listing->id = message->id;
	listing->job.run = run_read;
	listing->job.done = read_done;
	listing->room = most < MESSAGE_LIMIT ? most : MESSAGE_LIMIT;
	listing->room -= APP_HEADER + ENTRIES_HEADER;
	if (message->path.length)
		error = exports_find(&peer->server->settings.exports, &message->path,
		                     &listing->path);
	if (!error && message->path.length)
		error = peer_check_export(peer, listing->path.export, ACCESS_LS, "list");
	if (!error && message->path.length)
		error = account_take_file(&peer->server->accounts, peer->account);
	return error;
}

int listing_start(struct peer *peer, const struct app_message *message)
{
	struct listing *listing;
	int error;

	if (peer->listing)
		return fault(FAULT_BUSY, "this session lists a directory already");
	listing = calloc(1, sizeof(*listing));
	if (!listing)
		return fault(FAULT_MEMORY, "the server is out of memory");
	error = begin(peer, listing, message);
	if (error) {
		free(listing);
		return error;
	}
	peer_hold(peer);
	if (!message->path.length)
		return list_exports(peer, listing);
	peer->listing = listing;
	listing_continue(peer);
	return 0;
}
