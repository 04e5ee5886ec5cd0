/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection manager: sequences of calls on ids, right and wrong, by two threads of
 * one process and by another process, which find each other at a few ports of the
 * loopback addresses. Ids are always live ones and belong to one thread, since what
 * becomes of an id that another thread destroys is nobody's to say; its events are taken
 * by either. At the end all of them can be destroyed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rdma/rdma_cma.h>
#include <string.h>
#include "lib/input.h"
#include "lib/processes.h"

enum { OWN = 6, CHANNELS = 2, CALLS_MOST = 120, FIRST_PORT = 7471, PORTS = 4 };

struct world {
	struct input in;
	struct rdma_event_channel **channel; /* of both threads */
	struct rdma_cm_id *id[OWN];
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static uint8_t byte(struct world *w)
{
	return input_byte(&w->in);
}

static uint64_t mostly(struct world *w, uint64_t value)
{
	return input_mostly(&w->in, value);
}

static struct rdma_cm_id *any_id(struct world *w)
{
	return w->id[byte(w) % OWN];
}

static struct rdma_event_channel *any_channel(struct world *w)
{
	return w->channel[byte(w) % CHANNELS];
}

/* Mostly this host, at a port where somebody may listen. */
static union address any_address(struct world *w)
{
	static const char *const v4[] = { "127.0.0.1", "0.0.0.0", "239.1.2.3",
		                          "255.255.255.255" };
	static const char *const v6[] = { "::1", "::", "ff02::17", "fe80::1" };
	uint8_t kind = byte(w), which = byte(w);
	union address address = { 0 };

	which = which < 200 ? 0 : which % 4;
	if (kind < 160) {
		address.in.sin_family = AF_INET;
		inet_pton(AF_INET, v4[which], &address.in.sin_addr);
	} else if (kind < 240) {
		address.in6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, v6[which], &address.in6.sin6_addr);
	} else {
		address.any.sa_family = byte(w);
	}
	address.in.sin_port = htons((uint16_t)mostly(w, FIRST_PORT + which % PORTS));
	return address;
}

/* --- ids -------------------------------------------------------------------------------
 */

static void drop(struct rdma_cm_id *id)
{
	if (id->qp)
		rdma_destroy_qp(id);
	if (id->srq)
		rdma_destroy_srq(id);
	MUST(!rdma_destroy_id(id));
}

static void change_id(struct world *w)
{
	static const enum rdma_port_space spaces[] = { RDMA_PS_TCP, RDMA_PS_TCP,
		                                       RDMA_PS_UDP, RDMA_PS_IB,
		                                       RDMA_PS_IPOIB };
	struct rdma_cm_id **at = &w->id[byte(w) % OWN];
	enum rdma_port_space space = (enum rdma_port_space)mostly(w, spaces[byte(w) % 5]);

	if (*at) {
		drop(*at);
		*at = NULL;
	} else if (rdma_create_id(any_channel(w), at, w, space)) {
		*at = NULL;
	}
}

static void bind_to(struct world *w)
{
	union address address = any_address(w);
	struct rdma_cm_id *id = any_id(w);

	if (id)
		rdma_bind_addr(id, &address.any);
}

static void resolve(struct world *w)
{
	union address from = any_address(w), to = any_address(w);
	struct rdma_cm_id *id = any_id(w);

	if (!id)
		return;
	if (byte(w) % 3 == 0)
		rdma_resolve_route(id, (int)mostly(w, 100));
	else
		rdma_resolve_addr(id, byte(w) < 50 ? &from.any : NULL, &to.any,
		                  (int)mostly(w, 100));
}

static void listen_on(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);

	if (id)
		rdma_listen(id, (int)mostly(w, 4));
}

static void set(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);
	struct ibv_ece ece = { (uint32_t)mostly(w, 1), byte(w), (uint32_t)mostly(w, 0) };
	uint64_t value[64] = { input_number(&w->in) };

	if (!id)
		return;
	switch (byte(w) % 5) {
	case 0: rdma_set_local_ece(id, &ece); break;
	case 1: rdma_get_remote_ece(id, &ece); break;
	case 2: rdma_migrate_id(id, any_channel(w)); break;
	case 3:
		rdma_set_option(id, RDMA_OPTION_IB, RDMA_OPTION_IB_PATH, value,
		                byte(w) * 2u);
		break;
	default:
		rdma_set_option(id, (int)mostly(w, RDMA_OPTION_ID),
		                (int)mostly(w, byte(w) % 4), value,
		                (size_t)mostly(w, byte(w) % 9) % sizeof(value));
	}
}

static void ask(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);
	struct ibv_qp_attr attr;
	int mask;

	if (!id)
		return;
	memset(&attr, byte(w), sizeof(attr));
	attr.qp_state = (enum ibv_qp_state)mostly(w, byte(w) % (IBV_QPS_ERR + 1));
	rdma_init_qp_attr(id, &attr, &mask);
	rdma_get_src_port(id);
	rdma_get_dst_port(id);
}

/* Nothing that would ask a name server. */
static void look_up(struct world *w)
{
	static const char *const nodes[] = { "127.0.0.1", "::1", NULL, "no address" };
	struct rdma_addrinfo hints = {
		.ai_flags = (int)mostly(w, byte(w) % 16) | RAI_NUMERICHOST,
		.ai_family = (int)mostly(w, 0),
		.ai_qp_type = (int)mostly(w, IBV_QPT_RC),
		.ai_port_space = (int)mostly(w, RDMA_PS_TCP),
	};
	union address source = any_address(w);
	struct rdma_addrinfo *info;

	if (byte(w) % 4 == 0) {
		hints.ai_src_addr = &source.any;
		hints.ai_src_len =
		        (socklen_t)mostly(w, sizeof(source.in)) % sizeof(source);
	}
	if (!rdma_getaddrinfo(nodes[byte(w) % 4], byte(w) % 2 ? "7471" : NULL,
	                      byte(w) < 240 ? &hints : NULL, &info))
		rdma_freeaddrinfo(info);
}

/* --- queue pairs -----------------------------------------------------------------------
 */

static void change_qp(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);
	struct ibv_qp_init_attr init = {
		.cap = { (uint32_t)mostly(w, 4), (uint32_t)mostly(w, 4), 1, 1,
		         (uint32_t)mostly(w, 16) },
	};
	struct ibv_srq_init_attr srq = { .attr = { (uint32_t)mostly(w, 4),
		                                   (uint32_t)mostly(w, 1), 0 } };

	if (!id)
		return;
	init.qp_type = (enum ibv_qp_type)mostly(w, id->qp_type);
	if (id->qp)
		rdma_destroy_qp(id);
	else if (id->srq && byte(w) % 4 == 0)
		rdma_destroy_srq(id);
	else if (byte(w) % 8 == 0)
		rdma_create_srq(id, NULL, &srq);
	else
		rdma_create_qp(id, NULL, &init);
}

static void use_qp(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND }, *bad;
	struct ibv_recv_wr receive = { .wr_id = 1 }, *bad_receive;
	struct ibv_wc wc;

	if (!id || !id->qp || id->qp_type == IBV_QPT_UD)
		return;
	switch (byte(w) % 3) {
	case 0: ibv_post_send(id->qp, &send, &bad); break;
	case 1: ibv_post_recv(id->qp, &receive, &bad_receive); break;
	default: ibv_poll_cq(id->qp->send_cq, 1, &wc);
	}
}

/* --- connections -----------------------------------------------------------------------
 */

static void parameters(struct world *w, struct rdma_conn_param *param)
{
	static const uint8_t private_data[UINT8_MAX];

	*param = (struct rdma_conn_param){
		.private_data = byte(w) < 230 ? private_data : NULL,
		.private_data_len = (uint8_t)mostly(w, byte(w) % 56),
		.responder_resources = (uint8_t)mostly(w, 1),
		.initiator_depth = (uint8_t)mostly(w, 1),
		.retry_count = byte(w) % 8,
		.rnr_retry_count = byte(w) % 8,
		.qp_num = (uint32_t)mostly(w, 17),
	};
}

static void connect_to(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);
	struct rdma_conn_param param;

	parameters(w, &param);
	if (id)
		rdma_connect(id, byte(w) < 240 ? &param : NULL);
}

static void answer(struct world *w, struct rdma_cm_id *id)
{
	struct rdma_conn_param param;

	parameters(w, &param);
	switch (byte(w) % 6) {
	case 0: rdma_reject(id, param.private_data, param.private_data_len); break;
	case 1: rdma_reject_ece(id, NULL, 0); break;
	case 2:
		rdma_notify(id, (enum ibv_event_type)mostly(w, IBV_EVENT_COMM_EST));
		break;
	default: rdma_accept(id, byte(w) < 240 ? &param : NULL);
	}
}

static void go_on(struct world *w)
{
	struct rdma_cm_id *id = any_id(w);

	if (!id)
		return;
	switch (byte(w) % 4) {
	case 0: answer(w, id); break;
	case 1: rdma_establish(id); break;
	default: rdma_disconnect(id);
	}
}

static void join(struct world *w)
{
	union address address = any_address(w);
	struct rdma_cm_id *id = any_id(w);
	struct rdma_cm_join_mc_attr_ex attr = {
		.comp_mask = (uint32_t)mostly(w, 3),
		.join_flags = (uint32_t)mostly(w, byte(w) % 2),
		.addr = byte(w) < 250 ? &address.any : NULL,
	};

	if (byte(w) < 150 && address.any.sa_family == AF_INET)
		inet_pton(AF_INET, "239.1.2.3", &address.in.sin_addr);
	if (!id)
		return;
	switch (byte(w) % 3) {
	case 0: rdma_join_multicast(id, &address.any, w); break;
	case 1: rdma_join_multicast_ex(id, &attr, w); break;
	default: rdma_leave_multicast(id, &address.any);
	}
}

/* --- what takes several calls ----------------------------------------------------------
 */

static struct rdma_cm_id *new_id(struct world *w)
{
	struct rdma_cm_id **at = &w->id[byte(w) % OWN];
	enum rdma_port_space space = byte(w) < 180 ? RDMA_PS_TCP : RDMA_PS_UDP;

	if (*at)
		drop(*at);
	if (rdma_create_id(any_channel(w), at, w, space))
		*at = NULL;
	return *at;
}

static union address port_of_ours(struct world *w)
{
	union address address = { .in = { .sin_family = AF_INET } };

	address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.in.sin_port = htons((uint16_t)(FIRST_PORT + byte(w) % PORTS));
	return address;
}

static void new_listener(struct world *w)
{
	union address address = port_of_ours(w);
	struct rdma_cm_id *id = new_id(w);

	if (id && !rdma_bind_addr(id, &address.any))
		rdma_listen(id, (int)mostly(w, 4));
}

static void new_connection(struct world *w)
{
	struct ibv_qp_init_attr init = { .cap = { 4, 4, 1, 1, 16 } };
	union address address = port_of_ours(w);
	struct rdma_cm_id *id = new_id(w);
	struct rdma_conn_param param;

	if (!id || rdma_resolve_addr(id, NULL, &address.any, 100) ||
	    rdma_resolve_route(id, 100))
		return;
	init.qp_type = id->qp_type;
	if (byte(w) < 200)
		rdma_create_qp(id, NULL, &init);
	parameters(w, &param);
	rdma_connect(id, &param);
}

/* --- events ----------------------------------------------------------------------------
 */

/* A request's id is the thread's that takes it. */
static void adopt(struct world *w, struct rdma_cm_id *id)
{
	struct rdma_cm_id **at = &w->id[byte(w) % OWN];

	struct ibv_qp_init_attr init = { .cap = { 4, 4, 1, 1, 16 },
		                         .qp_type = id->qp_type };

	if (byte(w) % 2)
		rdma_create_qp(id, NULL, &init);
	if (byte(w) % 4)
		answer(w, id);
	if (*at)
		drop(*at);
	*at = id;
}

static void take_event(struct world *w)
{
	struct rdma_event_channel *channel = any_channel(w);
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;
	struct rdma_cm_id *child = NULL;

	poll(&ready, 1, byte(w) % 2);
	if (rdma_get_cm_event(channel, &event))
		return;
	if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST)
		child = event->id;
	MUST(!rdma_ack_cm_event(event));
	if (child)
		adopt(w, child);
}

static void (*const calls[])(struct world *) = {
	change_id,      change_id,      bind_to,      resolve,
	resolve,        listen_on,      set,          ask,
	look_up,        change_qp,      change_qp,    use_qp,
	connect_to,     go_on,          go_on,        go_on,
	join,           new_listener,   new_listener, new_connection,
	new_connection, new_connection, take_event,   take_event,
	take_event,     take_event,
};

static void *run(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < CALLS_MOST && w->in.at < w->in.end; i++)
		calls[byte(w) % (sizeof(calls) / sizeof(calls[0]))](w);
	return NULL;
}

/* --- a life ----------------------------------------------------------------------------
 */

/* Requests that nobody took are ids as well. */
static void empty(struct rdma_event_channel *channel)
{
	struct rdma_cm_event *event;

	while (!rdma_get_cm_event(channel, &event)) {
		struct rdma_cm_id *child = NULL;

		if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST)
			child = event->id;
		MUST(!rdma_ack_cm_event(event));
		if (child)
			MUST(!rdma_destroy_id(child));
	}
}

void live(int socket, const uint8_t *data, size_t size, int threads)
{
	struct rdma_event_channel *channel[CHANNELS];
	struct world world[2] = { 0 };
	size_t part = size / (size_t)threads;
	char done = 0;

	for (int i = 0; i < CHANNELS; i++) {
		channel[i] = rdma_create_event_channel();
		MUST(channel[i] && !fcntl(channel[i]->fd, F_SETFL, O_NONBLOCK));
	}
	for (int i = 0; i < threads; i++)
		world[i] = (struct world){ .channel = channel,
			                   .in = { data + part * (size_t)i,
			                           data + part * (size_t)(i + 1) } };
	run_threads(run, world, sizeof(world[0]), threads);
	MUST(exchange(socket, &done, &done, 1));
	for (int i = 0; i < threads * OWN; i++)
		if (world[i / OWN].id[i % OWN])
			drop(world[i / OWN].id[i % OWN]);
	for (int i = 0; i < CHANNELS; i++) {
		empty(channel[i]);
		rdma_destroy_event_channel(channel[i]);
	}
}
