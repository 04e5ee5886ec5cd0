/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server in a thread of the test, which exports "data" from the directory share, and
 * clients that speak to it by messages of their own.
 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include <stdint.h>

#include "program/app.h"
#include "server/server.h"
#include "srdma.h"

#define MESSAGE  16384
#define PATIENCE 20000 /* ms */

extern struct server server;

/* Of cmocka; the second one finds that nothing is left over. */
int set_up(void **state);
int tear_down(void **state);

/* An established session, which is the caller's to free. */
struct srdma_session *dial(void);

int try_send(struct srdma_session *session, const struct app_message *message);
void say(struct srdma_session *session, const struct app_message *message);
void say_chunk(struct srdma_session *session, uint32_t id, uint64_t index,
               uint32_t length);

/* The next message; it points into a buffer that the next call uses again. */
struct app_message hear(struct srdma_session *session);
void expect_fail(struct srdma_session *session, uint32_t id, enum fault code);

/* It is cut: no message comes any more. Frees it. */
void expect_cut(struct srdma_session *session);

/* Somebody else is served. */
void check_served(void);
unsigned files_shared(void);

#endif
