// SPDX-License-Identifier: BSD-2-Clause
/*
 * The connection's state machine with a carrier that loses, repeats, refuses and keeps
 * back what a test names, and with messages that nobody sent.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cm/conn.h"
#include "cm/far.h"
#include "cm/id.h"
#include "cm/send.h"
#include "host/random.h"
#include "lib/check.h"
#include "lib/connection.h"
#include "lib/deadline.h"

enum { TIMEOUT_MS = 100, RETRIES = 4, ALWAYS = 1 << 20 };

/* All under the connection manager's lock, as sending is. */
static struct {
	int (*real)(const struct far *to, const struct mad *message);
	unsigned int sent[MAD_KINDS];
	unsigned int lose[MAD_KINDS];   /* so many of the next ones */
	unsigned int refuse[MAD_KINDS]; /* with -EAGAIN */
	unsigned int twice[MAD_KINDS];
	struct mad last[MAD_KINDS];
} carrier;

static int carry(const struct far *to, const struct mad *message)
{
	unsigned int kind = message->kind;

	carrier.sent[kind]++;
	carrier.last[kind] = *message;
	if (carrier.refuse[kind]) {
		carrier.refuse[kind]--;
		return -EAGAIN;
	}
	if (carrier.lose[kind]) {
		carrier.lose[kind]--;
		return 0;
	}
	if (carrier.twice[kind])
		carrier.real(to, message);
	return carrier.real(to, message);
}

static void start_with(struct cn_pair *pair, unsigned int timeout_ms,
                       unsigned int retries)
{
	cn_set_patience(timeout_ms, retries);
	carrier.real = message_carrier;
	message_carrier = carry;
	cn_pair_open(pair);
}

static void start(struct cn_pair *pair)
{
	start_with(pair, TIMEOUT_MS, RETRIES);
}

static void set(unsigned int *what, unsigned int value)
{
	cm_enter();
	*what = value;
	cm_leave();
}

static unsigned int sent(enum mad_kind kind)
{
	unsigned int count;

	cm_enter();
	count = carrier.sent[kind];
	cm_leave();
	return count;
}

static struct mad last(enum mad_kind kind)
{
	struct mad message;

	cm_enter();
	message = carrier.last[kind];
	cm_leave();
	return message;
}

static enum conn_state state_of(struct rdma_cm_id *id)
{
	enum conn_state state;

	cm_enter();
	state = to_cm_id(id)->conn.state;
	cm_leave();
	return state;
}

/* As the engine would, from the peer that a message of this process names. */
static void receive(const struct mad *message)
{
	const struct far from = far_of_peer(peer_self());

	message_receive(&from, message);
}

/* Events of a whole connection, each once, whatever happens to its messages. */
static void connect_and_disconnect(struct cn_pair *pair)
{
	cn_pair_connect(pair);
	CHECK_CALL(rdma_disconnect(pair->client));
	CHECK(cn_expect(pair->server_channel, RDMA_CM_EVENT_DISCONNECTED, 0) ==
	      pair->server);
	CHECK_CALL(rdma_disconnect(pair->server));
	CHECK(cn_expect(pair->client_channel, RDMA_CM_EVENT_DISCONNECTED, 0) ==
	      pair->client);
	cn_expect(pair->client_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_expect(pair->server_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_expect_none(pair->client_channel);
	cn_expect_none(pair->server_channel);
}

/* --- lost, repeated, refused -----------------------------------------------------------
 */

static const enum mad_kind kinds[] = {
	MAD_REQ, MAD_REP, MAD_RTU, MAD_DREQ, MAD_DREP,
};

/* argument: which. What has no answer comes again when what it answers does. */
static void lost_body(struct side *side)
{
	enum mad_kind kind = *(const enum mad_kind *)side->argument;
	struct cn_pair pair;

	start(&pair);
	set(&carrier.lose[kind], 2);
	connect_and_disconnect(&pair);
	CHECK(sent(kind) >= 3);
	cn_pair_close(&pair);
}

static void each_kind_lost(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		alone_run(lost_body, &kinds[i]);
}

static void repeated_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	for (unsigned int i = 0; i < MAD_KINDS; i++)
		set(&carrier.twice[i], 1);
	connect_and_disconnect(&pair);
	cn_pair_close(&pair);
}

ALONE(repeated)

/* A peer that takes nothing at the moment costs none of the tries. */
static void refused_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	set(&carrier.refuse[MAD_REQ], 3 * RETRIES);
	set(&carrier.refuse[MAD_REP], 2);
	set(&carrier.refuse[MAD_DREQ], 3 * RETRIES);
	connect_and_disconnect(&pair);
	CHECK(sent(MAD_REQ) > 3 * RETRIES);
	cn_pair_close(&pair);
}

ALONE(refused)

/* What gets no answer is kept until the peer takes it: nobody has to ask for it again,
 * which here would take longer than the test may. */
static void refused_one_way_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start_with(&pair, 600000, 1);
	set(&carrier.refuse[MAD_RTU], 3);
	set(&carrier.refuse[MAD_DREP], 3);
	cn_pair_connect(&pair);
	CHECK_CALL(rdma_disconnect(pair.client));
	CHECK(cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0) ==
	      pair.server);
	CHECK_CALL(rdma_disconnect(pair.server));
	CHECK(cn_expect(pair.client_channel, RDMA_CM_EVENT_DISCONNECTED, 0) ==
	      pair.client);
	CHECK_EQ(sent(MAD_RTU), 1 + 3);
	CHECK_EQ(sent(MAD_REP), 1);
	CHECK_EQ(sent(MAD_DREP), 1 + 3);
	CHECK_EQ(sent(MAD_DREQ), 1);
	cn_pair_close(&pair);
}

ALONE(refused_one_way)

static void request_never_answered_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	set(&carrier.lose[MAD_REQ], ALWAYS);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT);
	CHECK_EQ(sent(MAD_REQ), 1 + RETRIES);
	cn_expect_none(pair.server_channel);
	cn_pair_close(&pair);
}

ALONE(request_never_answered)

/* The client is told by a REJ that the server has given up. It asked for patience, but
 * that was lost. */
static void response_never_answered_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	set(&carrier.lose[MAD_MRA], ALWAYS);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_CONNECT_RESPONSE, 0);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT);
	CHECK_EQ(sent(MAD_REP), 1 + RETRIES);
	CHECK_EQ(sent(MAD_MRA), RETRIES);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_REJECTED, REJECT_TIMEOUT);
	CHECK_FAILS(rdma_establish(pair.client), EINVAL);
	cn_pair_close(&pair);
}

ALONE(response_never_answered)

static void disconnect_never_answered_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	cn_pair_connect(&pair);
	set(&carrier.lose[MAD_DREQ], ALWAYS);
	CHECK_CALL(rdma_disconnect(pair.client));
	cn_expect(pair.client_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	CHECK_EQ(sent(MAD_DREQ), 1 + RETRIES);
	CHECK_EQ(state_of(pair.client), CONN_TIMEWAIT);
	cn_expect_none(pair.server_channel);
	cn_pair_close(&pair);
}

ALONE(disconnect_never_answered)

/* The client sent no RTU that came, but data did: the program says so. */
static void data_before_rtu_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	start(&pair);
	set(&carrier.lose[MAD_RTU], ALWAYS);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_create_qp(pair.client);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_create_qp(pair.server);
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	CHECK_CALL(rdma_notify(pair.server, IBV_EVENT_COMM_EST));
	cn_expect(pair.server_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	CHECK_FAILS(rdma_notify(pair.server, IBV_EVENT_COMM_EST), EISCONN);
	cn_pair_close(&pair);
}

ALONE(data_before_rtu)

/* Both ask to disconnect before either is asked. */
static void crossing_body(struct side *side)
{
	struct mad dreq;
	struct cn_pair pair;

	(void)side;
	start(&pair);
	cn_pair_connect(&pair);
	set(&carrier.lose[MAD_DREQ], 1);
	CHECK_CALL(rdma_disconnect(pair.client));
	dreq = last(MAD_DREQ);
	CHECK_CALL(rdma_disconnect(pair.server));
	receive(&dreq);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_expect_none(pair.client_channel);
	cn_expect_none(pair.server_channel);
	cn_pair_close(&pair);
}

ALONE(crossing)

/* --- late, forged, and senseless -------------------------------------------------------
 */

static void late_messages_body(struct side *side)
{
	struct mad req, rep, dreq;
	unsigned int before;
	struct cn_pair pair;

	(void)side;
	start(&pair);
	cn_pair_connect(&pair);
	req = last(MAD_REQ);
	rep = last(MAD_REP);
	/* A REP that is repeated is answered by another RTU, a REQ by nothing. */
	before = sent(MAD_RTU);
	receive(&rep);
	CHECK_EQ(sent(MAD_RTU), before + 1);
	receive(&req);
	cn_expect_none(pair.client_channel);
	cn_expect_none(pair.server_channel);
	CHECK_CALL(rdma_disconnect(pair.client));
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	CHECK_CALL(rdma_disconnect(pair.server));
	cn_expect(pair.client_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	/* In time-wait the old request is stale (IBA 12.9.8.3.1). */
	CHECK_EQ(state_of(pair.server), CONN_TIMEWAIT);
	receive(&req);
	CHECK_EQ(last(MAD_REJ).rej.reason, REJECT_STALE_CONNECTION);
	dreq = last(MAD_DREQ);
	before = sent(MAD_DREP);
	receive(&dreq);
	CHECK_EQ(sent(MAD_DREP), before + 1);
	cn_destroy(pair.client);
	cn_destroy(pair.server);
	/* Nobody has these ids any more. */
	receive(&rep);
	CHECK_EQ(last(MAD_REJ).rej.reason, REJECT_INVALID_COMM_ID);
	CHECK_EQ(last(MAD_REJ).remote_id, rep.local_id);
	receive(&dreq);
	CHECK_EQ(sent(MAD_DREP), before + 2);
	pair.client = pair.server = NULL;
	cn_pair_close(&pair);
}

ALONE(late_messages)

/* Whoever does not know both ids, the QP number and the sender's place changes nothing.
 */
static void forged_body(struct side *side)
{
	struct mad dreq, rtu, forged;
	struct cn_pair pair;
	struct far from;

	(void)side;
	start(&pair);
	cn_pair_connect(&pair);
	rtu = last(MAD_RTU);
	dreq = rtu;
	dreq.kind = MAD_DREQ;
	dreq.dreq.qpn = pair.server->qp->qp_num;
	forged = dreq;
	forged.dreq.qpn ^= 1;
	receive(&forged);
	forged = dreq;
	forged.local_id ^= 1;
	receive(&forged);
	forged = dreq;
	forged.remote_id ^= 1;
	receive(&forged);
	from = far_of_peer(peer_self());
	from.generation ^= 1;
	message_receive(&from, &dreq);
	from.peer = NULL;
	message_receive(&from, &dreq);
	from = (struct far){ .carrier = &carrier_mads };
	message_receive(&from, &rtu);
	inbox_receive(peer_self(), &dreq, sizeof(dreq) - 1);
	CHECK_EQ(state_of(pair.server), CONN_ESTABLISHED);
	cn_expect_none(pair.server_channel);
	receive(&dreq);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_pair_close(&pair);
}

ALONE(forged)

static void expect_dropped(const struct mad *req, struct cn_pair *pair)
{
	unsigned int before = sent(MAD_REJ);

	receive(req);
	CHECK_EQ(sent(MAD_REJ), before);
	cn_expect_none(pair->server_channel);
}

static void senseless_requests_body(struct side *side)
{
	struct mad req, bad;
	struct cn_pair pair;

	(void)side;
	start(&pair);
	set(&carrier.lose[MAD_REQ], ALWAYS);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	req = last(MAD_REQ);
	bad = req, bad.local_id = 0;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.qpn = 1 << 24;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.psn = 1 << 24;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.retry_count = 8;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.rnr_retry_count = 8;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.primary.ack_timeout = 32;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.path_mtu = 0;
	expect_dropped(&bad, &pair);
	bad = req, bad.req.route.ip_version = 5;
	expect_dropped(&bad, &pair);
	/* For a port where nobody listens, or another port space. */
	bad = req, bad.req.route.service_id ^= 1;
	receive(&bad);
	CHECK_EQ(last(MAD_REJ).rej.reason, REJECT_INVALID_SERVICE_ID);
	bad = req, bad.req.route.service_id ^= 1ULL << 63;
	bad.local_id ^= 1;
	receive(&bad);
	CHECK_EQ(last(MAD_REJ).rej.reason, REJECT_INVALID_SERVICE_ID);
	cn_pair_close(&pair);
}

ALONE(senseless_requests)

/* Bytes at random, and bytes at random within messages that were sent. */
static void scramble(struct mad *message, unsigned int changes)
{
	uint8_t *bytes = (uint8_t *)message;

	while (changes--)
		bytes[random_u32() % sizeof(*message)] ^=
		        (uint8_t)(1u << random_u32() % 8);
}

static void discard_events(struct rdma_event_channel *channel)
{
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;

	while (poll(&ready, 1, 0) == 1) {
		enum rdma_cm_event_type type;
		struct rdma_cm_id *id;

		CHECK_CALL(rdma_get_cm_event(channel, &event));
		type = event->event;
		id = event->id;
		CHECK_CALL(rdma_ack_cm_event(event));
		if (type == RDMA_CM_EVENT_CONNECT_REQUEST)
			CHECK_CALL(rdma_destroy_id(id));
	}
}

static void at_random_body(struct side *side)
{
	enum { COUNT = 20000 };
	struct mad message;
	struct cn_pair pair;

	(void)side;
	/* Nothing is sent again: it would come in the next round. */
	start_with(&pair, 600000, RETRIES);
	for (unsigned int i = 0; i < COUNT; i++) {
		if (i % 500 == 0) {
			if (pair.client) {
				cn_destroy(pair.client);
				cn_destroy(pair.server);
			}
			discard_events(pair.server_channel);
			discard_events(pair.client_channel);
			cn_pair_connect(&pair);
		}
		message = last(random_u32() % MAD_KINDS);
		scramble(&message, random_u32() % 4);
		message.kind %= MAD_KINDS;
		receive(&message);
	}
	cn_pair_close(&pair);
}

ALONE(at_random)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_lost),
		cmocka_unit_test(repeated),
		cmocka_unit_test(refused),
		cmocka_unit_test(refused_one_way),
		cmocka_unit_test(request_never_answered),
		cmocka_unit_test(response_never_answered),
		cmocka_unit_test(disconnect_never_answered),
		cmocka_unit_test(data_before_rtu),
		cmocka_unit_test(crossing),
		cmocka_unit_test(late_messages),
		cmocka_unit_test(forged),
		cmocka_unit_test(senseless_requests),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
