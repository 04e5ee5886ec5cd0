// SPDX-License-Identifier: BSD-2-Clause
/*
 * timeout: 120
 *
 * Peers that do not answer, peers that are killed, and many connections at once.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

#define LOOPBACK "127.0.0.1"

/* --- nobody answers
 * --------------------------------------------------------------------------- */

static void silent_listener(struct side *side)
{
	struct cm_listener listener;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	side_meet(side);
	cm_listener_close(&listener);
}

static void unheard_client(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_event event;
	struct cm_end end;
	uint16_t port;

	/* Read by the mock when it is first used, which is after this. */
	CHECK_CALL(setenv("MOCKRDMA_CM_TIMEOUT", "100", 1));
	CHECK_CALL(setenv("MOCKRDMA_CM_RETRIES", "2", 1));
	side_get(side, &port, sizeof(port));
	cm_resolve(&end, LOOPBACK, port);
	process_stop(side->other);
	CHECK_CALL(rdma_connect(end.id, &param));
	event = cm_expect(end.channel, RDMA_CM_EVENT_UNREACHABLE);
	CHECK_EQ(event.status, -ETIMEDOUT);
	cm_close(&end);
	process_continue(side->other);
	side_meet(side);
}

static void unreachable(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, unheard_client, silent_listener, NULL);
}

/* A request that was never answered by the program itself: it listens, but takes no
 * event. */
static void sleeping_client(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end end;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	cm_resolve(&end, LOOPBACK, port);
	CHECK_CALL(rdma_connect(end.id, &param));
	/* Gives up of its own; the request goes with it. */
	cm_close(&end);
	side_meet(side);
}

static void impatient_client(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, sleeping_client, silent_listener, NULL);
}

/* --- killed
 * ------------------------------------------------------------------------------------ */

static void killed_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;
	char byte;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	cm_accept(&listener, &end);
	side_get(side, &byte, 1); /* never comes */
}

static void bereaved_client(struct side *side)
{
	struct cm_end end;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	cm_connect(&end, LOOPBACK, port);
	side_put(side, "!", 1);
	cm_expect(end.channel, RDMA_CM_EVENT_DISCONNECTED);
	cm_close(&end);
}

static void killed_client(struct side *side)
{
	struct cm_end end;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	cm_connect(&end, LOOPBACK, port);
	side_put(side, "!", 1);
	pause();
}

static void bereaved_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	cm_accept(&listener, &end);
	side_put(side, "!", 1);
	cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED);
	cm_close(&end);
	cm_listener_close(&listener);
}

static struct side to_process(const struct process *process)
{
	return (struct side){ process->name, process->socket, process->pid, NULL };
}

/* The parent carries the port from one to the other, and kills one when both are
 * connected. */
static void killed_peer(side_function *server, side_function *client, bool kill_server)
{
	struct process processes[2] = { process_start("server", server, NULL),
		                        process_start("client", client, NULL) };
	struct side to[2] = { to_process(&processes[0]), to_process(&processes[1]) };
	int dead = kill_server ? 0 : 1, status;
	uint16_t port;
	char byte;

	side_get(&to[0], &port, sizeof(port));
	side_put(&to[1], &port, sizeof(port));
	side_get(&to[1], &byte, 1);
	if (!kill_server)
		side_get(&to[0], &byte, 1);
	CHECK_CALL(kill(processes[dead].pid, SIGKILL));
	status = process_wait(&processes[dead]);
	CHECK(WIFSIGNALED(status));
	process_expect_success(&processes[!dead]);
}

static void server_killed(void **state)
{
	(void)state;
	killed_peer(killed_server, bereaved_client, true);
}

static void client_killed(void **state)
{
	(void)state;
	killed_peer(bereaved_server, killed_client, false);
}

/* The port of a killed listener is free again, and nobody is there. */
static void after_a_killed_listener_body(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct process process = process_start("listener", silent_listener, NULL);
	struct side to = to_process(&process);
	struct cm_listener listener;
	struct cm_end end;
	uint16_t port;

	(void)side;
	side_get(&to, &port, sizeof(port));
	CHECK_CALL(kill(process.pid, SIGKILL));
	CHECK(WIFSIGNALED(process_wait(&process)));
	cm_resolve(&end, LOOPBACK, port);
	CHECK_CALL(rdma_connect(end.id, &param));
	CHECK_EQ(cm_expect(end.channel, RDMA_CM_EVENT_REJECTED).status, 8);
	cm_close(&end);
	cm_listen(&listener, LOOPBACK, port);
	cm_listener_close(&listener);
}
ALONE(after_a_killed_listener)

/* --- many
 * ----------------------------------------------------------------------------------------
 */

enum { CLIENTS = 4, PER_CLIENT = 25, ALL = CLIENTS * PER_CLIENT };

/* All requests are under way before the first answer is looked at. */
static void many_client(struct side *side)
{
	struct cm_end *ends = CHECK_OBJECT(calloc(PER_CLIENT, sizeof(*ends)));
	struct rdma_conn_param param = cm_param(NULL, 0);
	uint16_t port;

	side_get(side, &port, sizeof(port));
	for (int i = 0; i < PER_CLIENT; i++) {
		cm_resolve(&ends[i], LOOPBACK, port);
		CHECK_CALL(rdma_connect(ends[i].id, &param));
	}
	for (uint64_t i = 0; i < PER_CLIENT; i++) {
		cm_expect(ends[i].channel, RDMA_CM_EVENT_ESTABLISHED);
		cm_send(&ends[i], i);
		CHECK_CALL(rdma_disconnect(ends[i].id));
	}
	for (int i = 0; i < PER_CLIENT; i++) {
		cm_expect(ends[i].channel, RDMA_CM_EVENT_DISCONNECTED);
		cm_close(&ends[i]);
	}
	free(ends);
}

static struct cm_end *find_end(struct cm_end *ends, const struct rdma_cm_id *id)
{
	for (int i = 0; i < ALL; i++)
		if (ends[i].id == id)
			return &ends[i];
	check_failed(__FILE__, __LINE__, "an event for an unknown id");
}

struct tally {
	int requests, established, disconnected;
};

static void take_request(struct cm_listener *listener, struct cm_event *event,
                         struct cm_end *end)
{
	struct rdma_conn_param param = cm_param(NULL, 0);

	*end = (struct cm_end){ .channel = listener->channel, .id = event->id };
	cm_add_qp(end);
	cm_post_receive(end);
	CHECK_CALL(rdma_accept(end->id, &param));
}

static void serve(struct cm_listener *listener, struct cm_end *ends, struct tally *tally)
{
	struct cm_event event = cm_next(listener->channel);

	switch (event.type) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		take_request(listener, &event, &ends[tally->requests++]);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		find_end(ends, event.id);
		tally->established++;
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		CHECK_CALL(rdma_disconnect(find_end(ends, event.id)->id));
		tally->disconnected++;
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT: break;
	default: check_failed(__FILE__, __LINE__, "%s", rdma_event_str(event.type));
	}
}

static void many_server(struct side *side)
{
	struct cm_end *ends = CHECK_OBJECT(calloc(ALL, sizeof(*ends)));
	struct cm_listener listener;
	struct tally tally = { 0 };

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	while (tally.disconnected < ALL)
		serve(&listener, ends, &tally);
	CHECK_EQ(tally.requests, ALL);
	CHECK_EQ(tally.established, ALL);
	for (int i = 0; i < ALL; i++)
		cm_close(&ends[i]);
	cm_listener_close(&listener);
	free(ends);
}

static void many_at_once(void **state)
{
	struct process server = process_start("server", many_server, NULL);
	struct side to_server = to_process(&server);
	struct process clients[CLIENTS];
	uint16_t port;

	(void)state;
	side_get(&to_server, &port, sizeof(port));
	for (int i = 0; i < CLIENTS; i++) {
		struct side to_client;

		clients[i] = process_start("client", many_client, NULL);
		to_client = to_process(&clients[i]);
		side_put(&to_client, &port, sizeof(port));
	}
	for (int i = 0; i < CLIENTS; i++)
		process_expect_success(&clients[i]);
	process_expect_success(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreachable),
		cmocka_unit_test(impatient_client),
		cmocka_unit_test(server_killed),
		cmocka_unit_test(client_killed),
		cmocka_unit_test(after_a_killed_listener),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
