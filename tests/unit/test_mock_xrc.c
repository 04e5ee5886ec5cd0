// SPDX-License-Identifier: BSD-2-Clause
/*
 * Extended reliable connections: one target serves the shared receive queues of its
 * domain, whichever process they are in, and each request says which one it is for.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/xrc.h"

/* --- all operations -------------------------------------------------------------------
 */

static void operations(const struct rc_config *config)
{
	struct rc_op op;
	struct xrc_both both;
	uint64_t *word;

	xrc_both_open(&both, config);
	word = (uint64_t *)both.share.buffer;
	for (uint32_t length = 8; length <= XRC_LENGTH; length += XRC_LENGTH - 8) {
		rc_fill(both.initiator.buffer, length, length);
		xrc_post_receive(&both.share, 1, 0, XRC_LENGTH);
		op = xrc_send_op(2, both.share.srqn);
		op.length = length;
		rc_do(&both.initiator, &op);
		rc_sent(&both.initiator, 2);
		xrc_expect_receive(&both, &both.share, 1, length);
		rc_expect_filled(both.share.buffer, length, length);
	}
	op = xrc_send_op(3, both.share.srqn);
	op.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	op.remote = 8192;
	op.imm = 99;
	xrc_post_receive(&both.share, 4, 0, 0);
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	xrc_expect_receive(&both, &both.share, 4, XRC_LENGTH);
	rc_expect_filled(both.share.buffer + 8192, XRC_LENGTH, XRC_LENGTH);
	op.opcode = IBV_WR_RDMA_READ;
	op.offset = 4096;
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	rc_expect_filled(both.initiator.buffer + 4096, XRC_LENGTH, XRC_LENGTH);
	op.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	op.remote = 0;
	op.length = 8;
	op.compare_add = 5;
	*word = 1000;
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	CHECK_EQ(*word, 1005);
	CHECK_EQ(*(uint64_t *)(both.initiator.buffer + 4096), 1000);
	xrc_both_close(&both);
}

static void every_operation_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();

	(void)side;
	operations(&config);
	config.extended = true;
	operations(&config);
}
ALONE(every_operation)

static void each_queue_its_own_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct xrc_share second;
	struct xrc_both both;

	(void)side;
	xrc_both_open(&both, &config);
	second = both.share;
	second.cq = CHECK_OBJECT(ibv_create_cq(second.context, 16, NULL, NULL, 0));
	second.srq = CHECK_OBJECT(xrc_create_srq(&second));
	CHECK_EQ(ibv_get_srq_num(second.srq, &second.srqn), 0);
	CHECK(second.srqn != both.share.srqn);
	xrc_post_receive(&both.share, 1, 0, XRC_LENGTH);
	xrc_post_receive(&second, 2, 4096, XRC_LENGTH);
	xrc_send_to(&both.initiator, 3, second.srqn);
	xrc_expect_receive(&both, &second, 2, XRC_LENGTH);
	rc_expect_nothing(both.share.cq, 0);
	xrc_send_to(&both.initiator, 4, both.share.srqn);
	/* Completions that nobody polled go with their queue. */
	xrc_post_receive(&second, 5, 4096, XRC_LENGTH);
	xrc_send_to(&both.initiator, 6, second.srqn);
	CHECK_EQ(ibv_destroy_srq(second.srq), 0);
	rc_expect_nothing(second.cq, 0);
	CHECK_EQ(ibv_destroy_cq(second.cq), 0);
	xrc_expect_receive(&both, &both.share, 1, XRC_LENGTH);
	xrc_both_close(&both);
}
ALONE(each_queue_its_own)

/* --- memory windows --------------------------------------------------------------------
 */

/* An initiator in the share's own protection domain, so that it may bind windows to the
 * share's memory. */
static void open_in_one_domain(struct xrc_both *both, struct ibv_mr **region)
{
	struct rc_config config = xrc_initiator_config();
	struct xrc_address address;

	xrc_share_open(&both->share, -1);
	rc_open_in(&both->initiator, &config, both->share.context, both->share.pd);
	xrc_create_target(&both->share);
	address = xrc_address_of(&both->share, both->share.qp->qp_num,
	                         &both->initiator.self.gid);
	rc_connect(&both->initiator, &address.rc);
	xrc_connect_target(&both->share, &both->initiator);
	*region = CHECK_OBJECT(ibv_reg_mr(both->share.pd, both->share.buffer, XRC_BUFFER,
	                                  RC_ALL_ACCESS | IBV_ACCESS_MW_BIND));
}

static void close_in_one_domain(struct xrc_both *both, struct ibv_mr *region)
{
	CHECK_EQ(ibv_dereg_mr(region), 0);
	rc_close_in(&both->initiator);
	xrc_share_close(&both->share);
}

/* Of type 1, they are the domain's: what comes through the target may use them. */
static void windows_of_type_1_body(struct side *side)
{
	struct ibv_mw_bind bind = { .wr_id = 7, .send_flags = IBV_SEND_SIGNALED };
	struct ibv_mr *region;
	struct xrc_both both;
	struct ibv_mw *mw;
	struct rc_op op;

	(void)side;
	open_in_one_domain(&both, &region);
	mw = CHECK_OBJECT(ibv_alloc_mw(both.share.pd, IBV_MW_TYPE_1));
	bind.bind_info = (struct ibv_mw_bind_info){ region, (uintptr_t)both.share.buffer,
		                                    4096, IBV_ACCESS_REMOTE_WRITE };
	CHECK_EQ(ibv_bind_mw(both.initiator.qp, mw, &bind), 0);
	CHECK_EQ(rc_expect(both.initiator.send_cq, 7, IBV_WC_SUCCESS).opcode,
	         IBV_WC_BIND_MW);
	rc_fill(both.initiator.buffer, XRC_LENGTH, 3);
	op = xrc_send_op(1, both.share.srqn);
	op.opcode = IBV_WR_RDMA_WRITE;
	op.rkey = mw->rkey;
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 1);
	rc_expect_filled(both.share.buffer, XRC_LENGTH, 3);
	op.remote = 4096; /* beyond the window */
	rc_do(&both.initiator, &op);
	rc_expect(both.initiator.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	close_in_one_domain(&both, region);
}
ALONE(windows_of_type_1)

static void post_window(struct xrc_both *both, struct ibv_send_wr *wr,
                        enum ibv_wc_opcode opcode)
{
	struct ibv_send_wr *bad;

	wr->wr_id = 7;
	wr->send_flags = IBV_SEND_SIGNALED;
	CHECK_EQ(ibv_post_send(both->initiator.qp, wr, &bad), 0);
	CHECK_EQ(rc_expect(both->initiator.send_cq, 7, IBV_WC_SUCCESS).opcode, opcode);
}

/* Of type 2, they are the initiator's that bound them, to invalidate again; a target has
 * none, so a SEND that is to invalidate one of its fails (IBA 10.6.7.2.6). */
static void windows_of_type_2_body(struct side *side)
{
	struct ibv_send_wr bind = { .opcode = IBV_WR_BIND_MW };
	struct ibv_send_wr invalidate = { .opcode = IBV_WR_LOCAL_INV };
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND_WITH_INV, .wr_id = 8 }, *bad;
	struct ibv_mr *region;
	struct xrc_both both;
	struct ibv_mw *mw;

	(void)side;
	open_in_one_domain(&both, &region);
	mw = CHECK_OBJECT(ibv_alloc_mw(both.share.pd, IBV_MW_TYPE_2));
	bind.bind_mw.mw = mw;
	bind.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	bind.bind_mw.bind_info =
	        (struct ibv_mw_bind_info){ region, (uintptr_t)both.share.buffer, 4096,
		                           IBV_ACCESS_REMOTE_WRITE };
	post_window(&both, &bind, IBV_WC_BIND_MW);
	CHECK_EQ(ibv_dereg_mr(region), EBUSY);
	invalidate.invalidate_rkey = bind.bind_mw.rkey;
	post_window(&both, &invalidate, IBV_WC_LOCAL_INV);
	bind.bind_mw.rkey = ibv_inc_rkey(bind.bind_mw.rkey);
	post_window(&both, &bind, IBV_WC_BIND_MW);
	xrc_post_receive(&both.share, 1, 8192, 64);
	send.invalidate_rkey = bind.bind_mw.rkey;
	send.qp_type.xrc.remote_srqn = both.share.srqn;
	CHECK_EQ(ibv_post_send(both.initiator.qp, &send, &bad), 0);
	rc_expect(both.initiator.send_cq, 8, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	close_in_one_domain(&both, region);
}
ALONE(windows_of_type_2)

/* --- what is refused
 * -------------------------------------------------------------------- */

static void expect_refusal(struct xrc_both *both, uint32_t srqn,
                           enum ibv_wc_status status)
{
	struct rc_op op = xrc_send_op(1, srqn);

	rc_do(&both->initiator, &op);
	rc_expect(both->initiator.send_cq, 1, status);
	rc_expect_state(&both->initiator, IBV_QPS_ERR);
}

static void no_such_queue_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct xrc_share stranger;
	struct xrc_both both;

	(void)side;
	xrc_both_open(&both, &config);
	expect_refusal(&both, both.share.srqn ^ 0x100, IBV_WC_REM_INV_REQ_ERR);
	CHECK_EQ(xrc_state_of(both.share.qp), IBV_QPS_ERR);
	xrc_both_close(&both);
	/* That of another domain is none. */
	xrc_both_open(&both, &config);
	xrc_share_open(&stranger, -1);
	xrc_post_receive(&stranger, 1, 0, XRC_LENGTH);
	expect_refusal(&both, stranger.srqn, IBV_WC_REM_INV_REQ_ERR);
	rc_expect_nothing(stranger.cq, 0);
	xrc_share_close(&stranger);
	xrc_both_close(&both);
}
ALONE(no_such_queue)

static void no_receive_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct xrc_both both;

	(void)side;
	config.rnr_retries = 1;
	xrc_both_open(&both, &config);
	expect_refusal(&both, both.share.srqn, IBV_WC_RNR_RETRY_EXC_ERR);
	CHECK_EQ(xrc_state_of(both.share.qp), IBV_QPS_RTS);
	xrc_both_close(&both);
}
ALONE(no_receive)

/* Keys are of the queue's protection domain. */
static void key_of_another_domain_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct rc_op op;
	struct xrc_both both;

	(void)side;
	xrc_both_open(&both, &config);
	op = xrc_send_op(1, both.share.srqn);
	op.opcode = IBV_WR_RDMA_WRITE;
	op.rkey = both.initiator.mr->rkey;
	rc_do(&both.initiator, &op);
	rc_expect(both.initiator.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(xrc_state_of(both.share.qp), IBV_QPS_ERR);
	xrc_both_close(&both);
}
ALONE(key_of_another_domain)

static void mistakes_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct ibv_srq_init_attr_ex attr = { .attr = { .max_wr = 4, .max_sge = 1 },
		                             .comp_mask = IBV_SRQ_INIT_ATTR_PD };
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND }, *bad_send;
	struct ibv_recv_wr receive = { .wr_id = 1 }, *bad_receive;
	struct ibv_srq *basic;
	struct xrc_both both;
	uint32_t number;

	(void)side;
	xrc_both_open(&both, &config);
	CHECK_EQ(ibv_post_send(both.share.qp, &send, &bad_send), EINVAL);
	CHECK_EQ(ibv_post_recv(both.share.qp, &receive, &bad_receive), EINVAL);
	CHECK_EQ(ibv_post_recv(both.initiator.qp, &receive, &bad_receive), EINVAL);
	CHECK_EQ(ibv_close_xrcd(both.share.xrcd), EBUSY);
	CHECK_EQ(ibv_destroy_cq(both.share.cq), EBUSY);
	attr.pd = both.share.pd;
	basic = CHECK_OBJECT(ibv_create_srq_ex(both.share.context, &attr));
	CHECK_EQ(ibv_get_srq_num(basic, &number), EINVAL);
	CHECK_EQ(ibv_destroy_srq(basic), 0);
	attr.comp_mask |= IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_XRCD;
	attr.srq_type = IBV_SRQT_XRC;
	attr.xrcd = both.share.xrcd;
	CHECK_FAILS(ibv_create_srq_ex(both.share.context, &attr), EINVAL);
	attr.srq_type = IBV_SRQT_TM;
	CHECK_FAILS(ibv_create_srq_ex(both.share.context, &attr), EOPNOTSUPP);
	CHECK(!xrc_open_target(&both.share, both.initiator.self.qpn) && errno == EINVAL);
	CHECK(!xrc_open_target(&both.share, both.share.srqn) && errno == EINVAL);
	xrc_both_close(&both);
}
ALONE(mistakes)

static void targets_need_a_domain_body(struct side *side)
{
	struct ibv_qp_init_attr_ex attr = { .qp_type = IBV_QPT_XRC_RECV,
		                            .comp_mask = IBV_QP_INIT_ATTR_PD };
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	attr.pd = end.pd;
	CHECK_FAILS(ibv_create_qp_ex(end.context, &attr), EINVAL);
	CHECK_FAILS(ibv_create_qp(end.pd, (struct ibv_qp_init_attr *)&attr), EINVAL);
	rc_close(&end);
}
ALONE(targets_need_a_domain)

static void attributes_body(struct side *side)
{
	struct rc_config config = xrc_initiator_config();
	struct ibv_qp_attr attr;
	struct rc_end end;
	struct xrc_share share;
	int mask;

	(void)side;
	rc_open(&end, &config);
	xrc_share_open(&share, -1);
	xrc_create_target(&share);
	rc_to_init(&end);
	end.peer = end.self;
	mask = rc_rtr_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~IBV_QP_DEST_QPN), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_QKEY), EINVAL);
	/* What an initiator has no use for is left out, as the kernel does. */
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_MIN_RNR_TIMER), 0);
	mask = rc_rts_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~IBV_QP_RETRY_CNT), EINVAL);
	CHECK_EQ(xrc_move(share.qp, &end, IBV_QPS_INIT, XRC_TO_INIT), 0);
	CHECK_EQ(
	        xrc_move(share.qp, &end, IBV_QPS_RTR, XRC_TO_RTR & ~IBV_QP_MIN_RNR_TIMER),
	        EINVAL);
	CHECK_EQ(xrc_move(share.qp, &end, IBV_QPS_RTR, XRC_TO_RTR), 0);
	CHECK_EQ(xrc_move(share.qp, &end, IBV_QPS_RTS, XRC_TO_RTS & ~IBV_QP_TIMEOUT),
	         EINVAL);
	CHECK_EQ(xrc_move(share.qp, &end, IBV_QPS_RTS, XRC_TO_RTS | IBV_QP_RETRY_CNT), 0);
	rc_close(&end);
	xrc_share_close(&share);
}
ALONE(attributes)

/* --- domains
 * ------------------------------------------------------------------------------ */

static int make_file(char *path, size_t size)
{
	snprintf(path, size, "%s/domain.%d",
	         getenv("TEST_TMP") ? getenv("TEST_TMP") : "/tmp", (int)getpid());
	return (int)CHECK_CALL(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static void domains_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_xrcd_init_attr attr = { .comp_mask = IBV_XRCD_INIT_ATTR_FD, .fd = -1 };
	struct ibv_xrcd *first, *again;
	char path[4096];
	int fd = make_file(path, sizeof(path));

	(void)side;
	CHECK_FAILS(ibv_open_xrcd(context, &attr), EINVAL);
	CHECK_FAILS(xrc_open_domain(context, fd, 0), EAGAIN);
	first = CHECK_OBJECT(xrc_open_domain(context, fd, O_CREAT | O_EXCL));
	CHECK_FAILS(xrc_open_domain(context, fd, O_CREAT | O_EXCL), EINVAL);
	again = CHECK_OBJECT(xrc_open_domain(context, fd, 0));
	CHECK_EQ(ibv_close_xrcd(first), 0);
	first = CHECK_OBJECT(xrc_open_domain(context, fd, O_CREAT));
	CHECK_EQ(ibv_close_xrcd(again), 0);
	CHECK_EQ(ibv_close_xrcd(first), 0);
	CHECK_FAILS(xrc_open_domain(context, fd, 0), EAGAIN);
	close(fd);
	CHECK_FAILS(xrc_open_domain(context, fd, O_CREAT), EBADF);
	unlink(path);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(domains)

/* --- a domain of several processes
 * -------------------------------------------------------- */

struct plan {
	int fd;      /* of the domain */
	bool killed; /* the queue's process, in the middle */
};

static void put_address(struct side *side, const struct xrc_share *share, uint32_t qpn)
{
	union ibv_gid gid;
	int index = rc_find_gid(share->context, "127.0.0.1");
	struct xrc_address address;

	CHECK_EQ(ibv_query_gid(share->context, RC_PORT, index, &gid), 0);
	address = xrc_address_of(share, qpn, &gid);
	side_put(side, &address, sizeof(address));
}

/* Has a queue of the domain; takes over the target when it is told its number. */
static void queue_process(struct side *side)
{
	const struct plan *plan = side->argument;
	struct ibv_qp_attr error = { .qp_state = IBV_QPS_ERR };
	struct xrc_share share;
	uint32_t qpn;

	xrc_share_open(&share, plan->fd);
	xrc_post_receive(&share, 1, 0, XRC_LENGTH);
	xrc_post_receive(&share, 2, 4096, XRC_LENGTH);
	put_address(side, &share, 0);
	side_get(side, &qpn, sizeof(qpn));
	if (plan->killed)
		raise(SIGKILL);
	CHECK_EQ(rc_expect(share.cq, 1, IBV_WC_SUCCESS).qp_num, qpn);
	rc_expect_filled(share.buffer, XRC_LENGTH, 1);
	share.qp = CHECK_OBJECT(xrc_open_target(&share, qpn));
	CHECK_EQ(share.qp->qp_num, qpn);
	CHECK(share.qp->qp_context == &share);
	CHECK_EQ(xrc_state_of(share.qp), IBV_QPS_RTS);
	side_meet(side); /* opened: who made it lets go of it */
	side_meet(side);
	rc_expect(share.cq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_modify_qp(share.qp, &error, IBV_QP_STATE), 0);
	CHECK_EQ(xrc_state_of(share.qp), IBV_QPS_ERR);
	side_meet(side);
	side_meet(side);
	xrc_share_close(&share);
}

/* Has made the target, with a queue of its own. */
static void expect_shared(struct side *queues, struct rc_end *initiator,
                          struct xrc_share *share, uint32_t srqn)
{
	struct rc_op op = xrc_send_op(9, srqn);
	uint32_t qpn = share->qp->qp_num;

	xrc_post_receive(share, 3, 0, XRC_LENGTH);
	xrc_send_to(initiator, 4, share->srqn);
	rc_expect(share->cq, 3, IBV_WC_SUCCESS);
	side_meet(queues);
	/* It outlives the handle that it was made with. */
	CHECK_EQ(ibv_destroy_qp(share->qp), 0);
	share->qp = NULL;
	xrc_send_to(initiator, 5, srqn);
	side_meet(queues);
	side_meet(queues);
	rc_do(initiator, &op);
	rc_expect(initiator->send_cq, 9, IBV_WC_RETRY_EXC_ERR);
	side_meet(queues);
	CHECK(!xrc_open_target(share, qpn ^ 1));
}

static void run_shared(bool killed)
{
	char path[4096];
	struct plan plan = { .fd = make_file(path, sizeof(path)), .killed = killed };
	struct process process = process_start("queue", queue_process, &plan);
	struct side queues = { .socket = process.socket, .other = process.pid };
	struct rc_config config = xrc_initiator_config();
	struct xrc_address address;
	struct rc_end initiator;
	struct xrc_share share;

	rc_open(&initiator, &config);
	xrc_share_open(&share, plan.fd);
	xrc_create_target(&share);
	side_get(&queues, &address, sizeof(address));
	address.rc.qpn = share.qp->qp_num;
	rc_connect(&initiator, &address.rc);
	xrc_connect_target(&share, &initiator);
	rc_fill(initiator.buffer, XRC_LENGTH, 1);
	if (killed) {
		struct rc_op op = xrc_send_op(4, address.srqn);

		side_put(&queues, &address.rc.qpn, sizeof(address.rc.qpn));
		process_wait(&process);
		rc_do(&initiator, &op);
		rc_expect(initiator.send_cq, 4, IBV_WC_REM_INV_REQ_ERR);
		CHECK_EQ(xrc_state_of(share.qp), IBV_QPS_ERR);
	} else {
		xrc_send_to(&initiator, 4, address.srqn);
		side_put(&queues, &address.rc.qpn, sizeof(address.rc.qpn));
		expect_shared(&queues, &initiator, &share, address.srqn);
		process_expect_success(&process);
	}
	rc_close(&initiator);
	xrc_share_close(&share);
	close(plan.fd);
	unlink(path);
}

static void shared_by_processes_body(struct side *side)
{
	(void)side;
	run_shared(false);
}
ALONE(shared_by_processes)

static void owner_of_the_queue_is_killed_body(struct side *side)
{
	(void)side;
	run_shared(true);
}
ALONE(owner_of_the_queue_is_killed)

/* --- a handle whose holder is killed
 * -------------------------------------------------------- */

static void killed_holder(struct side *side)
{
	const struct plan *plan = side->argument;
	struct xrc_share share;
	uint32_t qpn;

	xrc_share_open(&share, plan->fd);
	side_get(side, &qpn, sizeof(qpn));
	CHECK_OBJECT(xrc_open_target(&share, qpn));
	side_meet(side);
	raise(SIGKILL);
}

/* It goes with its holder, and the target with the last one. */
static void holder_is_killed_body(struct side *side)
{
	char path[4096];
	struct plan plan = { .fd = make_file(path, sizeof(path)) };
	struct process process = process_start("holder", killed_holder, &plan);
	struct side holder = { .socket = process.socket, .other = process.pid };
	struct xrc_share share;
	struct ibv_qp *again;
	uint32_t qpn;

	(void)side;
	xrc_share_open(&share, plan.fd);
	xrc_create_target(&share);
	qpn = share.qp->qp_num;
	side_put(&holder, &qpn, sizeof(qpn));
	side_meet(&holder);
	again = CHECK_OBJECT(xrc_open_target(&share, qpn));
	process_wait(&process);
	CHECK_EQ(ibv_destroy_qp(share.qp), 0);
	share.qp = CHECK_OBJECT(xrc_open_target(&share, qpn));
	CHECK_EQ(ibv_destroy_qp(share.qp), 0);
	CHECK_EQ(ibv_destroy_qp(again), 0);
	CHECK_FAILS(xrc_open_target(&share, qpn), EINVAL);
	share.qp = NULL;
	xrc_share_close(&share);
	close(plan.fd);
	unlink(path);
}
ALONE(holder_is_killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
		cmocka_unit_test(each_queue_its_own),
		cmocka_unit_test(windows_of_type_1),
		cmocka_unit_test(windows_of_type_2),
		cmocka_unit_test(no_such_queue),
		cmocka_unit_test(no_receive),
		cmocka_unit_test(key_of_another_domain),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(targets_need_a_domain),
		cmocka_unit_test(attributes),
		cmocka_unit_test(domains),
		cmocka_unit_test(shared_by_processes),
		cmocka_unit_test(owner_of_the_queue_is_killed),
		cmocka_unit_test(holder_is_killed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
