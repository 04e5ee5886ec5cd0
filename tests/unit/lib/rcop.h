/* SPDX-License-Identifier: BSD-2-Clause */
/* Work requests and completions on the ends of rc.h. */
#ifndef TESTS_RCOP_H
#define TESTS_RCOP_H

#include "rc.h"

/* One request on the end's own buffer, or on a list of SGEs. */
struct rc_op {
	enum ibv_wr_opcode opcode;
	uint64_t id;
	unsigned int flags; /* IBV_SEND_*: without IBV_SEND_SIGNALED nothing completes */
	size_t offset;
	uint32_t length;
	const struct ibv_sge *sges; /* in place of offset and length */
	int sge_count;
	uint64_t remote; /* bytes from the start of the peer's buffer */
	uint32_t rkey;   /* 0: that of the peer's buffer */
	uint32_t srqn;   /* XRC */
	uint32_t imm;    /* in the host's byte order */
	uint64_t compare_add, swap;
};

/* Answers what posting answered: 0 or an errno. */
int rc_post(struct rc_end *end, const struct rc_op *op);
int rc_post_recv(struct rc_end *end, uint64_t id, size_t offset, uint32_t length);
int rc_post_recv_sges(struct rc_end *end, uint64_t id, struct ibv_sge *sges, int count);

/* The same, and it has to be accepted. */
void rc_do(struct rc_end *end, const struct rc_op *op);
void rc_recv(struct rc_end *end, uint64_t id, size_t offset, uint32_t length);

struct ibv_sge rc_sge(const struct rc_end *end, size_t offset, uint32_t length);

/* Waits for the next completion; answers it. */
struct ibv_wc rc_next(struct ibv_cq *cq);
struct ibv_wc rc_expect(struct ibv_cq *cq, uint64_t id, enum ibv_wc_status status);
struct ibv_wc rc_sent(struct rc_end *end, uint64_t id);
struct ibv_wc rc_received(struct rc_end *end, uint64_t id);

/* There is nothing in the queue now, nor will be within that time. */
void rc_expect_nothing(struct ibv_cq *cq, unsigned int milliseconds);

/* Fills with bytes that depend on the seed and on the place; and the check of them. */
void rc_fill(uint8_t *bytes, size_t size, unsigned int seed);
void rc_expect_filled(const uint8_t *bytes, size_t size, unsigned int seed);
/* Within a time: of a WRITE that nobody acknowledges. */
void rc_await_filled(const uint8_t *bytes, size_t size, unsigned int seed);
void rc_expect_only(const uint8_t *bytes, size_t size, uint8_t value);

#endif
