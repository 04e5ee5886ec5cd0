/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/attested.h"
#include "server/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "server/policy.h"

/* A message that waits, with the credit of its sender. */
struct held {
	struct list node;
	struct srdma_message *message;
};

static struct peer *peer_of(void *user)
{
	return container_of(user, struct peer, owner);
}

void peer_log(const struct peer *peer, enum srdma_log_level level, const char *format,
              ...)
{
	const struct log_about about = {
		.level = level,
		.session = peer->id,
		.peer = peer->name,
	};
	char line[FAULT_TEXT * 2];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log_about(&about, "%s", line);
}

void peer_cut(struct peer *peer, const char *reason)
{
	if (!peer->session || peer->closing)
		return;
	peer->closing = true;
	peer_log(peer, SRDMA_LOG_WARN, "cut: %s", reason);
	srdma_session_abort(peer->session, reason);
}

void peer_refuse(struct peer *peer, uint32_t id, const char *what, int code,
                 const char *text)
{
	atomic_fetch_add(&peer->server->metrics.refusals, 1);
	peer_log(peer, SRDMA_LOG_WARN, "%s refused: %s", what, text);
	if (channel_send_fail(&peer->channel, id, code, text))
		peer_cut(peer, fault_text());
}

void peer_count(struct peer *peer)
{
	metrics_count_session(peer->series, peer->session, &peer->counted);
}

void peer_hold(struct peer *peer)
{
	peer->references++;
}

void peer_let_go(struct peer *peer)
{
	if (--peer->references > 0)
		return;
	account_leave(&peer->server->accounts, peer->account);
	free(peer->access);
	free(peer->name);
	free(peer);
}

/*
 * The policy
 */

/* Whether a session has what it does from rights that are gone. */
static bool uses_what_it_has_not(const struct peer *peer)
{
	return !scratch_is_permitted(peer) || !listing_is_permitted(peer) ||
	       !files_are_permitted(peer);
}

static void reject(struct srdma_session *session, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void reject(struct srdma_session *session, int code, const char *format, ...)
{
	char reason[FAULT_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	srdma_session_reject(session, code, reason);
}

/* 0, or the session is rejected and the code says so to the library. */
static int find_access(const struct loop *loop, struct srdma_session *session,
                       struct access **out)
{
	const struct srdma_identity *identity = srdma_session_peer(session);
	int found = policy_access(loop->policy, &loop->server->settings.exports, identity,
	                          out);

	if (found > 0) {
		limits_default(&(*out)->limits, &loop->server->settings.client_limits);
		return 0;
	}
	if (found < 0)
		return SRDMA_ENOMEM;
	reject(session, SRDMA_EREFUSED,
	       "'%.200s' is not allowed here: no rule of the server's policy names it",
	       srdma_identity_text(identity));
	return SRDMA_EREFUSED;
}

void peer_policy_changed(struct peer *peer)
{
	struct access *access;
	int error = find_access(peer->loop, peer->session, &access);

	if (error == SRDMA_ENOMEM)
		reject(peer->session, SRDMA_ELIMIT,
		       "the server has no memory to look at its new policy");
	if (error)
		return;
	free(peer->access);
	peer->access = access;
	account_set_limits(peer->account, &access->limits);
	if (uses_what_it_has_not(peer))
		reject(peer->session, SRDMA_EREFUSED,
		       "the server's policy changed: '%.200s' may no longer do what "
		       "this session was doing",
		       peer->name);
}

int peer_check(const struct peer *peer, unsigned rights, const char *what)
{
	if ((peer->access->rights & rights) == rights)
		return 0;
	return fault(FAULT_FORBIDDEN, "by the server's policy '%.200s' may not %s",
	             peer->name, what);
}

int peer_check_export(const struct peer *peer, const struct export *export,
                      unsigned rights, const char *what)
{
	if (access_has(peer->access, &peer->server->settings.exports, export, rights))
		return 0;
	return fault(FAULT_FORBIDDEN,
	             "by the server's policy '%.200s' may not %s the export '%.100s'",
	             peer->name, what, export->name);
}

/*
 * Closing
 */

static bool is_busy(const struct peer *peer)
{
	return peer->channel.transfer_count || peer->request_count || peer->listing ||
	       channel_is_blocked(&peer->channel) || !list_empty(&peer->held);
}

static void close_in_order(struct peer *peer)
{
	if (peer->closing || !peer->session)
		return;
	peer->closing = true;
	srdma_session_close(peer->session);
}

void peer_close_idle(struct peer *peer)
{
	if (peer->closing || !peer->established)
		return;
	peer_log(peer, SRDMA_LOG_INFO, "idle for too long: closing the session");
	if (is_busy(peer)) {
		peer->closing = true;
		srdma_session_abort(peer->session,
		                    "a transfer stood still for longer than the server's "
		                    "--idle-timeout");
	} else {
		close_in_order(peer);
	}
}

void peer_drain(struct peer *peer)
{
	if (!is_busy(peer))
		close_in_order(peer);
}

/*
 * Messages
 */

static void handle(struct peer *peer, struct srdma_message *raw)
{
	struct app_message message;
	int error =
	        app_decode(srdma_message_data(raw), srdma_message_length(raw), &message);

	if (!error)
		error = request_handle(peer, &message);
	if (error)
		peer_cut(peer, fault_text());
}

static void hold_message(struct peer *peer, struct srdma_message *message)
{
	struct held *held = malloc(sizeof(*held));

	if (!held) {
		peer_cut(peer, "the server is out of memory");
		return;
	}
	srdma_message_keep(message);
	held->message = message;
	list_append(&peer->held, &held->node);
}

static struct srdma_message *next_held(struct peer *peer)
{
	struct held *held;
	struct srdma_message *message;

	if (list_empty(&peer->held))
		return NULL;
	held = container_of(peer->held.next, struct held, node);
	message = held->message;
	list_remove(&held->node);
	free(held);
	return message;
}

static void handle_held(struct peer *peer)
{
	struct srdma_message *message;

	while (!channel_is_blocked(&peer->channel) && (message = next_held(peer))) {
		handle(peer, message);
		srdma_message_release(message);
	}
}

void peer_settle(struct peer *peer)
{
	if (!peer->session)
		return;
	handle_held(peer);
	if (peer->loop->draining)
		peer_drain(peer);
}

/*
 * A client that does not take its answers gets no further requests answered: they stay
 * in their buffers, which bounds both.
 */
static void on_message(struct srdma_session *session, struct srdma_message *message,
                       void *user)
{
	struct peer *peer = peer_of(user);

	(void)session;
	peer->active_us = clock_us();
	if (channel_is_blocked(&peer->channel) || !list_empty(&peer->held))
		hold_message(peer, message);
	else
		handle(peer, message);
	peer_settle(peer);
}

static void on_writable(struct srdma_session *session, void *user)
{
	struct peer *peer = peer_of(user);

	(void)session;
	channel_on_writable(&peer->channel);
	listing_continue(peer);
	peer_settle(peer);
}

static void on_complete(struct srdma_session *session,
                        const struct srdma_completion *completion, void *user)
{
	(void)session;
	(void)user;
	channel_on_complete(completion);
}

static void on_grant(struct srdma_session *session, struct srdma_remote *remote,
                     void *user)
{
	struct peer *peer = peer_of(user);

	(void)session;
	(void)remote;
	channel_on_grant(&peer->channel);
}

static void on_revoke(struct srdma_session *session, struct srdma_remote *remote,
                      void *user)
{
	struct peer *peer = peer_of(user);

	(void)session;
	channel_on_revoke(&peer->channel, remote);
}

static void on_released(struct srdma_session *session, uint64_t tag, void *user)
{
	struct peer *peer = peer_of(user);

	(void)session;
	channel_on_released(&peer->channel, tag);
	peer_settle(peer);
}

/*
 * Life
 */

static struct peer *peer_new(struct loop *loop, struct srdma_session *session)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer)
		peer->name = strdup(srdma_identity_text(srdma_session_peer(session)));
	if (!peer || !peer->name) {
		free(peer);
		return NULL;
	}
	peer->owner.is_peer = true;
	peer->loop = loop;
	peer->server = loop->server;
	peer->series = metrics_series_of(&loop->server->metrics, peer->name);
	peer->session = session;
	peer->id = srdma_session_id(session);
	peer->active_us = clock_us();
	peer->references = 1;
	list_init(&peer->held);
	list_init(&peer->requests);
	return peer;
}

/* 0, or the session is rejected. */
static int open_account(struct loop *loop, struct srdma_session *session,
                        const struct access *access, struct account **out)
{
	int error = account_join(&loop->server->accounts, srdma_session_peer(session),
	                         &access->limits, out);

	if (error)
		reject(session, SRDMA_ELIMIT, "%s", fault_text());
	return error;
}

static int on_authenticated(struct srdma_session *session, void *user)
{
	struct loop *loop = container_of(user, struct loop, owner);
	struct account *account;
	struct access *access;
	struct peer *peer;

	if (find_access(loop, session, &access))
		return SRDMA_EREFUSED;
	if (open_account(loop, session, access, &account))
		goto free_access;
	peer = peer_new(loop, session);
	if (!peer)
		goto leave;
	peer->access = access;
	peer->account = account;
	peer->channel.budget = &account->memory;
	peer->channel.sync = !loop->server->settings.no_sync;
	channel_init(&peer->channel, session, loop->server->jobs);
	list_append(&loop->peers, &peer->node);
	srdma_session_set_user(session, &peer->owner);
	return 0;

leave:
	account_leave(&loop->server->accounts, account);
free_access:
	free(access);
	return SRDMA_ELIMIT;
}

static void log_established(const struct peer *peer, const struct srdma_attestation *a)
{
	struct log_about about = {
		.level = SRDMA_LOG_INFO,
		.session = peer->id,
		.peer = peer->name,
		.event = "established",
	};
	struct json fields = { 0 };

	json_string(&fields, "address", srdma_session_address(peer->session));
	json_string(&fields, "tls", a->tls);
	json_string(&fields, "transport", attested_transport(a));
	json_string(&fields, "connect", attested_connect(a));
	json_string(&fields, "protection", a->protection);
	json_bool(&fields, "packets_protected", a->packets_protected);
	json_string(&fields, "device", a->device);
	json_string(&fields, "qp_state", a->qp_state);
	json_string(&fields, "psn_local", a->psn_local);
	json_string(&fields, "psn_peer", a->psn_peer);
	json_bool(&fields, "psn_exchanged", a->checked == SRDMA_ATTESTED_ALL);
	json_bool(&fields, "proven", attested_all(a));
	about.fields = &fields;
	log_about(
	        &about,
	        "established from %s on %s, %s, data protection %s, %s%s%s%s%s%sproof %s",
	        srdma_session_address(peer->session), a->device, attested_connect(a),
	        a->protection, a->packets_protected ? "packets protected, " : "",
	        *a->psn_local ? "PSN hashes: ours " : "", a->psn_local,
	        *a->psn_local ? ", theirs " : "", a->psn_peer, *a->psn_local ? ", " : "",
	        attested_all(a) ? "verified" : "MISSING");
	json_free(&fields);
}

static void on_established(struct srdma_session *session, void *user)
{
	struct peer *peer = peer_of(user);
	struct srdma_attestation attestation;

	struct srdma_session_stats stats = { 0 };

	srdma_session_stats(session, &stats, sizeof(stats));
	metrics_count_handshake(&peer->server->metrics, SRDMA_OK, stats.established_us);
	peer->established = true;
	peer->active_us = clock_us();
	atomic_fetch_add(&peer->server->totals.sessions, 1);
	if (srdma_session_attestation(session, &attestation, sizeof(attestation)) == 0)
		log_established(peer, &attestation);
	if (peer->loop->draining)
		peer_drain(peer);
}

static void hear_out(struct peer *peer, const struct srdma_message *raw)
{
	struct app_message message;
	bool taken;

	if (!app_decode(srdma_message_data(raw), srdma_message_length(raw), &message) &&
	    message.type == APP_FAIL)
		channel_on_message(&peer->channel, &message, &taken);
}

/* Nothing is answered any more; but why a client gave up may be among what waits. */
static void end_held(struct peer *peer)
{
	struct srdma_message *message;

	while ((message = next_held(peer))) {
		hear_out(peer, message);
		srdma_message_release(message);
	}
}

static void log_closed(const struct peer *peer, int code, const char *reason)
{
	struct srdma_session_stats stats = { 0 };
	struct log_about about = {
		.level = code == SRDMA_ECLOSED ? SRDMA_LOG_INFO : SRDMA_LOG_WARN,
		.session = peer->id,
		.peer = peer->name,
		.event = code == SRDMA_ECLOSED ? "closed" : "failed",
	};

	srdma_session_stats(peer->session, &stats, sizeof(stats));
	log_about(&about, "%s after %.1f s%s%s", about.event, (double)stats.age_us / 1e6,
	          code == SRDMA_ECLOSED ? "" : ": ", code == SRDMA_ECLOSED ? "" : reason);
}

/* Nobody got as far as to have a name. */
static void log_refused(struct loop *loop, struct srdma_session *session, int code,
                        const char *reason)
{
	struct log_about about = {
		/* Of those crowded out, thousands may come in a second: the library
		 * tells how many. */
		.level = code == SRDMA_ECROWDED ? SRDMA_LOG_DEBUG : SRDMA_LOG_WARN,
		.session = srdma_session_id(session),
		.event = "refused",
	};
	struct json fields = { 0 };

	json_string(&fields, "address", srdma_session_address(session));
	about.fields = &fields;
	log_about(&about, "no session: %s", reason);
	json_free(&fields);
	metrics_count_handshake(&loop->server->metrics, code, 0);
	atomic_fetch_add(&loop->server->totals.refused, 1);
}

static void peer_closed(struct peer *peer, int code, const char *reason)
{
	int why;

	log_closed(peer, code, reason);
	peer_count(peer);
	if (peer->established)
		metrics_count_end(&peer->server->metrics, code);
	else
		metrics_count_handshake(&peer->server->metrics, code, 0);
	if (!peer->established)
		atomic_fetch_add(&peer->server->totals.refused, 1);
	else if (code != SRDMA_ECLOSED)
		atomic_fetch_add(&peer->server->totals.failed, 1);
	peer->closing = true;
	end_held(peer);
	listing_stop(peer);
	why = fault_srdma_text(
	        code, code == SRDMA_ECLOSED ? "the client closed the session" : reason);
	channel_on_closed(&peer->channel, why, fault_text());
	scratch_close(peer);
	peer->session = NULL;
	list_remove(&peer->node);
	peer_let_go(peer);
}

static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	struct owner *owner = user;

	if (owner->is_peer)
		peer_closed(peer_of(user), code, reason);
	else
		log_refused(container_of(owner, struct loop, owner), session, code,
		            reason);
	srdma_session_free(session);
}

const struct srdma_handlers peer_handlers = {
	.size = sizeof(peer_handlers),
	.on_authenticated = on_authenticated,
	.on_established = on_established,
	.on_message = on_message,
	.on_complete = on_complete,
	.on_writable = on_writable,
	.on_grant = on_grant,
	.on_revoke = on_revoke,
	.on_released = on_released,
	.on_closed = on_closed,
};
