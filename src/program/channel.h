/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One session as both programs use it: messages that wait for credit, and the transfers
 * under way. Embedded in what the program keeps for each session; used in the thread of
 * the session's worker, from whose handlers it is told what happened.
 */
#ifndef PROGRAM_CHANNEL_H
#define PROGRAM_CHANNEL_H

#include <stdbool.h>

#include "common/list.h"
#include "program/app.h"
#include "program/budget.h"
#include "program/fault.h"
#include "program/jobs.h"
#include "srdma.h"

struct channel {
	struct srdma_session *session; /* NULL once it is closed */
	struct jobs *pool;
	struct budget *budget; /* NULL: the transfers' memory is not limited */
	bool sync;             /* received files go to the disk before they are named */
	struct list outbox;
	struct list transfers;
	unsigned transfer_count;
};

/* What completes: given as the `op` of each operation. */
struct channel_op {
	void (*done)(struct channel_op *op, const struct srdma_completion *completion);
};

/* `channel` is zeroed, or holds its settings. */
void channel_init(struct channel *channel, struct srdma_session *session,
                  struct jobs *pool);

/*
 * Send, now or as soon as there is credit. A fault means that the session is of no
 * further use, or that the message is longer than the peer takes.
 */
int channel_send(struct channel *channel, const struct app_message *message);
int channel_send_fail(struct channel *channel, uint32_t id, int code, const char *text);

/* Whether messages wait: who answers requests waits too, and so bounds the number. */
bool channel_is_blocked(const struct channel *channel);

/* To be called from the handlers of the same name. */
void channel_on_complete(const struct srdma_completion *completion);
void channel_on_writable(struct channel *channel);
void channel_on_grant(struct channel *channel);
void channel_on_revoke(struct channel *channel, struct srdma_remote *remote);
void channel_on_released(struct channel *channel, uint64_t tag);

/* Ends all transfers with this fault; the session must not be used from then on. */
void channel_on_closed(struct channel *channel, int code, const char *text);

/*
 * A message of a transfer under way: *taken says whether it was one. -FAULT_PROTOCOL: the
 * peer breaks the rules, the session has to be cut.
 */
int channel_on_message(struct channel *channel, const struct app_message *message,
                       bool *taken);

#endif
