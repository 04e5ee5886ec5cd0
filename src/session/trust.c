/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions whose peer was trusted once: until its certificate ends, or files change. */
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "session/error.h"
#include "session/session.h"

#define LOOK_SECONDS 60 /* the clock may be set meanwhile */
#define AT_ONCE      32 /* certificates verified before others get their turn */

static void set_expiry(struct srdma_session *session)
{
	int64_t left = session->expires - time(NULL);

	left = left < 0 ? 0 : left > LOOK_SECONDS ? LOOK_SECONDS : left;
	/* RFC 5280 4.1.2.5: valid through that second. */
	worker_set_timer(session->worker, &session->expiry,
	                 ((uint64_t)left * 1000 + 100) * 1000);
}

void trust_timer_expired(struct timer *timer)
{
	struct srdma_session *session = container_of(timer, struct srdma_session, expiry);

	if (session->failure)
		return;
	if (time(NULL) <= session->expires)
		set_expiry(session);
	else
		session_fail(session,
		             fail(SRDMA_ECERT,
		                  "the certificate of %s has expired: it must be renewed",
		                  session->name));
}

int trust_begin(struct srdma_session *session)
{
	SSL_CTX *now;
	int error = context_tls(session->worker->context, &now);

	if (error)
		return error;
	/* Files were read while the handshake was under way. */
	if (now != session->handshake->tls)
		error = tls_recheck(session->control.tls, now);
	SSL_CTX_free(now);
	if (error)
		return error;
	session->expires = tls_expires(session->control.tls);
	set_expiry(session);
	return 0;
}

/*
 * Each session once, in turns: those at the head of the list were not looked at yet, the
 * others go to its tail. Those that end or begin meanwhile do not change that.
 */
struct recheck {
	SSL_CTX *config;
	unsigned left;
};

static void look_at(struct srdma_session *session, SSL_CTX *config)
{
	int error;

	list_remove(&session->node);
	list_append(&session->worker->sessions, &session->node);
	if (!session->has_control || session->failure)
		return;
	error = tls_recheck(session->control.tls, config);
	if (error)
		session_fail(session, error);
}

static void recheck_some(struct srdma_worker *worker, void *arg)
{
	struct recheck *recheck = arg;

	for (unsigned i = 0;
	     i < AT_ONCE && recheck->left && !list_empty(&worker->sessions); i++) {
		look_at(container_of(worker->sessions.next, struct srdma_session, node),
		        recheck->config);
		recheck->left--;
	}
	if (recheck->left && !list_empty(&worker->sessions)) {
		if (!srdma_worker_call(worker, recheck_some, recheck))
			return;
		log_error("%u certificates are not verified anew: %s", recheck->left,
		          srdma_detail());
	}
	SSL_CTX_free(recheck->config);
	free(recheck);
}

static void start_recheck(struct srdma_worker *worker, void *arg)
{
	struct recheck *recheck = arg;

	recheck->left = worker->session_count;
	recheck_some(worker, recheck);
}

int srdma_worker_recheck(struct srdma_worker *worker)
{
	struct recheck *recheck = calloc(1, sizeof(*recheck));
	int error;

	if (!recheck)
		return fail(SRDMA_ENOMEM, "out of memory to look at certificates again");
	error = context_tls(worker->context, &recheck->config);
	if (!error)
		error = srdma_worker_call(worker, start_recheck, recheck);
	if (error) {
		SSL_CTX_free(recheck->config);
		free(recheck);
	}
	return error;
}
