/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/strangers.h"

#include "common/clock.h"
#include "common/log.h"
#include "session/error.h"
#include "session/session.h"

#define HEARINGS 8         /* for one newcomer: so many that came further are spared */
#define LINE_US  10000000u /* at most one line in that time */

void strangers_init(struct strangers *strangers)
{
	*strangers = (struct strangers){ 0 };
	list_init(&strangers->silent);
	list_init(&strangers->answered);
}

unsigned strangers_count(const struct strangers *strangers)
{
	return strangers->silent_count + strangers->answered_count;
}

void strangers_join(struct srdma_session *session)
{
	struct strangers *strangers = &session->worker->strangers;

	list_append(&strangers->silent, &session->handshake->stranger.node);
	strangers->silent_count++;
}

void strangers_leave(struct srdma_session *session)
{
	struct strangers *strangers = &session->worker->strangers;
	struct stranger_place *stranger;

	if (!session->handshake || list_empty(&session->handshake->stranger.node))
		return;
	stranger = &session->handshake->stranger;
	list_remove(&stranger->node);
	if (stranger->answered)
		strangers->answered_count--;
	else
		strangers->silent_count--;
}

void strangers_answered(struct srdma_session *session)
{
	struct strangers *strangers = &session->worker->strangers;
	struct stranger_place *stranger = &session->handshake->stranger;

	if (stranger->answered || list_empty(&stranger->node))
		return;
	strangers_leave(session);
	stranger->answered = true;
	list_append(&strangers->answered, &stranger->node);
	strangers->answered_count++;
}

/* With the newcomer, who is silent so far. */
static struct srdma_session *next_to_go(const struct strangers *strangers, uint64_t most)
{
	bool silent = !list_empty(&strangers->silent) &&
	              (strangers->silent_count + 1 > most / 2 ||
	               list_empty(&strangers->answered));
	struct list *node = silent ? strangers->silent.next : strangers->answered.next;

	return container_of(node, struct handshake, stranger.node)->session;
}

static void tell(struct strangers *strangers, uint64_t most)
{
	uint64_t now = clock_us();

	if (strangers->line_at && now - strangers->line_at < LINE_US)
		return;
	log_warn("%llu connections had to give way to newer ones: %llu whose peers have "
	         "not proved who they are is the limit of handshakes",
	         (unsigned long long)(strangers->closed - strangers->told),
	         (unsigned long long)most);
	strangers->told = strangers->closed;
	strangers->line_at = now;
}

static void close_one(struct srdma_session *session, uint64_t most)
{
	struct strangers *strangers = &session->worker->strangers;

	session_fail(session,
	             fail(SRDMA_ECROWDED,
	                  "%s gave way to a newer connection before it proved who it is",
	                  session->name));
	strangers->closed++;
	tell(strangers, most);
}

void strangers_make_room(struct srdma_worker *worker)
{
	uint64_t most = worker->options.number[SRDMA_OPT_MAX_HANDSHAKES];
	struct strangers *strangers = &worker->strangers;

	for (int heard = 0; strangers_count(strangers) >= most; heard++) {
		struct srdma_session *session = next_to_go(strangers, most);

		if (heard < HEARINGS) {
			handshake_advance_tls(session);
			if (strangers_count(strangers) < most ||
			    next_to_go(strangers, most) != session)
				continue;
		}
		close_one(session, most);
	}
}
