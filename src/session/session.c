/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "session/cm.h"
#include "session/error.h"
#include "session/identity.h"
#include "session/linger.h"
#include "session/objects.h"

static const struct srdma_handlers no_handlers = { .size = sizeof(no_handlers) };

/*
 * The socket
 */

/* While its frames wait for its proof: that may have come before it left. */
static void hung_up(struct srdma_session *session)
{
	worker_poll(session->worker);
	if (session->handshake && session->handshake->paused)
		session_fail(session,
		             fail(SRDMA_EVANISHED,
		                  "%s went away before the session was established",
		                  session->name));
}

static void socket_ready(struct source *source, uint32_t events)
{
	struct srdma_session *session =
	        container_of(source, struct srdma_session, socket);

	if (session->failure)
		return;
	if (events & (POLLER_HUP | POLLER_ERR) && session->handshake &&
	    session->handshake->paused)
		hung_up(session);
	else if (session->phase == PHASE_CONNECT)
		dial_ready(session);
	else if (session->phase == PHASE_TLS)
		handshake_advance_tls(session);
	else
		frames_read(session);
}

int session_watch(struct srdma_session *session, uint32_t events)
{
	session->socket_events = events;
	return worker_watch(session->worker, &session->socket, events);
}

void session_update_events(struct srdma_session *session)
{
	uint32_t events = 0;

	if (session->socket.fd < 0 || !session->has_control)
		return;
	if (!session->handshake || !session->handshake->paused)
		events |= POLLER_IN;
	if (tls_wants_write(session->control.tls) ||
	    control_wants_write(&session->control))
		events |= POLLER_OUT;
	if (events == session->socket_events)
		return;
	session->socket_events = events;
	worker_rewatch(session->worker, &session->socket, events);
}

void session_send(struct srdma_session *session, const struct frame *frame)
{
	int error;

	if (session->closing.fin_sent)
		return; /* the channel is closed in this direction */
	error = control_send(&session->control, frame, NULL, NULL);
	if (error)
		session_fail(session, error);
	else
		session_update_events(session);
}

/* "server " or "client ", then the address. */
void session_set_name(struct srdma_session *session,
                      const struct sockaddr_storage *address)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	bool v6 = address->ss_family == AF_INET6;
	socklen_t length = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	const char *plain = host;

	getnameinfo((const struct sockaddr *)address, length, host, sizeof(host), port,
	            sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	if (!strncmp(host, "::ffff:", 7) && strchr(host, '.')) {
		plain = host + 7;
		v6 = false;
	}
	snprintf(session->name, sizeof(session->name),
	         v6 ? "%s [%.50s]:%.5s" : "%s %.50s:%.5s",
	         session->client ? "server" : "client", plain, port);
}

const char *srdma_session_address(const struct srdma_session *session)
{
	return session->name + sizeof("server ") - 1;
}

/*
 * Timers
 */

void session_set_timer(struct srdma_session *session, uint64_t ms)
{
	worker_set_timer(session->worker, &session->timer, ms * 1000);
}

static void late(struct srdma_session *session)
{
	session_fail(session,
	             fail(SRDMA_ETIMEOUT, "%s did not answer in time: waited for %s",
	                  session->name, handshake_waiting_for(session->phase)));
}

static void timer_expired(struct timer *timer)
{
	struct srdma_session *session = container_of(timer, struct srdma_session, timer);

	if (session->failure)
		return;
	if (session->data.broken)
		data_broke_for_good(session);
	else if (session->phase == PHASE_CONNECT)
		dial_late(session);
	else if (session->phase == PHASE_OPEN)
		frames_probe(session);
	else if (closing_is_over(session))
		session_fail(session, fail(SRDMA_ECLOSED, "closed"));
	else
		late(session);
}

/*
 * Life
 */

static void init(struct srdma_session *session, struct srdma_worker *worker,
                 const struct srdma_handlers *handlers, void *user)
{
	static atomic_uint_fast64_t last_id;

	session->worker = worker;
	session->handlers = handlers ? handlers : &no_handlers;
	session->user = user;
	session->id = atomic_fetch_add(&last_id, 1) + 1;
	session->started_us = clock_us();
	session->timer.expired = timer_expired;
	session->expiry.expired = trust_timer_expired;
	list_init(&session->attention);
	list_init(&session->buffers);
	list_init(&session->grants);
	list_init(&session->remotes);
	list_init(&session->data.inbox);
	list_init(&session->data.held);
	list_init(&session->staged.requests);
	list_init(&session->handshake->cm_waiting);
	list_init(&session->handshake->stranger.node);
}

static int add_timers(struct srdma_session *session)
{
	int error = worker_add_timer(session->worker);

	if (error)
		return error;
	error = worker_add_timer(session->worker);
	if (error)
		worker_drop_timer(session->worker, &session->timer);
	return error;
}

int session_new(struct srdma_worker *worker, int fd,
                const struct srdma_handlers *handlers, void *user,
                struct srdma_session **out)
{
	struct srdma_session *session = calloc(1, sizeof(*session));
	struct handshake *handshake = calloc(1, sizeof(*handshake));
	int error;

	if (!session || !handshake) {
		error = fail(SRDMA_ENOMEM, "out of memory for a session");
		goto free;
	}
	session->handshake = handshake;
	handshake->session = session;
	session->client = fd < 0;
	session->socket = (struct source){ fd, socket_ready };
	init(session, worker, handlers, user);
	error = context_tls(worker->context, &handshake->tls);
	if (!error)
		error = add_timers(session);
	if (error)
		goto free;
	list_append(&worker->sessions, &session->node);
	worker->session_count++;
	worker->stats.sessions_started++;
	object_made(OBJECT_SESSION);
	*out = session;
	return 0;

free:
	if (handshake)
		SSL_CTX_free(handshake->tls);
	free(handshake);
	free(session);
	return error;
}

int session_admit(struct srdma_session *session)
{
	struct srdma_worker *worker = session->worker;

	if (worker->admitted >= worker->options.number[SRDMA_OPT_MAX_SESSIONS])
		return fail(SRDMA_ELIMIT,
		            "the limit of sessions is reached: try again later");
	worker->admitted++;
	session->admitted = true;
	return 0;
}

void session_needs_attention(struct srdma_session *session)
{
	if (!list_empty(&session->attention) || session->phase == PHASE_CLOSED)
		return;
	list_append(&session->worker->attention, &session->attention);
	worker_kick(session->worker);
}

void session_fail(struct srdma_session *session, int code)
{
	if (session->failure || session->phase == PHASE_CLOSED)
		return;
	session->failure = code;
	session->reason = strdup(srdma_detail());
	strangers_leave(session);
	if (session->has_control && session->phase > PHASE_TLS)
		frames_tell_failure(session, code, srdma_detail());
	session_needs_attention(session);
}

void session_attend(struct srdma_session *session)
{
	if (session->failure) {
		session_end(session);
		return;
	}
	if (session->more)
		frames_read(session);
	if (session->phase == PHASE_CLOSING)
		closing_advance(session);
	if (session->data.blocked && !session->failure && data_is_writable(session)) {
		session->data.blocked = false;
		if (session->handlers->on_writable)
			session->handlers->on_writable(session, session->user);
	}
	if (session->failure)
		session_end(session);
}

static void end_socket(struct srdma_session *session)
{
	int fd = session->socket.fd;

	if (session->has_control) {
		control_flush(&session->control);
		tls_close_notify(session->control.tls);
		control_clear(&session->control);
		session->has_control = false;
	}
	if (fd < 0)
		return;
	worker_unwatch(session->worker, &session->socket);
	session->socket.fd = -1;
	if (session->failure == SRDMA_ECROWDED)
		close(fd); /* nothing was said that could be lost */
	else
		linger_start(session->worker, fd);
}

static void call_closed(struct srdma_session *session)
{
	const char *reason = session->reason ? session->reason : "";

	log_debug("session#%llu: ended: %s", (unsigned long long)session->id, reason);
	if (session->handlers->on_closed)
		session->handlers->on_closed(session, session->failure, reason,
		                             session->user);
	else if (!session->client && !session->freed)
		srdma_session_free(session); /* nobody else has it */
}

static void bury(struct srdma_session *session)
{
	struct srdma_worker *worker = session->worker;

	data_free(session);
	memory_free(session);
	worker_drop_timer(worker, &session->timer);
	worker_drop_timer(worker, &session->expiry);
	list_remove(&session->node);
	worker->session_count--;
	worker->admitted -= session->admitted;
	list_append(&worker->dead, &session->node);
}

/* A session that is just ending, in whose callbacks we are, is buried when its end is
 * through. */
void session_discard(struct srdma_session *session)
{
	session->freed = true;
	session->handlers = &no_handlers;
	if (session->phase != PHASE_CLOSED) {
		srdma_session_abort(session, "aborted");
		session_end(session);
	} else if (session->ended) {
		bury(session);
	}
}

void session_end(struct srdma_session *session)
{
	if (session->phase == PHASE_CLOSED)
		return;
	if (!session->failure)
		session_fail(session, fail(SRDMA_ECLOSED, "the worker ended"));
	session->phase = PHASE_CLOSED;
	list_remove(&session->attention);
	timer_cancel(&session->worker->timers, &session->timer);
	timer_cancel(&session->worker->timers, &session->expiry);
	cm_release(session);
	if (session->endpoint)
		session->endpoint->transport->stop(session->endpoint);
	sealing_end(session);
	data_end(session);
	remote_free_all(session);
	memory_end(session);
	end_socket(session);
	handshake_free(session->handshake);
	session->handshake = NULL;
	session->worker->stats.sessions_failed += session->failure != SRDMA_ECLOSED;
	call_closed(session);
	session->ended = true;
	if (session->freed)
		bury(session);
}

void srdma_session_close(struct srdma_session *session)
{
	if (session->failure || session->phase == PHASE_CLOSED)
		return;
	if (session->phase < PHASE_OPEN)
		session_fail(session,
		             fail(SRDMA_ECLOSED, "closed before it was established"));
	else
		closing_begin(session);
}

void srdma_session_abort(struct srdma_session *session, const char *reason)
{
	session_fail(session, fail(SRDMA_ECLOSED, "%s", reason ? reason : "aborted"));
}

int srdma_session_reject(struct srdma_session *session, int code, const char *reason)
{
	if (code != SRDMA_EREFUSED && code != SRDMA_ECERT && code != SRDMA_ELIMIT)
		return fail(SRDMA_EINVAL, "%d is no reason to reject a peer", code);
	session_fail(session, fail(code, "%s", reason));
	return 0;
}

void srdma_session_free(struct srdma_session *session)
{
	struct srdma_worker *worker;
	bool outside;

	if (!session || session->freed)
		return;
	worker = session->worker;
	outside = !worker->running;
	if (worker->single && worker->running) {
		/* Its worker goes with it, and cannot go while it runs. */
		srdma_session_abort(session, "aborted");
		return;
	}
	worker->running = true; /* others' callbacks may come of it */
	session_discard(session);
	if (outside)
		worker_rest(worker);
	if (worker->single) {
		linger_finish(worker);
		srdma_worker_free(worker);
	}
}

void session_reap(struct srdma_session *session)
{
	list_remove(&session->node);
	if (session->endpoint)
		session->endpoint->transport->free(session->endpoint);
	identity_free(session->identity);
	free(session->reason);
	free(session);
	object_gone(OBJECT_SESSION);
}

int session_check_open(const struct srdma_session *session)
{
	if (session->failure)
		return fail(session->failure, "%s",
		            session->reason ? session->reason : "");
	if (session->phase == PHASE_OPEN && !session->data.broken)
		return 0;
	if (session->phase >= PHASE_OPEN)
		return fail(SRDMA_ECLOSED, "the session with %s is closing",
		            session->name);
	return fail(SRDMA_ESTATE, "the session with %s is not established yet",
	            session->name);
}

/*
 * Starting
 */

struct adoption {
	int fd;
	const struct srdma_handlers *handlers;
	void *user;
};

static int prepare_socket(int fd, struct sockaddr_storage *peer)
{
	socklen_t length = sizeof(*peer);
	int on = 1, flags = fcntl(fd, F_GETFL);

	memset(peer, 0, sizeof(*peer));
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    getpeername(fd, (struct sockaddr *)peer, &length))
		return fail(SRDMA_ESYSTEM, "cannot use a connection: %s",
		            errno_text(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

static void adopt(struct srdma_worker *worker, void *arg)
{
	struct adoption *adoption = arg;
	struct sockaddr_storage peer;
	struct srdma_session *session;

	strangers_make_room(worker);
	if (prepare_socket(adoption->fd, &peer) ||
	    session_new(worker, adoption->fd, adoption->handlers, adoption->user,
	                &session)) {
		log_warn("a connection was cut: %s", srdma_detail());
		close(adoption->fd);
	} else {
		session_set_name(session, &peer);
		strangers_join(session);
		handshake_begin(session);
	}
	free(adoption);
}

int srdma_worker_adopt(struct srdma_worker *worker, int socket,
                       const struct srdma_handlers *handlers, void *user)
{
	struct adoption *adoption = malloc(sizeof(*adoption));
	int error;

	if (!adoption)
		return fail(SRDMA_ENOMEM, "out of memory for a session");
	*adoption = (struct adoption){ socket, handlers, user };
	error = srdma_worker_call(worker, adopt, adoption);
	if (error)
		free(adoption);
	return error;
}

int srdma_connect(struct srdma_worker *worker, const char *host, const char *port,
                  const struct srdma_handlers *handlers, void *user,
                  struct srdma_session **out)
{
	struct srdma_session *session;
	int error;

	if (!host || !*host || !port || !*port)
		return fail(SRDMA_EINVAL, "no host or no port given");
	if (worker->admitted >= worker->options.number[SRDMA_OPT_MAX_SESSIONS])
		return fail(SRDMA_ELIMIT, "this worker has its %u sessions already",
		            worker->admitted);
	error = session_new(worker, -1, handlers, user, &session);
	if (error)
		return error;
	error = session_admit(session);
	if (!error)
		error = dial_start(session, host, port);
	if (error) {
		char sentence[512];

		snprintf(sentence, sizeof(sentence), "%s", srdma_detail());
		session->phase = PHASE_CLOSED;
		session->ended = true;
		handshake_free(session->handshake);
		session->handshake = NULL;
		session_discard(session);
		return fail(error, "%s", sentence);
	}
	*out = session;
	return 0;
}
