// SPDX-License-Identifier: BSD-2-Clause
/*
 * timeout: 120
 *
 * Processes that are killed at random instants. Their peers end with error completions,
 * and whoever comes next finds a host that works, with nobody cleaning up by hand.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum { DEPTH = 16 };

static struct rc_config traffic_config(void)
{
	struct rc_config config = rc_default;

	config.timeout = 12; /* 17 ms */
	config.retries = 2;
	config.rnr_retries = 7;
	config.recv_depth = DEPTH;
	return config;
}

/* --- traffic until something ends it
 * ---------------------------------------------------------- */

struct traffic {
	struct rc_end end;
	uint64_t posted, completed; /* requests */
	uint64_t errors;
};

static void post_next(struct traffic *traffic)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_SEND,
		IBV_WR_RDMA_WRITE,
		IBV_WR_RDMA_READ,
		IBV_WR_ATOMIC_FETCH_AND_ADD,
	};
	struct rc_op op = { .opcode = opcodes[traffic->posted % 4],
		            .id = traffic->posted,
		            .flags = IBV_SEND_SIGNALED,
		            .offset = 8192,
		            .length = 1500,
		            .remote = 8192,
		            .compare_add = 1 };

	if (op.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD)
		op.length = 8;
	rc_do(&traffic->end, &op);
	traffic->posted++;
}

/* Nothing but silence of the peer, and the flush that follows it. */
static void expect_peer_failure(const struct ibv_wc *wc)
{
	if (wc->status != IBV_WC_RETRY_EXC_ERR && wc->status != IBV_WC_WR_FLUSH_ERR)
		check_failed(__FILE__, __LINE__, "request %llu: %s",
		             (unsigned long long)wc->wr_id,
		             ibv_wc_status_str(wc->status));
}

static void take_sent(struct traffic *traffic)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(traffic->end.send_cq, 1, &wc) == 1) {
		CHECK_EQ(wc.wr_id, traffic->completed);
		traffic->completed++;
		if (wc.status == IBV_WC_SUCCESS) {
			CHECK_EQ(traffic->errors, 0);
			continue;
		}
		expect_peer_failure(&wc);
		traffic->errors++;
	}
}

static void take_received(struct traffic *traffic)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(traffic->end.recv_cq, 1, &wc) == 1) {
		if (wc.status != IBV_WC_SUCCESS) {
			CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
			continue;
		}
		CHECK_EQ(wc.byte_len, 1500);
		rc_recv(&traffic->end, wc.wr_id, 2048, 1500);
	}
}

static void run_traffic(struct traffic *traffic)
{
	uint64_t deadline = deadline_in(PATIENCE_MS);

	while (!traffic->errors) {
		while (traffic->posted - traffic->completed < DEPTH / 2)
			post_next(traffic);
		take_sent(traffic);
		take_received(traffic);
		CHECK(!deadline_passed(deadline));
	}
}

/* Every request that was posted comes back, in order, and there is no other. */
static void expect_the_rest(struct traffic *traffic)
{
	uint64_t deadline = deadline_in(PATIENCE_MS);

	while (traffic->completed < traffic->posted) {
		take_sent(traffic);
		CHECK(!deadline_passed(deadline));
	}
	rc_expect_nothing(traffic->end.send_cq, 0);
	rc_expect_state(&traffic->end, IBV_QPS_ERR);
}

static void open_traffic(struct side *side, struct traffic *traffic)
{
	struct rc_config config = traffic_config();

	*traffic = (struct traffic){ 0 };
	rc_side_open(side, &traffic->end, &config);
	for (uint64_t i = 0; i < DEPTH; i++)
		rc_recv(&traffic->end, i, 2048, 1500);
	side_meet(side);
}

/* --- the roles
 * -------------------------------------------------------------------------------- */

/* The sockets between the two; that to the test itself is their side's own. */
struct line {
	int sockets[2];
};

static struct side side_on_line(const struct side *side, int which)
{
	const struct line *line = side->argument;

	close(line->sockets[!which]);
	return (struct side){ side->name, line->sockets[which], 0, NULL };
}

static void victim(struct side *side)
{
	struct side peer = side_on_line(side, 0);
	struct traffic traffic;

	open_traffic(&peer, &traffic);
	side_put(side, "!", 1);
	run_traffic(&traffic);
}

static void survivor(struct side *side)
{
	struct side peer = side_on_line(side, 1);
	struct traffic traffic;

	open_traffic(&peer, &traffic);
	run_traffic(&traffic);
	expect_the_rest(&traffic);
	rc_close(&traffic.end);
}

/* Two healthy processes, after everything else. */
static void healthy(struct side *side)
{
	struct traffic traffic;

	open_traffic(side, &traffic);
	for (int i = 0; i < 40; i++) {
		post_next(&traffic);
		while (traffic.completed < traffic.posted) {
			take_sent(&traffic);
			take_received(&traffic);
		}
	}
	CHECK_EQ(traffic.errors, 0);
	/* The other one may still need our receives. */
	side_put(side, "!", 1);
	for (char byte = 0; recv(side->socket, &byte, 1, MSG_DONTWAIT) != 1;)
		take_received(&traffic);
	rc_side_close(side, &traffic.end);
}

static void expect_healthy_host(void)
{
	sides_run(SIDES_PROCESSES, healthy, healthy, NULL);
}

static void pass_random_us(unsigned int most)
{
	uint64_t until = now_ns() + (uint64_t)random() % most * 1000;

	while (now_ns() < until)
		pass_ms(0);
}

static void kill_process(struct process *process)
{
	int status;

	CHECK_CALL(kill(process->pid, SIGKILL));
	status = process_wait(process);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct side to_process(const struct process *process)
{
	return (struct side){ process->name, process->socket, process->pid, NULL };
}

static void killed_in_traffic(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct process dies, lives;
		struct side dying;
		struct line line;
		char byte;

		CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, line.sockets));
		dies = process_start("victim", victim, &line);
		lives = process_start("survivor", survivor, &line);
		close(line.sockets[0]);
		close(line.sockets[1]);
		dying = to_process(&dies);
		side_get(&dying, &byte, 1);
		pass_random_us(8000);
		kill_process(&dies);
		process_expect_success(&lives);
		if (round % 10 == 9)
			expect_healthy_host();
	}
}

/* --- killed while it makes and unmakes
 * -------------------------------------------------------- */

static void make_and_unmake(struct side *side)
{
	struct rc_config config = traffic_config();
	struct rc_pair pair;

	config.channel = true;
	side_put(side, "!", 1);
	for (;;) {
		rc_pair_open(&pair, &config);
		rc_recv(&pair.b, 1, 0, 64);
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
		rc_received(&pair.b, 1);
		rc_pair_close(&pair);
	}
}

static void killed_while_setting_up(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct process processes[2];
		char byte;

		for (int i = 0; i < 2; i++)
			processes[i] = process_start("builder", make_and_unmake, NULL);
		for (int i = 0; i < 2; i++) {
			struct side side = to_process(&processes[i]);

			side_get(&side, &byte, 1);
		}
		pass_random_us(10000);
		kill_process(&processes[0]);
		kill_process(&processes[1]);
		if (round % 4 == 3)
			expect_healthy_host();
	}
}

/* Both sides of a connection at once: nobody is left who could tidy up. */
static void both_killed(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		struct process processes[2];
		struct side dying;
		struct line line;
		char byte;

		CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, line.sockets));
		processes[0] = process_start("victim", victim, &line);
		processes[1] = process_start("survivor", survivor, &line);
		close(line.sockets[0]);
		close(line.sockets[1]);
		dying = to_process(&processes[0]);
		side_get(&dying, &byte, 1);
		pass_random_us(3000);
		CHECK_CALL(kill(processes[1].pid, SIGKILL));
		kill_process(&processes[0]);
		process_wait(&processes[1]);
	}
	expect_healthy_host();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_in_traffic),
		cmocka_unit_test(killed_while_setting_up),
		cmocka_unit_test(both_killed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
