// SPDX-License-Identifier: BSD-2-Clause
/*
 * The connection manager over a network that loses, repeats and reorders, in time that
 * passes only when nothing else is left to do. Both ends are in this process; all that
 * they know of each other are the MADs. Whatever happens to those, both ends come to the
 * same end, each event comes once, and a seed that fails fails again.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cm/conn.h"
#include "cm/far.h"
#include "cm/id.h"
#include "host/engine.h"
#include "host/inside.h"
#include "../unit/lib/check.h"
#include "../unit/lib/connection.h"
#include "wire/roce.h"

enum {
	PACKETS = 256,
	PACKET_MAX = 512,
	TIMEOUT_MS = 1000,
	RETRIES = 15,
	MS = 1000000,
	DELAY_MAX_MS = 40,
};

/*
 * The network
 */

struct sim_packet {
	uint64_t arrives;
	struct net_path path;
	size_t length;
	uint8_t bytes[PACKET_MAX];
};

static struct {
	uint64_t now, state;
	unsigned int loss, duplicate; /* percent */
	struct sim_packet packet[PACKETS];
	unsigned int packets;
	unsigned int sent[MAD_KINDS];
	unsigned int lose_first[MAD_KINDS]; /* of those that follow */
	size_t blank; /* where a DREQ's id is taken out; 0: nowhere */
} sim = { .now = 1 };

static uint32_t draw(uint32_t below)
{
	sim.state = sim.state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(sim.state >> 33) % below;
}

static uint64_t sim_now(void)
{
	return sim.now;
}

static struct mad decode(const uint8_t *bytes, size_t length)
{
	struct roce packet;
	struct mad mad;

	CHECK_EQ(roce_decode(bytes, length + 4, &packet), ROCE_OK);
	CHECK_EQ(mad_decode(packet.payload, packet.length, &mad), MAD_OK);
	return mad;
}

static void send_one(const struct net_path *path, const struct net_packet *out)
{
	struct sim_packet *packet = &sim.packet[sim.packets];
	enum mad_kind kind;

	CHECK(sim.packets < PACKETS);
	packet->arrives = sim.now + MS / 10 + (uint64_t)draw(DELAY_MAX_MS * 1000) * 1000;
	packet->path.local = path->remote;
	packet->path.remote = path->local;
	packet->length = 0;
	for (unsigned int i = 0; i < out->parts; i++) {
		CHECK(packet->length + out->part[i].iov_len <= PACKET_MAX);
		memcpy(packet->bytes + packet->length, out->part[i].iov_base,
		       out->part[i].iov_len);
		packet->length += out->part[i].iov_len;
	}
	kind = decode(packet->bytes, packet->length).kind;
	sim.sent[kind]++;
	if (kind == MAD_DREQ && sim.blank)
		memset(packet->bytes + sim.blank, 0, sizeof(uint32_t));
	if (sim.lose_first[kind])
		sim.lose_first[kind]--;
	else
		sim.packets++;
}

static int sim_send(const struct net_path *path, const struct net_packet *packets,
                    unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (draw(100) >= sim.loss)
			send_one(path, &packets[i]);
		if (draw(100) < sim.duplicate)
			send_one(path, &packets[i]);
	}
	return (int)count;
}

static bool sim_poll(void)
{
	return false;
}

static const struct net_ops sim_net = { .send = sim_send, .poll = sim_poll };

static struct sim_packet *first_packet(void)
{
	struct sim_packet *first = NULL;

	for (unsigned int i = 0; i < sim.packets; i++)
		if (!first || sim.packet[i].arrives < first->arrives)
			first = &sim.packet[i];
	return first;
}

static void deliver(struct sim_packet *first)
{
	struct sim_packet packet = *first;
	uint64_t generation;
	uint32_t slot;

	*first = sim.packet[--sim.packets];
	/* Whoever holds the port finds the process, which is this one. */
	if (mads_takers.mad_owner(&packet.path, packet.bytes, packet.length, &slot,
	                          &generation)) {
		CHECK_EQ(slot, peer_self()->slot);
		CHECK_EQ(generation, peer_self()->generation);
	}
	mads_takers.mad(&packet.path, packet.bytes, packet.length);
}

/* The next thing that happens by itself, up to that moment; false: nothing does. */
static bool step(uint64_t until)
{
	struct sim_packet *packet = first_packet();
	uint64_t timer = timers_first();

	if (packet && (!timer || packet->arrives <= timer) && packet->arrives <= until) {
		if (packet->arrives > sim.now)
			sim.now = packet->arrives;
		deliver(packet);
		return true;
	}
	if (!timer || timer > until)
		return false;
	if (timer > sim.now)
		sim.now = timer;
	timers_run();
	return true;
}

/*
 * The two programs
 */

enum outcome { PENDING, ESTABLISHED, FAILED };

/* What its program has yet to do, and when. */
enum intent { NOTHING, ACCEPT, REJECT, ESTABLISH, DISCONNECT };

struct end {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	enum outcome outcome;
	int status;
	bool disconnected, exited;
	enum intent intent;
	uint64_t when;
};

static struct end client, server;
static struct rdma_cm_id *listener;
static uint16_t port;
static bool rejects;

static void intend(struct end *end, enum intent intent)
{
	end->intent = intent;
	/* Now and then longer than the other side's manager waits. */
	end->when = sim.now + (uint64_t)draw(draw(4) ? 20 : 5 * TIMEOUT_MS) * MS;
}

static void act(struct end *end)
{
	struct rdma_conn_param param = { .qp_num = 0x1000 + draw(1000),
		                         .retry_count = 7 };
	enum intent intent = end->intent;

	end->intent = NOTHING;
	switch (intent) {
	case ACCEPT: CHECK_CALL(rdma_accept(end->id, &param)); break;
	case REJECT:
		CHECK_CALL(rdma_reject(end->id, "no", 2));
		end->outcome = FAILED;
		break;
	case ESTABLISH:
		/* The other side may have given up meanwhile. */
		if (end->outcome == PENDING && rdma_establish(end->id) == 0)
			end->outcome = ESTABLISHED;
		break;
	case DISCONNECT: CHECK_CALL(rdma_disconnect(end->id)); break;
	case NOTHING: break;
	}
}

static void has_failed(struct end *end, const struct rdma_cm_event *event)
{
	end->outcome = FAILED;
	end->status = event->status;
}

static void handle(struct end *end, const struct rdma_cm_event *event)
{
	switch (event->event) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		CHECK(!server.id);
		server.id = event->id;
		CHECK(!memcmp(event->param.conn.private_data, "question", 8));
		intend(&server, rejects ? REJECT : ACCEPT);
		break;
	case RDMA_CM_EVENT_CONNECT_RESPONSE:
		CHECK_EQ(end->outcome, PENDING);
		intend(end, ESTABLISH);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		CHECK(end == &server && end->outcome == PENDING);
		end->outcome = ESTABLISHED;
		break;
	case RDMA_CM_EVENT_REJECTED:
	case RDMA_CM_EVENT_UNREACHABLE: has_failed(end, event); break;
	case RDMA_CM_EVENT_DISCONNECTED:
		CHECK(!end->disconnected);
		end->disconnected = true;
		if (!end->exited)
			intend(end, DISCONNECT);
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		CHECK(end->disconnected && !end->exited);
		end->exited = true;
		break;
	default: check_failed(__FILE__, __LINE__, "an event that nothing calls for");
	}
}

static bool take_events(struct end *end)
{
	struct rdma_cm_event *event;
	bool any = false;

	while (rdma_get_cm_event(end->channel, &event) == 0) {
		handle(end, event);
		CHECK_CALL(rdma_ack_cm_event(event));
		any = true;
	}
	CHECK_EQ(errno, EAGAIN);
	return any;
}

static struct end *next_to_act(void)
{
	if (client.intent && (!server.intent || client.when <= server.when))
		return &client;
	return server.intent ? &server : NULL;
}

/* Until nothing happens any more. */
static void run(void)
{
	struct end *next;

	for (;;) {
		if (take_events(&client) || take_events(&server))
			continue;
		next = next_to_act();
		if (step(next ? next->when : UINT64_MAX))
			continue;
		if (!next)
			return;
		if (next->when > sim.now)
			sim.now = next->when;
		act(next);
	}
}

static struct rdma_event_channel *nonblocking_channel(void)
{
	struct rdma_event_channel *channel = cn_channel();

	CHECK_CALL(fcntl(channel->fd, F_SETFL, O_NONBLOCK));
	return channel;
}

static void expect_now(enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event;

	CHECK_CALL(rdma_get_cm_event(client.channel, &event));
	CHECK_EQ(event->event, type);
	CHECK_CALL(rdma_ack_cm_event(event));
}

static void begin(uint16_t to)
{
	struct rdma_conn_param param = {
		.private_data = "question",
		.private_data_len = 8,
		.responder_resources = 3,
		.initiator_depth = 2,
		.retry_count = 7,
		.qp_num = 0x2000 + draw(1000),
	};

	client.id = cn_id(client.channel);
	CHECK_CALL(rdma_resolve_addr(client.id, NULL, cn_address("127.0.0.1", to), 1000));
	expect_now(RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_CALL(rdma_resolve_route(client.id, 1000));
	expect_now(RDMA_CM_EVENT_ROUTE_RESOLVED);
	CHECK_CALL(rdma_connect(client.id, &param));
}

static void end_of(struct end *end)
{
	struct rdma_event_channel *channel = end->channel;

	if (end->id)
		cn_destroy(end->id);
	*end = (struct end){ .channel = channel };
}

/* What was sent before is not there any more when the next one begins. */
static void drain(void)
{
	while (sim.packets)
		step(UINT64_MAX);
}

static void start_with(unsigned int retries)
{
	cn_set_patience(TIMEOUT_MS, retries);
	timers_simulate(sim_now);
	mads_net = &sim_net;
	CHECK_CALL(setenv("MOCKRDMA_LINK", "roce", 1));
	client.channel = nonblocking_channel();
	server.channel = nonblocking_channel();
	listener = cn_listen(server.channel, &port);
}

static void start(void)
{
	start_with(RETRIES);
}

static void stop(void)
{
	end_of(&client);
	end_of(&server);

	cn_destroy(listener);
	rdma_destroy_event_channel(client.channel);
	rdma_destroy_event_channel(server.channel);
}

/*
 * Tests
 */

static void check_agreement(void)
{
	if (client.outcome != ESTABLISHED) {
		CHECK_EQ(client.outcome, FAILED);
		CHECK(!server.id || server.outcome == FAILED);
		return;
	}
	CHECK_EQ(server.outcome, ESTABLISHED);
	CHECK_EQ(to_cm_id(client.id)->conn.rq_psn, to_cm_id(server.id)->conn.sq_psn);
	CHECK_EQ(to_cm_id(client.id)->conn.sq_psn, to_cm_id(server.id)->conn.rq_psn);
	CHECK_EQ(to_cm_id(client.id)->conn.remote_qpn,
	         to_cm_id(server.id)->conn.local_qpn);
	CHECK_EQ(to_cm_id(server.id)->conn.remote_qpn,
	         to_cm_id(client.id)->conn.local_qpn);
	CHECK_EQ(to_cm_id(client.id)->conn.responder_resources,
	         to_cm_id(server.id)->conn.initiator_depth);
}

static void disconnect_either(void)
{
	if (draw(2))
		intend(&client, DISCONNECT);
	if (!client.intent || draw(2))
		intend(&server, DISCONNECT);
	run();
	CHECK(client.disconnected && client.exited);
	CHECK(server.disconnected && server.exited);
}

static void one_seed(unsigned int seed, unsigned int loss_max)
{
	enum { NOBODY, REJECTED, ACCEPTED } kind;

	sim.state = seed;
	draw(2);
	sim.loss = draw(loss_max + 1);
	sim.duplicate = draw(30);
	kind = draw(10) ? draw(5) ? ACCEPTED : REJECTED : NOBODY;
	rejects = kind == REJECTED;
	begin(kind == NOBODY ? 1 : port);
	run();
	check_agreement();
	if (kind != ACCEPTED)
		CHECK_EQ(client.status,
		         rejects ? REJECT_CONSUMER : REJECT_INVALID_SERVICE_ID);
	if (client.outcome == ESTABLISHED)
		disconnect_either();
	end_of(&client);
	end_of(&server);
	drain();
}

static unsigned int running_seed; /* 0: none is */

static void say_seed(void)
{
	if (running_seed)
		fprintf(stderr, "seed %u\n", running_seed);
}

static void disturbed_body(struct side *side)
{
	enum { SEEDS = 3000, LOSS_MAX = 30 };

	(void)side;
	start();
	atexit(say_seed);
	for (running_seed = 1; running_seed <= SEEDS; running_seed++)
		one_seed(running_seed, LOSS_MAX);
	running_seed = 0;
	stop();
}

ALONE(disturbed)

/* Nothing lost: no message more than it takes. */
static void undisturbed_body(struct side *side)
{
	(void)side;
	start();
	begin(port);
	run();
	check_agreement();
	CHECK_EQ(server.outcome, ESTABLISHED);
	stop();
}

ALONE(undisturbed)

/* Nothing arrives: the client hears of it after all its tries, in the time they take. */
static void silence_body(struct side *side)
{
	uint64_t before;

	(void)side;
	start();
	sim.loss = 100;
	begin(port);
	before = sim.now;
	run();
	CHECK_EQ(client.outcome, FAILED);
	CHECK_EQ(client.status, -ETIMEDOUT);
	CHECK(!server.id);
	CHECK_EQ((sim.now - before) / MS, (RETRIES + 1) * TIMEOUT_MS);
	stop();
}

ALONE(silence)

/* A server that takes a minute to decide: an MRA makes the client wait (IBA 12.9.8.6),
 * which would have given up long before. */
static void patience_body(struct side *side)
{
	uint64_t before;

	(void)side;
	start_with(2);
	begin(port);
	before = sim.now;
	while (!server.id || server.intent != ACCEPT) {
		if (!take_events(&server))
			CHECK(step(UINT64_MAX));
	}
	server.when = before + UINT64_C(60000) * MS;
	run();
	check_agreement();
	CHECK_EQ(client.outcome, ESTABLISHED);
	CHECK(sim.sent[MAD_MRA] >= 1);
	CHECK(sim.now - before >= UINT64_C(60000) * MS);
	stop();
}

ALONE(patience)

/* Who goes is not there to repeat its DREQ: the first ones get lost, and the other side
 * hears of the end all the same. */
static void farewell_body(struct side *side)
{
	(void)side;
	start();
	for (int asks_before = 0; asks_before < 2; asks_before++) {
		begin(port);
		run();
		CHECK_EQ(server.outcome, ESTABLISHED);
		sim.lose_first[MAD_DREQ] = 2;
		if (asks_before)
			CHECK_CALL(rdma_disconnect(client.id));
		end_of(&client);
		run();
		CHECK(server.disconnected);
		end_of(&server);
		drain();
	}
	stop();
}

ALONE(farewell)

/* Who knows the addresses, the queue pair and one id of a connection does not end it. */
static void one_id_body(struct side *side)
{
	enum {
		LOCAL_ID = 44,
		REMOTE_ID = 48
	}; /* behind BTH, DETH and the MAD's header */
	static const size_t unknown[] = { LOCAL_ID, REMOTE_ID };

	(void)side;
	start();
	for (int i = 0; i < 2; i++) {
		begin(port);
		run();
		CHECK_EQ(server.outcome, ESTABLISHED);
		sim.blank = unknown[i];
		CHECK_CALL(rdma_disconnect(client.id));
		run();
		CHECK(sim.sent[MAD_DREQ] > 0);
		CHECK(!server.disconnected);
		sim.blank = 0;
		end_of(&client);
		end_of(&server);
		drain();
	}
	stop();
}

ALONE(one_id)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undisturbed), cmocka_unit_test(silence),
		cmocka_unit_test(patience),    cmocka_unit_test(farewell),
		cmocka_unit_test(one_id),      cmocka_unit_test(disturbed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
