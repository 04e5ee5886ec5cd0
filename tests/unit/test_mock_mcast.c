// SPDX-License-Identifier: BSD-2-Clause
/*
 * Multicast groups: everyone on the host that is attached gets a copy, whichever process
 * it is in, and nobody else; members may come, go and be killed meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/ud.h"

enum { MEMBERS = 3, LENGTH = 200 };

static union ibv_gid group(uint8_t last)
{
	return (union ibv_gid){
		.raw = { [10] = 0xff, [11] = 0xff, [12] = 239, [13] = 1, [15] = last }
	};
}

static void attach(struct rc_end *end, uint8_t last)
{
	union ibv_gid gid = group(last);

	CHECK_EQ(ibv_attach_mcast(end->qp, &gid, 0), 0);
}

static void detach(struct rc_end *end, uint8_t last)
{
	union ibv_gid gid = group(last);

	CHECK_EQ(ibv_detach_mcast(end->qp, &gid, 0), 0);
}

static struct ud_to to_group(struct rc_end *end, uint8_t last)
{
	union ibv_gid gid = group(last);

	return (struct ud_to){ ud_handle(end, &gid), UD_MULTICAST_QPN, UD_QKEY };
}

static void open_member(struct rc_end *end, uint8_t last)
{
	ud_open(end, &ud_default);
	attach(end, last);
	rc_recv(end, 1, 0, UD_GRH + LENGTH);
}

static void expect_copy(struct rc_end *end, uint32_t src_qpn)
{
	struct ibv_wc wc = rc_received(end, 1);

	CHECK_EQ(wc.byte_len, UD_GRH + LENGTH);
	CHECK_EQ(wc.src_qp, src_qpn);
	CHECK(wc.wc_flags & IBV_WC_GRH);
}

static void close_member(struct rc_end *end, uint8_t last)
{
	detach(end, last);
	rc_close(end);
}

/* --- members in processes of their own ------------------------------------------------
 */

static void member_of_another_process(struct side *side)
{
	struct rc_end end;
	uint32_t sender;

	open_member(&end, 1);
	side_meet(side);
	side_get(side, &sender, sizeof(sender));
	expect_copy(&end, sender);
	rc_expect_filled(end.buffer + UD_GRH, LENGTH, 3);
	/* To whom it went: 239.1.0.1, the last four bytes of the IPv4 header. */
	CHECK_BYTES(end.buffer + 36, "\xef\x01\x00\x01", 4);
	rc_expect_nothing(end.recv_cq, 0);
	side_meet(side);
	close_member(&end, 1);
}

static struct side side_of(const struct process *process)
{
	return (struct side){ .socket = process->socket, .other = process->pid };
}

static void every_process_gets_one_body(struct side *side)
{
	struct process process[MEMBERS];
	struct rc_end end, near, other;
	struct ud_to to;

	(void)side;
	for (int i = 0; i < MEMBERS; i++)
		process[i] = process_start("member", member_of_another_process, NULL);
	ud_open(&end, &ud_default);
	open_member(&near, 1);
	open_member(&other, 2);
	to = to_group(&end, 1);
	for (int i = 0; i < MEMBERS; i++) {
		struct side link = side_of(&process[i]);

		side_meet(&link);
		side_put(&link, &end.self.qpn, sizeof(end.self.qpn));
	}
	rc_fill(end.buffer, LENGTH, 3);
	ud_send(&end, &to, 9, LENGTH);
	expect_copy(&near, end.self.qpn);
	rc_expect_nothing(other.recv_cq, 0);
	rc_expect_nothing(end.recv_cq, 0);
	for (int i = 0; i < MEMBERS; i++) {
		struct side link = side_of(&process[i]);

		side_meet(&link);
		process_expect_success(&process[i]);
	}
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&end);
	close_member(&near, 1);
	close_member(&other, 2);
}
ALONE(every_process_gets_one)

/* --- members that are killed
 * ------------------------------------------------------------ */

static void victim(struct side *side)
{
	struct rc_end end;

	open_member(&end, 1);
	side_meet(side);
	for (;;)
		rc_expect_nothing(end.send_cq, 1000);
}

static void members_are_killed_body(struct side *side)
{
	struct rc_end end, near;
	struct ud_to to;

	(void)side;
	ud_open(&end, &ud_default);
	open_member(&near, 1);
	to = to_group(&end, 1);
	for (uint64_t round = 0; round < 4; round++) {
		struct process process = process_start("victim", victim, NULL);
		struct side link = side_of(&process);

		side_meet(&link);
		ud_send(&end, &to, round, LENGTH);
		expect_copy(&near, end.self.qpn);
		rc_recv(&near, 1, 0, UD_GRH + LENGTH);
		CHECK_CALL(kill(process.pid, SIGKILL));
		process_wait(&process);
		ud_send(&end, &to, round, LENGTH);
		expect_copy(&near, end.self.qpn);
		rc_recv(&near, 1, 0, UD_GRH + LENGTH);
	}
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&end);
	close_member(&near, 1);
}
ALONE(members_are_killed)

/* --- the sender's own copy
 * -------------------------------------------------------------- */

/* As adapters do unless told otherwise: IBV_QP_CREATE_BLOCK_SELF_MCAST_LB is for that. */
static void sender_gets_its_own_body(struct side *side)
{
	struct rc_end end;
	struct ud_to to;

	(void)side;
	open_member(&end, 1);
	to = to_group(&end, 1);
	ud_send(&end, &to, 9, LENGTH);
	expect_copy(&end, end.self.qpn);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	close_member(&end, 1);
}
ALONE(sender_gets_its_own)

static struct ibv_qp *deaf_to_itself(struct rc_end *end)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.cap = { 16, 16, 1, 1, 0 },
		.qp_type = IBV_QPT_UD,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS,
		.pd = end->pd,
		.create_flags = IBV_QP_CREATE_BLOCK_SELF_MCAST_LB,
	};

	return CHECK_OBJECT(ibv_create_qp_ex(end->context, &attr));
}

static void own_copy_is_blocked_body(struct side *side)
{
	struct rc_end end, other;
	struct ud_to to;

	(void)side;
	rc_open(&end, &ud_default);
	CHECK_EQ(ibv_destroy_qp(end.qp), 0);
	end.qp = deaf_to_itself(&end);
	rc_to_init(&end);
	rc_to_rtr(&end, &end.self);
	rc_to_rts(&end);
	attach(&end, 1);
	rc_recv(&end, 1, 0, UD_GRH + LENGTH);
	open_member(&other, 1);
	to = to_group(&end, 1);
	ud_send(&end, &to, 9, LENGTH);
	expect_copy(&other, end.qp->qp_num);
	rc_expect_nothing(end.recv_cq, 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	close_member(&end, 1);
	close_member(&other, 1);
}
ALONE(own_copy_is_blocked)

/* --- who hears nothing
 * ------------------------------------------------------------------ */

static void drops_body(struct side *side)
{
	struct rc_end end, full, empty;
	struct ud_to to, wrong;

	(void)side;
	ud_open(&end, &ud_default);
	ud_open(&empty, &ud_default);
	attach(&empty, 1); /* without a receive */
	open_member(&full, 1);
	to = to_group(&end, 1);
	wrong = to;
	wrong.qkey ^= 1;
	ud_send(&end, &wrong, 1, LENGTH);
	/* A group's address goes with no other number than the groups', nor that with any
	 * other address. */
	wrong = to;
	wrong.qpn = full.self.qpn;
	ud_send(&end, &wrong, 2, LENGTH);
	wrong = (struct ud_to){ ud_handle(&end, &end.self.gid), UD_MULTICAST_QPN,
		                UD_QKEY };
	ud_send(&end, &wrong, 3, LENGTH);
	rc_expect_nothing(full.recv_cq, 0);
	ud_send(&end, &to, 4, LENGTH);
	expect_copy(&full, end.self.qpn);
	rc_expect_state(&empty, IBV_QPS_RTS);
	/* And after it left. */
	detach(&full, 1);
	rc_recv(&full, 5, 0, UD_GRH + LENGTH);
	ud_send(&end, &to, 6, LENGTH);
	rc_expect_nothing(full.recv_cq, 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	CHECK_EQ(ibv_destroy_ah(wrong.ah), 0);
	rc_close(&end);
	rc_close(&full);
	close_member(&empty, 1);
}
ALONE(drops)

static void mistakes_body(struct side *side)
{
	union ibv_gid gid = group(1), other = group(2);
	struct ibv_qp_attr attr;
	struct rc_end end, rc;
	int mask;

	(void)side;
	ud_open(&end, &ud_default);
	rc_open(&rc, &rc_default);
	CHECK_EQ(ibv_attach_mcast(rc.qp, &gid, 0), EINVAL);
	CHECK_EQ(ibv_attach_mcast(end.qp, &end.self.gid, 0), EINVAL);
	CHECK_EQ(ibv_detach_mcast(end.qp, &gid, 0), EINVAL);
	attach(&end, 1);
	attach(&end, 1);
	CHECK_EQ(ibv_detach_mcast(end.qp, &other, 0), EINVAL);
	CHECK_EQ(ibv_destroy_qp(end.qp), EBUSY);
	detach(&end, 1);
	CHECK_EQ(ibv_detach_mcast(end.qp, &gid, 0), EINVAL);
	/* No connection leads to a group. */
	rc_to_init(&rc);
	rc.peer = rc.self;
	rc.peer.gid = gid;
	mask = rc_rtr_attributes(&rc, &attr);
	CHECK_EQ(ibv_modify_qp(rc.qp, &attr, mask), EINVAL);
	rc_close(&rc);
	rc_close(&end);
}
ALONE(mistakes)

/* --- coming and going while messages go out
 * ----------------------------------------------- */

enum { ROUNDS = 300 };

static void *come_and_go(void *argument)
{
	struct rc_end *end = argument;

	for (int i = 0; i < ROUNDS; i++) {
		attach(end, 1);
		detach(end, 1);
	}
	return NULL;
}

static void members_change_meanwhile_body(struct side *side)
{
	struct rc_end sender, restless, faithful;
	pthread_t thread;
	struct ud_to to;

	(void)side;
	ud_open(&sender, &ud_default);
	ud_open(&restless, &ud_default);
	open_member(&faithful, 1);
	to = to_group(&sender, 1);
	CHECK_EQ(pthread_create(&thread, NULL, come_and_go, &restless), 0);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		ud_send(&sender, &to, i, LENGTH);
		expect_copy(&faithful, sender.self.qpn);
		rc_recv(&faithful, 1, 0, UD_GRH + LENGTH);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&sender);
	rc_close(&restless);
	close_member(&faithful, 1);
}
ALONE(members_change_meanwhile)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_process_gets_one),
		cmocka_unit_test(members_are_killed),
		cmocka_unit_test(sender_gets_its_own),
		cmocka_unit_test(own_copy_is_blocked),
		cmocka_unit_test(drops),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(members_change_meanwhile),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
