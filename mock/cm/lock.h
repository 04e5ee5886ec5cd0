/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection manager's lock: it guards the state of all ids, connections and channels
 * of this process. It is taken before any lock of the host, and never held while waiting
 * for something else than cm_wait() does, while a queue pair is changed, or while a
 * program's memory is read or written. Between cm_enter() and cm_leave() nothing is a
 * cancellation point: a thread cancelled there would keep the lock for ever.
 */
#ifndef MOCK_CM_LOCK_H
#define MOCK_CM_LOCK_H

#include <pthread.h>
#include <stdbool.h>

void cm_enter(void);
void cm_leave(void);
/* For a thread that exits, which may hold any lock: false when it does not get it soon.
 */
bool cm_enter_at_exit(void);
/* Waits without the lock. */
void cm_wait(pthread_cond_t *cond);

#endif
