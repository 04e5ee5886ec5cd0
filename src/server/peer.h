/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client at the server: its session, and what it has asked for. Belongs to one loop, in
 * whose thread everything happens. Lives until the session is closed and no job in the
 * pool refers to it.
 */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include "common/list.h"
#include "program/channel.h"
#include "program/logger.h"
#include "program/transfer.h"
#include "server/access.h"
#include "server/loop.h"
#include "server/server.h"

#define PEER_TRANSFERS 8 /* at a time, those being opened included */

struct listing;
struct request;

struct scratch {
	void *memory;
	size_t size;
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;
	unsigned rights; /* of the grant */
};

struct peer {
	struct owner owner;
	struct list node;
	struct loop *loop;
	struct server *server;
	struct srdma_session *session; /* NULL: closed */
	struct channel channel;
	uint64_t id;
	char *name;            /* who it is */
	struct access *access; /* what it may do */
	struct account *account;
	struct metrics_series *series;
	struct srdma_session_stats counted; /* what of the session is in there */
	struct list held;     /* messages that wait until the answers before are gone */
	struct list requests; /* files being opened */
	unsigned request_count;
	struct listing *listing;
	struct scratch scratch;
	uint64_t active_us;
	unsigned references; /* jobs */
	bool established;
	bool closing;
};

extern const struct srdma_handlers peer_handlers; /* user: &loop->owner */

void peer_close_idle(struct peer *peer);

/* The loop has another policy: the peer goes if that does not let it do what it does. */
void peer_policy_changed(struct peer *peer);

/* -FAULT_FORBIDDEN, unless it may; `what` completes "may not …". */
int peer_check(const struct peer *peer, unsigned rights, const char *what);
int peer_check_export(const struct peer *peer, const struct export *export,
                      unsigned rights, const char *what);

/* Brings the metrics of its client up to date. */
void peer_count(struct peer *peer);

/* The server stops: close as soon as nothing is under way. */
void peer_drain(struct peer *peer);

/* Something ended: close if that is what it waited for; messages held back may go on. */
void peer_settle(struct peer *peer);

/* A job refers to it; the last one to go frees it. */
void peer_hold(struct peer *peer);
void peer_let_go(struct peer *peer);

/* The peer broke the rules, or we cannot go on with it. */
void peer_cut(struct peer *peer, const char *reason);

/* FAIL to the client, and a line in the log; `what` is what it wanted. */
void peer_refuse(struct peer *peer, uint32_t id, const char *what, int code,
                 const char *text);

void peer_log(const struct peer *peer, enum srdma_log_level level, const char *format,
              ...) __attribute__((format(printf, 3, 4)));

/* requests.c: 0, or -FAULT_PROTOCOL when the peer has to be cut. */
int request_handle(struct peer *peer, const struct app_message *message);

/* scratch.c */
int scratch_open(struct peer *peer, uint32_t id);
int scratch_digest(struct peer *peer, const struct app_message *message);
bool scratch_is_permitted(const struct peer *peer);
void scratch_close(struct peer *peer);

/* listing.c */
int listing_start(struct peer *peer, const struct app_message *message);
void listing_continue(struct peer *peer); /* there may be room for more messages */
void listing_stop(struct peer *peer);
bool listing_is_permitted(const struct peer *peer);

/* files.c */
int files_put(struct peer *peer, const struct app_message *message);
int files_get(struct peer *peer, const struct app_message *message);
void files_cancel(struct peer *peer, uint32_t id); /* one that is being opened */
bool files_are_permitted(const struct peer *peer);

#endif
