// SPDX-License-Identifier: BSD-2-Clause
#include "victim.h"

#include <string.h>
#include <unistd.h>

#include "count.h"
#include "forge.h"
#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"
#include "session/memory.h"
#include "session/session.h"
#include "session/verbs_endpoint.h"

enum {
	RECEIVES = 32,
	RECEIVE_ROOM = 256,
	RECEIVE_PLACE = VICTIM_MEMORY,
	ANSWER_PLACE = VICTIM_MEMORY, /* of the peer, who receives nothing */
	ANSWER_ROOM = 256,
	ACK_TIMEOUT = 24, /* 69 s: what is held back fails no request before its time */
	CLOSE_MS = 300,   /* for what never comes */
	SERVED = 2,       /* the requests' ids */
	ASKED = 3,
};

static uint8_t granted[VICTIM_MEMORY], answered[ANSWER_ROOM];

static void post_receive(struct victim *victim)
{
	rc_recv(&victim->pair.b, 1, RECEIVE_PLACE, RECEIVE_ROOM);
}

static void open_pair(struct victim *victim)
{
	struct rc_pair *pair = &victim->pair;
	struct rc_config patient = rc_default;

	patient.timeout = ACK_TIMEOUT;
	rc_open(&pair->a, &patient);
	rc_open(&pair->b, &rc_default);
	pair->a.self.psn = pair->b.self.psn = 0;
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
	for (int i = 0; i < RECEIVES; i++)
		post_receive(victim);
	victim->memory = pair->b.buffer;
	victim->va = (uintptr_t)victim->memory;
	victim->rkey = pair->b.mr->rkey;
	victim->answer = pair->a.buffer + ANSWER_PLACE;
}

static struct ibv_qp *qp_of(const struct victim *victim)
{
	if (victim->kind == UNPROTECTED)
		return victim->pair.b.qp;
	return to_verbs(victim->duo.server.session->endpoint)->qp;
}

uint32_t victim_qpn(const struct victim *victim)
{
	return qp_of(victim)->qp_num;
}

static struct ibv_qp *peer_qp_of(const struct victim *victim)
{
	if (victim->kind == UNPROTECTED)
		return victim->pair.a.qp;
	return to_verbs(victim->duo.client.session->endpoint)->qp;
}

uint32_t victim_peer_qpn(const struct victim *victim)
{
	return peer_qp_of(victim)->qp_num;
}

uint64_t victim_put_off(void)
{
	static const char *const names[] = { "rcvd_seq_err", "rcvd_rnr_err", NULL };

	return counted(names);
}

uint32_t victim_psn(const struct victim *victim)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(qp_of(victim), &attr, IBV_QP_RQ_PSN, &init), 0);
	return attr.rq_psn;
}

/* In clear, the key is in each WRITE of the peer's for all to see. Where it is never on
 * the wire, the attacker is given the one of the same memory. */
static void see_key(struct victim *victim)
{
	static struct tapped tapped;
	struct duo *duo = &victim->duo;
	int tap;

	if (victim->kind != SECRET_PSN) {
		victim->rkey = ((struct ibv_mr *)victim->buffer->region.handle)->rkey;
		return;
	}
	tap = tap_open();
	CHECK_CALL(tap);
	CHECK_SRDMA(srdma_write(duo->client.session, victim->own, 0, duo->client.remote,
	                        0, 1, victim));
	DUO_UNTIL(duo, duo->client.completions == 1);
	CHECK(tap_next(tap, RC_WRITE_ONLY, victim_qpn(victim), &tapped));
	close(tap);
	victim->rkey = tapped.packet.rkey;
	victim->va = tapped.packet.va;
}

static void open_session(struct victim *victim)
{
	struct duo *duo = &victim->duo;
	struct srdma_grant *grant;

	duo_protection = victim->kind == SEALED ? 0 : SRDMA_PROTECTION_NONE;
	duo_packets =
	        victim->kind == PROTECTED ? SRDMA_PACKETS_REQUIRED : SRDMA_PACKETS_OFF;
	duo_open(duo);
	CHECK_SRDMA(srdma_context_set_number(duo->client.context, SRDMA_OPT_ACK_TIMEOUT,
	                                     ACK_TIMEOUT));
	CHECK_SRDMA(srdma_context_set_number(duo->client.context, SRDMA_OPT_CLOSE_TIMEOUT,
	                                     CLOSE_MS));
	duo_start(duo);
	duo_connect(duo);
	memset(granted, 0, sizeof(granted));
	CHECK_SRDMA(srdma_buffer_register(duo->server.session, granted, sizeof(granted),
	                                  &victim->buffer));
	CHECK_SRDMA(srdma_grant(duo->server.session, victim->buffer, 0, sizeof(granted),
	                        SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE, 1, &grant));
	memset(answered, 0, sizeof(answered));
	CHECK_SRDMA(srdma_buffer_register(duo->client.session, answered, sizeof(answered),
	                                  &victim->own));
	DUO_UNTIL(duo, duo->client.grants == 1);
	victim->answer = answered;
	victim->memory = granted;
	victim->va = (uintptr_t)granted;
	see_key(victim);
}

void victim_open(struct victim *victim, enum victim_kind kind)
{
	memset(victim, 0, sizeof(*victim));
	victim->kind = kind;
	if (kind == UNPROTECTED)
		open_pair(victim);
	else
		open_session(victim);
	victim_serve(victim, "a message from the peer");
	victim->put_off = victim_put_off();
}

void victim_close(struct victim *victim)
{
	if (victim->kind == UNPROTECTED)
		rc_pair_close(&victim->pair);
	else
		duo_close(&victim->duo);
}

static void pair_asks(struct victim *victim, enum ibv_wr_opcode asked, uint64_t id,
                      uint32_t length)
{
	rc_do(&victim->pair.a,
	      &(struct rc_op){ .opcode = asked,
	                       .id = id,
	                       .flags = IBV_SEND_SIGNALED,
	                       .offset = asked == IBV_WR_RDMA_READ ? ANSWER_PLACE : 0,
	                       .length = length });
}

static void session_asks(struct victim *victim, enum ibv_wr_opcode asked, uint32_t length)
{
	struct duo_end *peer = &victim->duo.client;

	if (asked == IBV_WR_RDMA_READ)
		CHECK_SRDMA(srdma_read(peer->session, victim->own, 0, peer->remote, 0,
		                       length, victim));
	else
		CHECK_SRDMA(srdma_send(peer->session, granted, length, victim));
}

/* Its acknowledgement, too, has come. */
void victim_serve(struct victim *victim, const char *text)
{
	struct rc_end *peer = &victim->pair.a;
	unsigned before = victim->received, completed = victim->duo.client.completions;
	uint64_t end = deadline_in(PATIENCE_MS);
	bool done = victim->kind == UNPROTECTED;

	if (victim->kind == UNPROTECTED) {
		memcpy(peer->buffer, text, strlen(text));
		pair_asks(victim, IBV_WR_SEND, SERVED, (uint32_t)strlen(text));
		rc_sent(peer, SERVED);
	} else {
		CHECK_SRDMA(srdma_send(victim->duo.client.session, text, strlen(text),
		                       victim));
	}
	while ((victim->received == before || !done) && !victim->broken) {
		CHECK(!deadline_passed(end));
		victim_look(victim);
		done |= victim->duo.client.completions > completed;
	}
}

/* What the peer sends once it is, the wire shows: a message is one packet, and a sealed
 * session asks by message for what it reads. */
static uint8_t opcode_on_wire(const struct victim *victim, enum ibv_wr_opcode asked)
{
	if (victim->kind == UNPROTECTED)
		return asked == IBV_WR_RDMA_READ ? RC_READ_REQUEST : RC_SEND_ONLY;
	if (victim->kind != SEALED && asked == IBV_WR_RDMA_READ)
		return RC_READ_REQUEST;
	return RC_SEND_ONLY_IMM;
}

/* A queue pair in RESET drops what comes, and says nothing (IBA 9.6.1.1.2). */
static void hold_back(struct victim *victim)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RESET };

	CHECK_EQ(ibv_modify_qp(qp_of(victim), &attr, IBV_QP_STATE), 0);
}

uint32_t victim_ask(struct victim *victim, enum ibv_wr_opcode asked, uint32_t length)
{
	static struct tapped tapped;
	uint8_t opcode = opcode_on_wire(victim, asked);
	int tap = tap_open();

	CHECK_CALL(tap);
	hold_back(victim);
	if (victim->kind == UNPROTECTED)
		pair_asks(victim, asked, ASKED, length);
	else
		session_asks(victim, asked, length);
	victim_look(victim);
	CHECK(tap_next(tap, opcode, victim_qpn(victim), &tapped));
	close(tap);
	return tapped.packet.psn;
}

void victim_finish(struct victim *victim)
{
	struct duo *duo = &victim->duo;

	if (victim->kind == UNPROTECTED)
		return;
	srdma_session_close(duo->client.session);
	DUO_UNTIL(duo, duo->server.closed && duo->client.closed);
	victim->broken =
	        duo->server.code != SRDMA_ECLOSED && duo->client.code != SRDMA_ECLOSED;
}

static void look_at_pair(struct victim *victim)
{
	struct rc_end *end = &victim->pair.b;
	struct ibv_wc wc;

	while (ibv_poll_cq(end->recv_cq, 1, &wc) == 1) {
		if (wc.status != IBV_WC_SUCCESS)
			continue;
		victim->received++;
		post_receive(victim);
	}
	while (ibv_poll_cq(victim->pair.a.send_cq, 1, &wc) == 1)
		victim->completed += wc.status == IBV_WC_SUCCESS;
	victim->broken =
	        rc_state(end) == IBV_QPS_ERR || rc_state(&victim->pair.a) == IBV_QPS_ERR;
}

void victim_look(struct victim *victim)
{
	struct duo *duo = &victim->duo;

	if (victim->kind == UNPROTECTED) {
		look_at_pair(victim);
		return;
	}
	duo_turn(duo);
	victim->received = duo->server.messages;
	victim->completed = duo->client.completions - duo->client.failures;
	victim->broken = duo->server.closed || duo->client.closed;
}

const char *victim_end(const struct victim *victim)
{
	if (!victim->broken)
		return "";
	if (victim->kind == UNPROTECTED)
		return "queue pair in error";
	return victim->duo.server.closed ? victim->duo.server.reason
	                                 : victim->duo.client.reason;
}
