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
#include "lib/rcop.h"

enum { BUFFER = 16384, LENGTH = 300 };

/* What a process has of a domain: a shared receive queue and memory, and perhaps the
 * target. */
struct share {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_xrcd *xrcd;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	struct ibv_qp *qp;
	uint8_t *buffer;
	uint32_t srqn;
};

/* What an initiator must know of one. */
struct share_address {
	struct rc_address rc;
	uint32_t srqn, reserved;
};

static struct ibv_xrcd *open_domain(struct ibv_context *context, int fd, int oflags)
{
	struct ibv_xrcd_init_attr attr = { .comp_mask = IBV_XRCD_INIT_ATTR_FD |
		                                        IBV_XRCD_INIT_ATTR_OFLAGS,
		                           .fd = fd,
		                           .oflags = oflags };

	return ibv_open_xrcd(context, &attr);
}

static struct ibv_srq *create_srq(struct share *share)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = 16, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
		             IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ,
		.srq_type = IBV_SRQT_XRC,
		.pd = share->pd,
		.xrcd = share->xrcd,
		.cq = share->cq,
	};

	return ibv_create_srq_ex(share->context, &attr);
}

/* fd: a file whose domain it is, or -1 for one of its own. */
static void share_open(struct share *share, int fd)
{
	*share = (struct share){ .context = rc_open_device() };
	share->pd = CHECK_OBJECT(ibv_alloc_pd(share->context));
	share->xrcd = CHECK_OBJECT(open_domain(share->context, fd, O_CREAT));
	share->cq = CHECK_OBJECT(ibv_create_cq(share->context, 64, NULL, NULL, 0));
	share->srq = CHECK_OBJECT(create_srq(share));
	CHECK_EQ(ibv_get_srq_num(share->srq, &share->srqn), 0);
	share->buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(share->buffer != MAP_FAILED);
	share->mr =
	        CHECK_OBJECT(ibv_reg_mr(share->pd, share->buffer, BUFFER, RC_ALL_ACCESS));
}

static void share_close(struct share *share)
{
	if (share->qp)
		CHECK_EQ(ibv_destroy_qp(share->qp), 0);
	CHECK_EQ(ibv_destroy_srq(share->srq), 0);
	CHECK_EQ(ibv_destroy_cq(share->cq), 0);
	CHECK_EQ(ibv_close_xrcd(share->xrcd), 0);
	CHECK_EQ(ibv_dereg_mr(share->mr), 0);
	CHECK_EQ(ibv_dealloc_pd(share->pd), 0);
	CHECK_EQ(ibv_close_device(share->context), 0);
	munmap(share->buffer, BUFFER);
}

static void create_target(struct share *share)
{
	struct ibv_qp_init_attr_ex attr = { .qp_type = IBV_QPT_XRC_RECV,
		                            .comp_mask = IBV_QP_INIT_ATTR_XRCD,
		                            .xrcd = share->xrcd };

	share->qp = CHECK_OBJECT(ibv_create_qp_ex(share->context, &attr));
}

static struct ibv_qp *open_target(struct share *share, uint32_t qpn)
{
	struct ibv_qp_open_attr attr = {
		.comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD |
		             IBV_QP_OPEN_ATTR_TYPE | IBV_QP_OPEN_ATTR_CONTEXT,
		.qp_num = qpn,
		.xrcd = share->xrcd,
		.qp_context = share,
		.qp_type = IBV_QPT_XRC_RECV,
	};

	return ibv_open_qp(share->context, &attr);
}

static void post_receive(struct share *share, uint64_t id, size_t offset, uint32_t length)
{
	struct ibv_sge sge = { (uintptr_t)share->buffer + offset, length,
		               share->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 }, *bad;

	CHECK_EQ(ibv_post_srq_recv(share->srq, &wr, &bad), 0);
}

static struct ibv_qp_attr target_attr(const struct rc_end *initiator,
                                      enum ibv_qp_state state)
{
	return (struct ibv_qp_attr){
		.qp_state = state,
		.port_num = RC_PORT,
		.qp_access_flags = RC_ALL_ACCESS,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = initiator->self.qpn,
		.rq_psn = initiator->self.psn,
		.max_dest_rd_atomic = 4,
		.min_rnr_timer = 12,
		.timeout = 14,
		.ah_attr = { .is_global = 1,
		             .port_num = RC_PORT,
		             .grh = { .dgid = initiator->self.gid,
		                      .sgid_index = (uint8_t)initiator->gid_index } },
	};
}

enum {
	TO_INIT = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	TO_RTR = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	         IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
	TO_RTS = IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_SQ_PSN,
};

static int move(struct ibv_qp *qp, const struct rc_end *initiator,
                enum ibv_qp_state state, int mask)
{
	struct ibv_qp_attr attr = target_attr(initiator, state);

	return ibv_modify_qp(qp, &attr, mask);
}

static void connect_target(struct share *share, const struct rc_end *initiator)
{
	CHECK_EQ(move(share->qp, initiator, IBV_QPS_INIT, TO_INIT), 0);
	CHECK_EQ(move(share->qp, initiator, IBV_QPS_RTR, TO_RTR), 0);
	CHECK_EQ(move(share->qp, initiator, IBV_QPS_RTS, TO_RTS), 0);
}

static struct rc_config initiator_config(void)
{
	struct rc_config config = rc_default;

	config.type = IBV_QPT_XRC_SEND;
	config.timeout = 10;
	config.retries = 2;
	return config;
}

/* It goes through a socket, and so no byte of it is left to chance. */
static struct share_address address_of(const struct share *share, uint32_t qpn,
                                       const union ibv_gid *gid)
{
	struct share_address address;

	memset(&address, 0, sizeof(address));
	address.rc.gid = *gid;
	address.rc.qpn = qpn;
	address.rc.psn = 1;
	address.rc.rkey = share->mr->rkey;
	address.rc.buffer = (uintptr_t)share->buffer;
	address.srqn = share->srqn;
	return address;
}

/* All in one process: an initiator, and a share with the target. */
struct both {
	struct rc_end initiator;
	struct share share;
};

static void both_open(struct both *both, const struct rc_config *config)
{
	struct share_address address;

	rc_open(&both->initiator, config);
	share_open(&both->share, -1);
	create_target(&both->share);
	address = address_of(&both->share, both->share.qp->qp_num,
	                     &both->initiator.self.gid);
	rc_connect(&both->initiator, &address.rc);
	connect_target(&both->share, &both->initiator);
}

static void both_close(struct both *both)
{
	rc_close(&both->initiator);
	share_close(&both->share);
}

static struct rc_op send_op(uint64_t id, uint32_t srqn)
{
	return (struct rc_op){ .opcode = IBV_WR_SEND,
		               .id = id,
		               .flags = IBV_SEND_SIGNALED,
		               .length = LENGTH,
		               .srqn = srqn };
}

static void send_to(struct rc_end *initiator, uint64_t id, uint32_t srqn)
{
	struct rc_op op = send_op(id, srqn);

	rc_do(initiator, &op);
	rc_sent(initiator, id);
}

static enum ibv_qp_state state_of(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(qp, &attr, IBV_QP_STATE, &init), 0);
	CHECK_EQ(init.qp_type, IBV_QPT_XRC_RECV);
	return attr.qp_state;
}

/* --- all operations -------------------------------------------------------------------
 */

static void expect_receive(struct both *both, struct share *share, uint64_t id,
                           uint32_t length)
{
	struct ibv_wc wc = rc_expect(share->cq, id, IBV_WC_SUCCESS);

	CHECK_EQ(wc.byte_len, length);
	CHECK_EQ(wc.qp_num, both->share.qp->qp_num);
	CHECK_EQ(wc.src_qp, both->initiator.self.qpn);
}

static void operations(const struct rc_config *config)
{
	struct rc_op op;
	struct both both;
	uint64_t *word;

	both_open(&both, config);
	word = (uint64_t *)both.share.buffer;
	for (uint32_t length = 8; length <= LENGTH; length += LENGTH - 8) {
		rc_fill(both.initiator.buffer, length, length);
		post_receive(&both.share, 1, 0, LENGTH);
		op = send_op(2, both.share.srqn);
		op.length = length;
		rc_do(&both.initiator, &op);
		rc_sent(&both.initiator, 2);
		expect_receive(&both, &both.share, 1, length);
		rc_expect_filled(both.share.buffer, length, length);
	}
	op = send_op(3, both.share.srqn);
	op.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	op.remote = 8192;
	op.imm = 99;
	post_receive(&both.share, 4, 0, 0);
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	expect_receive(&both, &both.share, 4, LENGTH);
	rc_expect_filled(both.share.buffer + 8192, LENGTH, LENGTH);
	op.opcode = IBV_WR_RDMA_READ;
	op.offset = 4096;
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	rc_expect_filled(both.initiator.buffer + 4096, LENGTH, LENGTH);
	op.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	op.remote = 0;
	op.length = 8;
	op.compare_add = 5;
	*word = 1000;
	rc_do(&both.initiator, &op);
	rc_sent(&both.initiator, 3);
	CHECK_EQ(*word, 1005);
	CHECK_EQ(*(uint64_t *)(both.initiator.buffer + 4096), 1000);
	both_close(&both);
}

static void every_operation_body(struct side *side)
{
	struct rc_config config = initiator_config();

	(void)side;
	operations(&config);
	config.extended = true;
	operations(&config);
}
ALONE(every_operation)

static void each_queue_its_own_body(struct side *side)
{
	struct rc_config config = initiator_config();
	struct share second;
	struct both both;

	(void)side;
	both_open(&both, &config);
	second = both.share;
	second.cq = CHECK_OBJECT(ibv_create_cq(second.context, 16, NULL, NULL, 0));
	second.srq = CHECK_OBJECT(create_srq(&second));
	CHECK_EQ(ibv_get_srq_num(second.srq, &second.srqn), 0);
	CHECK(second.srqn != both.share.srqn);
	post_receive(&both.share, 1, 0, LENGTH);
	post_receive(&second, 2, 4096, LENGTH);
	send_to(&both.initiator, 3, second.srqn);
	expect_receive(&both, &second, 2, LENGTH);
	rc_expect_nothing(both.share.cq, 0);
	send_to(&both.initiator, 4, both.share.srqn);
	/* Completions that nobody polled go with their queue. */
	post_receive(&second, 5, 4096, LENGTH);
	send_to(&both.initiator, 6, second.srqn);
	CHECK_EQ(ibv_destroy_srq(second.srq), 0);
	rc_expect_nothing(second.cq, 0);
	CHECK_EQ(ibv_destroy_cq(second.cq), 0);
	expect_receive(&both, &both.share, 1, LENGTH);
	both_close(&both);
}
ALONE(each_queue_its_own)

/* --- what is refused
 * -------------------------------------------------------------------- */

static void expect_refusal(struct both *both, uint32_t srqn, enum ibv_wc_status status)
{
	struct rc_op op = send_op(1, srqn);

	rc_do(&both->initiator, &op);
	rc_expect(both->initiator.send_cq, 1, status);
	rc_expect_state(&both->initiator, IBV_QPS_ERR);
}

static void no_such_queue_body(struct side *side)
{
	struct rc_config config = initiator_config();
	struct share stranger;
	struct both both;

	(void)side;
	both_open(&both, &config);
	expect_refusal(&both, both.share.srqn ^ 0x100, IBV_WC_REM_INV_REQ_ERR);
	CHECK_EQ(state_of(both.share.qp), IBV_QPS_ERR);
	both_close(&both);
	/* That of another domain is none. */
	both_open(&both, &config);
	share_open(&stranger, -1);
	post_receive(&stranger, 1, 0, LENGTH);
	expect_refusal(&both, stranger.srqn, IBV_WC_REM_INV_REQ_ERR);
	rc_expect_nothing(stranger.cq, 0);
	share_close(&stranger);
	both_close(&both);
}
ALONE(no_such_queue)

static void no_receive_body(struct side *side)
{
	struct rc_config config = initiator_config();
	struct both both;

	(void)side;
	config.rnr_retries = 1;
	both_open(&both, &config);
	expect_refusal(&both, both.share.srqn, IBV_WC_RNR_RETRY_EXC_ERR);
	CHECK_EQ(state_of(both.share.qp), IBV_QPS_RTS);
	both_close(&both);
}
ALONE(no_receive)

/* Keys are of the queue's protection domain. */
static void key_of_another_domain_body(struct side *side)
{
	struct rc_config config = initiator_config();
	struct rc_op op;
	struct both both;

	(void)side;
	both_open(&both, &config);
	op = send_op(1, both.share.srqn);
	op.opcode = IBV_WR_RDMA_WRITE;
	op.rkey = both.initiator.mr->rkey;
	rc_do(&both.initiator, &op);
	rc_expect(both.initiator.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(state_of(both.share.qp), IBV_QPS_ERR);
	both_close(&both);
}
ALONE(key_of_another_domain)

static void mistakes_body(struct side *side)
{
	struct rc_config config = initiator_config();
	struct ibv_srq_init_attr_ex attr = { .attr = { .max_wr = 4, .max_sge = 1 },
		                             .comp_mask = IBV_SRQ_INIT_ATTR_PD };
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND }, *bad_send;
	struct ibv_recv_wr receive = { .wr_id = 1 }, *bad_receive;
	struct ibv_srq *basic;
	struct both both;
	uint32_t number;

	(void)side;
	both_open(&both, &config);
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
	CHECK(!open_target(&both.share, both.initiator.self.qpn) && errno == EINVAL);
	CHECK(!open_target(&both.share, both.share.srqn) && errno == EINVAL);
	both_close(&both);
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
	struct rc_config config = initiator_config();
	struct ibv_qp_attr attr;
	struct rc_end end;
	struct share share;
	int mask;

	(void)side;
	rc_open(&end, &config);
	share_open(&share, -1);
	create_target(&share);
	rc_to_init(&end);
	end.peer = end.self;
	mask = rc_rtr_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~IBV_QP_DEST_QPN), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_QKEY), EINVAL);
	/* What an initiator has no use for is left out, as the kernel does. */
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_MIN_RNR_TIMER), 0);
	mask = rc_rts_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~IBV_QP_RETRY_CNT), EINVAL);
	CHECK_EQ(move(share.qp, &end, IBV_QPS_INIT, TO_INIT), 0);
	CHECK_EQ(move(share.qp, &end, IBV_QPS_RTR, TO_RTR & ~IBV_QP_MIN_RNR_TIMER),
	         EINVAL);
	CHECK_EQ(move(share.qp, &end, IBV_QPS_RTR, TO_RTR), 0);
	CHECK_EQ(move(share.qp, &end, IBV_QPS_RTS, TO_RTS & ~IBV_QP_TIMEOUT), EINVAL);
	CHECK_EQ(move(share.qp, &end, IBV_QPS_RTS, TO_RTS | IBV_QP_RETRY_CNT), 0);
	rc_close(&end);
	share_close(&share);
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
	CHECK_FAILS(open_domain(context, fd, 0), EAGAIN);
	first = CHECK_OBJECT(open_domain(context, fd, O_CREAT | O_EXCL));
	CHECK_FAILS(open_domain(context, fd, O_CREAT | O_EXCL), EINVAL);
	again = CHECK_OBJECT(open_domain(context, fd, 0));
	CHECK_EQ(ibv_close_xrcd(first), 0);
	first = CHECK_OBJECT(open_domain(context, fd, O_CREAT));
	CHECK_EQ(ibv_close_xrcd(again), 0);
	CHECK_EQ(ibv_close_xrcd(first), 0);
	CHECK_FAILS(open_domain(context, fd, 0), EAGAIN);
	close(fd);
	CHECK_FAILS(open_domain(context, fd, O_CREAT), EBADF);
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

static void put_address(struct side *side, const struct share *share, uint32_t qpn)
{
	union ibv_gid gid;
	int index = rc_find_gid(share->context, "127.0.0.1");
	struct share_address address;

	CHECK_EQ(ibv_query_gid(share->context, RC_PORT, index, &gid), 0);
	address = address_of(share, qpn, &gid);
	side_put(side, &address, sizeof(address));
}

/* Has a queue of the domain; takes over the target when it is told its number. */
static void queue_process(struct side *side)
{
	const struct plan *plan = side->argument;
	struct ibv_qp_attr error = { .qp_state = IBV_QPS_ERR };
	struct share share;
	uint32_t qpn;

	share_open(&share, plan->fd);
	post_receive(&share, 1, 0, LENGTH);
	post_receive(&share, 2, 4096, LENGTH);
	put_address(side, &share, 0);
	side_get(side, &qpn, sizeof(qpn));
	if (plan->killed)
		raise(SIGKILL);
	CHECK_EQ(rc_expect(share.cq, 1, IBV_WC_SUCCESS).qp_num, qpn);
	rc_expect_filled(share.buffer, LENGTH, 1);
	share.qp = CHECK_OBJECT(open_target(&share, qpn));
	CHECK_EQ(share.qp->qp_num, qpn);
	CHECK(share.qp->qp_context == &share);
	CHECK_EQ(state_of(share.qp), IBV_QPS_RTS);
	side_meet(side); /* opened: who made it lets go of it */
	side_meet(side);
	rc_expect(share.cq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_modify_qp(share.qp, &error, IBV_QP_STATE), 0);
	CHECK_EQ(state_of(share.qp), IBV_QPS_ERR);
	side_meet(side);
	side_meet(side);
	share_close(&share);
}

/* Has made the target, with a queue of its own. */
static void expect_shared(struct side *queues, struct rc_end *initiator,
                          struct share *share, uint32_t srqn)
{
	struct rc_op op = send_op(9, srqn);
	uint32_t qpn = share->qp->qp_num;

	post_receive(share, 3, 0, LENGTH);
	send_to(initiator, 4, share->srqn);
	rc_expect(share->cq, 3, IBV_WC_SUCCESS);
	side_meet(queues);
	/* It outlives the handle that it was made with. */
	CHECK_EQ(ibv_destroy_qp(share->qp), 0);
	share->qp = NULL;
	send_to(initiator, 5, srqn);
	side_meet(queues);
	side_meet(queues);
	rc_do(initiator, &op);
	rc_expect(initiator->send_cq, 9, IBV_WC_RETRY_EXC_ERR);
	side_meet(queues);
	CHECK(!open_target(share, qpn ^ 1));
}

static void run_shared(bool killed)
{
	char path[4096];
	struct plan plan = { .fd = make_file(path, sizeof(path)), .killed = killed };
	struct process process = process_start("queue", queue_process, &plan);
	struct side queues = { .socket = process.socket, .other = process.pid };
	struct rc_config config = initiator_config();
	struct share_address address;
	struct rc_end initiator;
	struct share share;

	rc_open(&initiator, &config);
	share_open(&share, plan.fd);
	create_target(&share);
	side_get(&queues, &address, sizeof(address));
	address.rc.qpn = share.qp->qp_num;
	rc_connect(&initiator, &address.rc);
	connect_target(&share, &initiator);
	rc_fill(initiator.buffer, LENGTH, 1);
	if (killed) {
		struct rc_op op = send_op(4, address.srqn);

		side_put(&queues, &address.rc.qpn, sizeof(address.rc.qpn));
		process_wait(&process);
		rc_do(&initiator, &op);
		rc_expect(initiator.send_cq, 4, IBV_WC_REM_INV_REQ_ERR);
		CHECK_EQ(state_of(share.qp), IBV_QPS_ERR);
	} else {
		send_to(&initiator, 4, address.srqn);
		side_put(&queues, &address.rc.qpn, sizeof(address.rc.qpn));
		expect_shared(&queues, &initiator, &share, address.srqn);
		process_expect_success(&process);
	}
	rc_close(&initiator);
	share_close(&share);
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
	struct share share;
	uint32_t qpn;

	share_open(&share, plan->fd);
	side_get(side, &qpn, sizeof(qpn));
	CHECK_OBJECT(open_target(&share, qpn));
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
	struct share share;
	struct ibv_qp *again;
	uint32_t qpn;

	(void)side;
	share_open(&share, plan.fd);
	create_target(&share);
	qpn = share.qp->qp_num;
	side_put(&holder, &qpn, sizeof(qpn));
	side_meet(&holder);
	again = CHECK_OBJECT(open_target(&share, qpn));
	process_wait(&process);
	CHECK_EQ(ibv_destroy_qp(share.qp), 0);
	share.qp = CHECK_OBJECT(open_target(&share, qpn));
	CHECK_EQ(ibv_destroy_qp(share.qp), 0);
	CHECK_EQ(ibv_destroy_qp(again), 0);
	CHECK_FAILS(open_target(&share, qpn), EINVAL);
	share.qp = NULL;
	share_close(&share);
	close(plan.fd);
	unlink(path);
}
ALONE(holder_is_killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
		cmocka_unit_test(each_queue_its_own),
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
