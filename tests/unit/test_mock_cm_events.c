// SPDX-License-Identifier: BSD-2-Clause
/*
 * Event channels, what they wait for and who waits for them; synchronous ids; processes
 * that stop, die or fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"
#include "lib/deadline.h"

static bool is_variant(const char *name)
{
	const char *variant = getenv("TEST_VARIANT");

	return variant && !strcmp(variant, name);
}

/* --- waiting ---------------------------------------------------------------------------
 */

static void on_signal(int number)
{
	(void)number;
}

static void blocking_and_not_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct sigaction action = { .sa_handler = on_signal };
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;

	(void)side;
	cn_expect_none(channel);
	CHECK_FAILS(rdma_get_cm_event(NULL, &event), EINVAL);
	CHECK_CALL(sigaction(SIGALRM, &action, NULL));
	alarm(1);
	CHECK_FAILS(rdma_get_cm_event(channel, &event), EINTR);
	id = cn_resolve(channel, 1);
	cn_expect_none(channel);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

ALONE(blocking_and_not)

/* Events that nobody has taken go with their id, and leave no false alarm. */
static void events_of_a_destroyed_id_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *ids[3];

	(void)side;
	for (int i = 0; i < 3; i++) {
		ids[i] = cn_id(channel);
		CHECK_CALL(rdma_resolve_addr(ids[i], NULL, cn_loopback(AF_INET, 1), 1));
	}
	cn_destroy(ids[0]);
	cn_destroy(ids[2]);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0) == ids[1]);
	cn_expect_none(channel);
	CHECK_CALL(rdma_resolve_route(ids[1], 1));
	cn_destroy(ids[1]);
	cn_expect_none(channel);
	rdma_destroy_event_channel(channel);
}

ALONE(events_of_a_destroyed_id)

static _Atomic bool destroyed;

static void *destroy(void *id)
{
	CHECK_CALL(rdma_destroy_id(id));
	atomic_store(&destroyed, true);
	return NULL;
}

static void destroying_waits_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = cn_id(channel);
	struct rdma_cm_event *event;
	pthread_t thread;

	(void)side;
	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_loopback(AF_INET, 1), 1));
	event = cn_next(channel);
	CHECK_EQ(pthread_create(&thread, NULL, destroy, id), 0);
	pass_ms(50);
	CHECK(!atomic_load(&destroyed));
	CHECK_CALL(rdma_ack_cm_event(event));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(atomic_load(&destroyed));
	rdma_destroy_event_channel(channel);
}

ALONE(destroying_waits)

enum { WAITERS = 16 };

static void *wait_for_one(void *channel)
{
	struct rdma_cm_event *event;

	CHECK_CALL(rdma_get_cm_event(channel, &event));
	CHECK_CALL(rdma_ack_cm_event(event));
	return NULL;
}

/* More threads wait on one channel than rings fit into a socket. */
static void many_wait_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *ids[WAITERS];
	pthread_t threads[WAITERS];

	(void)side;
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_one, channel), 0);
	for (int i = 0; i < WAITERS; i++) {
		ids[i] = cn_id(channel);
		CHECK_CALL(rdma_resolve_addr(ids[i], NULL, cn_loopback(AF_INET, 1), 1));
	}
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	cn_expect_none(channel);
	for (int i = 0; i < WAITERS; i++)
		cn_destroy(ids[i]);
	rdma_destroy_event_channel(channel);
}

ALONE(many_wait)

/* A thread that is cancelled while it waits leaves the channel to others. */
static void cancelled_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id;
	pthread_t thread;
	void *result;

	(void)side;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_one, channel), 0);
	pass_ms(20);
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
	id = cn_resolve(channel, 1);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

/* ASan forgets to unmark the frames that cancellation leaves. */
static void cancelled(void **state)
{
	(void)state;
	if (is_variant("asan"))
		skip();
	alone_run(cancelled_body, NULL);
}

/* Whether the thread is inside the system call that waits for a ring. */
static bool is_waiting(pid_t thread)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strtol(line, NULL, 10) == SYS_recvfrom; /* "running" is 0: read */
}

struct waiter {
	struct rdma_event_channel *channel;
	_Atomic pid_t thread;
};

static void *wait_in_vain(void *arg)
{
	struct waiter *waiter = arg;
	struct rdma_event_channel *channel = waiter->channel;
	struct rdma_cm_event *event;

	waiter->thread = gettid();
	if (rdma_get_cm_event(channel, &event) == 0)
		CHECK_CALL(rdma_ack_cm_event(event));
	return NULL;
}

/*
 * The channel goes while a thread is waiting on it, or just then wakes to an event that
 * is taken back: as in the kernel, the thread waits on, and touches nothing that is gone.
 */
static void destroyed_while_waited_body(struct side *side)
{
	struct waiter waiter;
	struct rdma_cm_id *id;
	pthread_t thread;

	(void)side;
	for (int i = 0; i < 50; i++) {
		waiter = (struct waiter){ .channel = cn_channel() };
		CHECK_EQ(pthread_create(&thread, NULL, wait_in_vain, &waiter), 0);
		while (!waiter.thread || !is_waiting(waiter.thread))
			sched_yield();
		CHECK_EQ(pthread_detach(thread), 0);
		id = cn_id(waiter.channel);
		CHECK_CALL(rdma_resolve_addr(id, NULL, cn_loopback(AF_INET, 1), 1));
		CHECK_CALL(rdma_destroy_id(id));
		rdma_destroy_event_channel(waiter.channel);
	}
}

ALONE(destroyed_while_waited)

static void *come_late(void *channel)
{
	struct rdma_cm_event *event;

	rdma_get_cm_event(channel, &event);
	CHECK(!"an event on a channel that is gone");
	return NULL;
}

/* As rping does when it ends: its thread waits once more as the channel goes. */
static void waited_for_too_late_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	pthread_t thread;

	(void)side;
	rdma_destroy_event_channel(channel);
	CHECK_EQ(pthread_create(&thread, NULL, come_late, channel), 0);
	CHECK_EQ(pthread_detach(thread), 0);
	pass_ms(20);
}

ALONE(waited_for_too_late)

static void migrated_body(struct side *side)
{
	struct rdma_event_channel *other = cn_channel();
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	/* With the request that came already, and the id that it brought. */
	while (poll(&(struct pollfd){ pair.server_channel->fd, POLLIN, 0 }, 1, -1) != 1)
		;
	CHECK_CALL(rdma_migrate_id(pair.listener, other));
	CHECK(pair.listener->channel == other);
	cn_expect_none(pair.server_channel);
	pair.server = cn_expect(other, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK(pair.server->channel == other);
	CHECK_CALL(rdma_migrate_id(pair.server, pair.server_channel));
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_CONNECT_RESPONSE, 0);
	CHECK_CALL(rdma_establish(pair.client));
	cn_expect(pair.server_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	cn_expect_none(other);
	cn_pair_close(&pair);
	rdma_destroy_event_channel(other);
}

ALONE(migrated)

/* Of rdma-core 60, which the headers may be older than. */
enum { USER_EVENT = RDMA_CM_EVENT_TIMEWAIT_EXIT + 3 };
int rdma_write_cm_event(struct rdma_cm_id *id, enum rdma_cm_event_type event, int status,
                        uint64_t arg);

struct written {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
};

static void *take_written(void *arg)
{
	struct written *written = arg;
	struct rdma_cm_event *event;
	uint64_t value;

	CHECK_CALL(rdma_get_cm_event(written->channel, &event));
	CHECK_EQ(event->event, USER_EVENT);
	CHECK(event->id == written->id && !event->listen_id);
	CHECK_EQ(event->status, -7);
	memcpy(&value, &event->param, sizeof(value));
	CHECK_EQ(value, UINT64_C(0x123456789abcdef0));
	CHECK(!strcmp(rdma_event_str(event->event), "RDMA_CM_EVENT_USER"));
	CHECK_CALL(rdma_ack_cm_event(event));
	return NULL;
}

/* The program's own events, which wake whoever waits; no others can be made up. */
static void written_by_the_program_body(struct side *side)
{
	struct written written = { .channel = cn_channel() };
	const enum rdma_cm_event_type user = (enum rdma_cm_event_type)USER_EVENT;
	pthread_t thread;

	(void)side;
	written.id = cn_id(written.channel);
	CHECK_EQ(pthread_create(&thread, NULL, take_written, &written), 0);
	CHECK_CALL(
	        rdma_write_cm_event(written.id, user, -7, UINT64_C(0x123456789abcdef0)));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_FAILS(rdma_write_cm_event(written.id, RDMA_CM_EVENT_ESTABLISHED, 0, 0),
	            EINVAL);
	CHECK_FAILS(rdma_write_cm_event(NULL, user, 0, 0), EINVAL);
	cn_expect_none(written.channel);
	/* One that nobody took goes with its id. */
	CHECK_CALL(rdma_write_cm_event(written.id, user, 0, 0));
	cn_destroy(written.id);
	cn_expect_none(written.channel);
	rdma_destroy_event_channel(written.channel);
}

ALONE(written_by_the_program)

/* --- synchronous ids -------------------------------------------------------------------
 */

static void set_attr(struct ibv_qp_init_attr *attr)
{
	*attr = (struct ibv_qp_init_attr){
		.cap = { .max_send_wr = 4,
		         .max_recv_wr = 4,
		         .max_send_sge = 1,
		         .max_recv_sge = 1,
		         .max_inline_data = 8 },
		.sq_sig_all = 1,
	};
}

static struct rdma_addrinfo *info_for(int flags, uint16_t port)
{
	struct rdma_addrinfo hints = { .ai_flags = flags, .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *info;
	char text[8];

	snprintf(text, sizeof(text), "%u", port);
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", text, &hints, &info), 0);
	return info;
}

static void endpoint_server(struct side *side)
{
	struct rdma_addrinfo *info = info_for(RAI_PASSIVE, 0);
	struct ibv_qp_init_attr attr;
	struct rdma_cm_id *listener, *id;
	uint64_t place = 0;
	struct ibv_mr *mr;
	uint16_t port;

	set_attr(&attr);
	CHECK_CALL(rdma_create_ep(&listener, info, NULL, &attr));
	rdma_freeaddrinfo(info);
	CHECK_CALL(rdma_listen(listener, 0));
	port = ntohs(rdma_get_src_port(listener));
	side_put(side, &port, sizeof(port));
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK(id->qp && id->event);
	CHECK_EQ(id->event->event, RDMA_CM_EVENT_CONNECT_REQUEST);
	cn_post_recv(id, &place, &mr);
	CHECK_CALL(rdma_accept(id, NULL));
	cn_received(id);
	CHECK_EQ(place, 77);
	cn_send(id, 78);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_CALL(rdma_dereg_mr(mr));
	rdma_destroy_ep(id);
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK_CALL(rdma_reject(id, NULL, 0));
	rdma_destroy_ep(id);
	rdma_destroy_ep(listener);
}

static void endpoint_client(struct side *side)
{
	struct ibv_qp_init_attr attr;
	struct rdma_addrinfo *info;
	struct rdma_cm_id *id;
	uint64_t place = 0;
	struct ibv_mr *mr;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	info = info_for(0, port);
	set_attr(&attr);
	CHECK_CALL(rdma_create_ep(&id, info, NULL, &attr));
	cn_post_recv(id, &place, &mr);
	CHECK_CALL(rdma_connect(id, NULL));
	CHECK_EQ(id->event->event, RDMA_CM_EVENT_ESTABLISHED);
	cn_send(id, 77);
	cn_received(id);
	CHECK_EQ(place, 78);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_CALL(rdma_dereg_mr(mr));
	rdma_destroy_ep(id);
	set_attr(&attr);
	CHECK_CALL(rdma_create_ep(&id, info, NULL, &attr));
	CHECK_FAILS(rdma_connect(id, NULL), ECONNREFUSED);
	rdma_destroy_ep(id);
	rdma_freeaddrinfo(info);
}

static void endpoints(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, endpoint_server, endpoint_client, NULL);
	sides_run(SIDES_THREADS, endpoint_server, endpoint_client, NULL);
}

static void synchronous_failures_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = cn_sync_id();
	struct rdma_cm_id *other;

	(void)side;
	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_loopback(AF_INET, 1), 1));
	CHECK_CALL(rdma_resolve_route(id, 1));
	CHECK_EQ(id->event->event, RDMA_CM_EVENT_ROUTE_RESOLVED);
	CHECK_FAILS(rdma_connect(id, &(struct rdma_conn_param){ 0 }), ECONNREFUSED);
	CHECK_CALL(rdma_destroy_id(id));
	id = cn_id(channel);
	CHECK_FAILS(rdma_get_request(id, &other), EINVAL);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

/* Shared receive queues of an id, and the id's own completion queues. */
static void shared_receive_body(struct side *side)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct cn_pair pair;
	uint64_t place = 0;
	struct ibv_mr *mr;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_create_qp(pair.client);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_CALL(rdma_create_srq(pair.server, NULL, &attr));
	cn_create_qp(pair.server);
	CHECK(pair.server->qp->srq == pair.server->srq);
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	cn_post_recv(pair.server, &place, &mr);
	cn_send(pair.client, 99);
	cn_received(pair.server);
	CHECK_EQ(place, 99);
	CHECK_CALL(rdma_dereg_mr(mr));
	rdma_destroy_qp(pair.server);
	rdma_destroy_srq(pair.server);
	CHECK(!pair.server->srq && !pair.server->recv_cq);
	cn_pair_close(&pair);
}

ALONE(shared_receive)

ALONE(synchronous_failures)

/* --- processes -------------------------------------------------------------------------
 */

static void patient_server(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id;
	uint16_t port;

	id = cn_listen(channel, &port);
	side_put(side, &port, sizeof(port));
	for (;;) {
		id = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
		cn_create_qp(id);
		cn_accept(id);
		cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	}
}

static uint16_t port_of(struct process *server)
{
	struct side side = { .socket = server->socket };
	uint16_t port;

	side_get(&side, &port, sizeof(port));
	return port;
}

static void stopped_server(struct side *unused)
{
	struct process server = process_start("server", patient_server, NULL);
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	uint16_t port = port_of(&server);

	(void)unused;
	cn_set_patience(20, 3);
	channel = cn_channel();
	id = cn_resolve(channel, port);
	cn_create_qp(id);
	process_stop(server.pid);
	cn_connect(id, NULL, 0);
	cn_expect(channel, RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT);
	cn_destroy(id);
	process_continue(server.pid);
	CHECK_CALL(kill(server.pid, SIGKILL));
	process_wait(&server);
	rdma_destroy_event_channel(channel);
}

static void stopped(void **state)
{
	(void)state;
	alone_run(stopped_server, NULL);
}

static void killed_server(struct side *unused)
{
	struct process server = process_start("server", patient_server, NULL);
	uint16_t port = port_of(&server);
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = cn_resolve(channel, port), *waiting;

	(void)unused;
	cn_create_qp(id);
	cn_connect(id, NULL, 0);
	cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	process_stop(server.pid);
	waiting = cn_resolve(channel, port);
	cn_connect(waiting, NULL, 0);
	CHECK_CALL(kill(server.pid, SIGKILL));
	process_wait(&server);
	for (int i = 0; i < 2; i++) {
		struct rdma_cm_event *event = cn_next(channel);

		if (event->id == id)
			CHECK_EQ(event->event, RDMA_CM_EVENT_DISCONNECTED);
		else
			CHECK_EQ(event->event, RDMA_CM_EVENT_REJECTED);
		CHECK_CALL(rdma_ack_cm_event(event));
	}
	CHECK_CALL(rdma_disconnect(id));
	CHECK_EQ(cn_qp_state(id), IBV_QPS_ERR);
	cn_expect(channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_destroy(waiting);
	waiting = cn_resolve(channel, port);
	cn_connect(waiting, NULL, 0);
	cn_expect(channel, RDMA_CM_EVENT_REJECTED, 8);
	cn_destroy(waiting);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

static void killed(void **state)
{
	(void)state;
	alone_run(killed_server, NULL);
}

/* A child has none of its parent's ids; the parent's go on. */
static void forked_body(struct side *side)
{
	struct cn_pair pair, own;
	int status;
	pid_t child;

	(void)side;
	cn_pair_open(&pair);
	cn_pair_connect(&pair);
	child = fork();
	CHECK_CALL(child);
	if (!child) {
		check_in_child("child");
		CHECK_FAILS(rdma_disconnect(pair.client), EINVAL);
		CHECK_FAILS(rdma_listen(pair.client, 1), EINVAL);
		cn_pair_open(&own);
		cn_pair_connect(&own);
		cn_pair_close(&own);
		CHECK_CALL(rdma_destroy_id(pair.client));
		CHECK_CALL(rdma_destroy_id(pair.listener));
		_exit(EXIT_SUCCESS);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	cn_expect_none(pair.server_channel);
	CHECK_CALL(rdma_disconnect(pair.client));
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_destroy(pair.client);
	cn_destroy(pair.server);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_pair_close(&pair);
}

/* TSan permits no threads in the child of a process with threads. */
static void forked(void **state)
{
	(void)state;
	if (is_variant("tsan"))
		skip();
	alone_run(forked_body, NULL);
}

/* Many connections at once, set up and taken down by many threads. */
enum { CLIENTS = 8, ROUNDS = 12 };

static void *connect_often(void *port)
{
	struct rdma_event_channel *channel = cn_channel();

	for (int i = 0; i < ROUNDS; i++) {
		struct rdma_cm_id *id = cn_resolve(channel, *(uint16_t *)port);

		cn_create_qp(id);
		cn_connect(id, NULL, 0);
		cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0);
		cn_send(id, 1);
		if (i % 2)
			CHECK_CALL(rdma_disconnect(id));
		cn_destroy(id);
	}
	rdma_destroy_event_channel(channel);
	return NULL;
}

struct served {
	uint64_t place;
	struct ibv_mr *mr;
};

static void take_event(struct rdma_event_channel *channel, int *ended)
{
	struct rdma_cm_event *event = cn_next(channel);
	enum rdma_cm_event_type type = event->event;
	struct rdma_cm_id *id = event->id;
	struct served *served = id->context;

	CHECK_CALL(rdma_ack_cm_event(event));
	switch (type) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		cn_create_qp(id);
		served = CHECK_OBJECT(calloc(1, sizeof(*served)));
		id->context = served;
		cn_post_recv(id, &served->place, &served->mr);
		cn_accept(id);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		cn_received(id);
		CHECK_EQ(served->place, 1);
		rdma_destroy_qp(id);
		CHECK_CALL(rdma_dereg_mr(served->mr));
		free(served);
		cn_destroy(id);
		++*ended;
		break;
	default: CHECK_EQ(type, RDMA_CM_EVENT_ESTABLISHED);
	}
}

static void serve_them(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *listener;
	uint16_t port;
	int ended = 0;

	listener = cn_listen(channel, &port);
	side_put(side, &port, sizeof(port));
	while (ended < CLIENTS * ROUNDS)
		take_event(channel, &ended);
	cn_destroy(listener);
	rdma_destroy_event_channel(channel);
}

static void be_many(struct side *side)
{
	pthread_t threads[CLIENTS];
	uint16_t port;

	side_get(side, &port, sizeof(port));
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, connect_often, &port), 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void many_clients(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, serve_them, be_many, NULL);
	sides_run(SIDES_THREADS, serve_them, be_many, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocking_and_not),
		cmocka_unit_test(events_of_a_destroyed_id),
		cmocka_unit_test(destroying_waits),
		cmocka_unit_test(many_wait),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(destroyed_while_waited),
		cmocka_unit_test(waited_for_too_late),
		cmocka_unit_test(migrated),
		cmocka_unit_test(written_by_the_program),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(synchronous_failures),
		cmocka_unit_test(shared_receive),
		cmocka_unit_test(stopped),
		cmocka_unit_test(killed),
		cmocka_unit_test(forked),
		cmocka_unit_test(many_clients),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
