/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs themselves: sequences of calls, right and wrong, by two threads of one
 * process and by another process, on objects that they share and on objects of their own.
 * Handles are always live ones, since what a stale pointer does is nobody's to say;
 * everything else is drawn from the input. At the end all objects can be destroyed, in
 * their order.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <infiniband/verbs.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                             \
	do {                                                                        \
		if (!(condition)) {                                                 \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, \
			        __LINE__, #condition, errno);                       \
			abort();                                                    \
		}                                                                   \
	} while (0)

enum {
	ARENA = 1 << 16, /* all memory that is ever registered */
	OWN = 4,         /* objects of each kind that a thread may have */
	SHARED_QPS = 6,
	CROSS = 5, /* of them the one that is connected to the other process */
	CALLS_MOST = 200,
};

/* What the other process has to know. */
struct address {
	union ibv_gid gid;
	uint32_t qpn, rkey;
	uint64_t arena;
};

/* Made for each input, used by all threads of a process. */
struct shared {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	struct ibv_qp *qp[SHARED_QPS];
	struct ibv_ah *ah;
	int gid_index;
	struct address self, peer;
};

/* What a thread alone makes and destroys. */
struct world {
	struct shared *shared;
	const uint8_t *at, *end;
	struct ibv_pd *pd[OWN];
	struct ibv_cq *cq[OWN];
	struct ibv_srq *srq[OWN];
	struct ibv_mr *mr[OWN];
	struct ibv_mw *mw[OWN];
	struct ibv_qp *qp[OWN];
	struct ibv_dm *dm[OWN];
	struct ibv_xrcd *xrcd[OWN];
	bool extended[OWN]; /* which of the CQs are */
};

static uint8_t arena[ARENA] __attribute__((aligned(4096)));
static int peer_socket = -1;
static char directory[] = "/dev/shm/mockrdma-fuzz.XXXXXX";

/* --- the input ------------------------------------------------------------------------
 */

static uint8_t byte(struct world *w)
{
	return w->at < w->end ? *w->at++ : 0;
}

static uint32_t word(struct world *w)
{
	uint32_t value = byte(w);

	value = value << 8 | byte(w);
	value = value << 8 | byte(w);
	return value << 8 | byte(w);
}

/* Mostly small, now and then anything. */
static uint64_t number(struct world *w)
{
	uint8_t kind = byte(w);

	if (kind < 200)
		return kind;
	return kind < 230 ? word(w) : (uint64_t)word(w) << 32 | word(w);
}

/* Mostly the value that makes sense. */
static uint64_t mostly(struct world *w, uint64_t value)
{
	return byte(w) < 230 ? value : number(w);
}

static void *place(struct world *w, size_t *length)
{
	size_t offset = word(w) % ARENA;

	*length = word(w) % (ARENA - offset) + 1;
	return arena + offset;
}

#define PICK(list, of_shared)                                \
	({                                                   \
		__auto_type picked_ = (list)[byte(w) % OWN]; \
		picked_ ? picked_ : (of_shared);             \
	})

static struct ibv_pd *any_pd(struct world *w)
{
	return PICK(w->pd, w->shared->pd);
}

static struct ibv_cq *any_cq(struct world *w)
{
	return PICK(w->cq, w->shared->cq);
}

static struct ibv_mr *any_mr(struct world *w)
{
	return PICK(w->mr, w->shared->mr);
}

static struct ibv_qp *any_qp(struct world *w)
{
	uint8_t which = byte(w);

	if (which % 2 && w->qp[which / 2 % OWN])
		return w->qp[which / 2 % OWN];
	return w->shared->qp[which / 2 % SHARED_QPS];
}

static uint32_t any_key(struct world *w)
{
	struct ibv_mw *mw = w->mw[byte(w) % OWN];

	switch (byte(w) % 4) {
	case 0: return mw ? mw->rkey : 0;
	case 1: return w->shared->peer.rkey;
	default: return (uint32_t)mostly(w, any_mr(w)->lkey);
	}
}

static struct ibv_sge any_sge(struct world *w)
{
	size_t length;
	void *at = place(w, &length);

	return (struct ibv_sge){ mostly(w, (uintptr_t)at), mostly(w, length),
		                 any_key(w) };
}

/* --- objects ---------------------------------------------------------------------------
 */

static void change_pd(struct world *w)
{
	struct ibv_pd **at = &w->pd[byte(w) % OWN];

	if (!*at)
		*at = ibv_alloc_pd(w->shared->context);
	else if (!ibv_dealloc_pd(*at))
		*at = NULL;
}

static struct ibv_cq *make_cq(struct world *w, bool *extended)
{
	struct ibv_cq_init_attr_ex init = {
		.cqe = (uint32_t)(number(w) & 0xffff),
		.channel = byte(w) % 2 ? w->shared->channel : NULL,
		.comp_vector = (uint32_t)mostly(w, 0),
		.wc_flags = mostly(w, byte(w)),
		.comp_mask = (uint32_t)mostly(w, byte(w) & 1),
		.flags = (uint32_t)mostly(w, byte(w) & 3),
	};

	*extended = byte(w) % 2;
	if (*extended)
		return (struct ibv_cq *)ibv_create_cq_ex(w->shared->context, &init);
	return ibv_create_cq(w->shared->context, (int)init.cqe, w, init.channel,
	                     (int)init.comp_vector);
}

static void change_cq(struct world *w)
{
	unsigned int which = byte(w) % OWN;
	struct ibv_cq **at = &w->cq[which];

	if (!*at)
		*at = make_cq(w, &w->extended[which]);
	else if (byte(w) < 100)
		ibv_resize_cq(*at, (int)number(w));
	else if (!ibv_destroy_cq(*at))
		*at = NULL;
}

static void poll_extended(struct world *w)
{
	unsigned int which = byte(w) % OWN;
	struct ibv_poll_cq_attr attr = { (uint32_t)mostly(w, 0) };
	struct ibv_cq_ex *cq = (struct ibv_cq_ex *)w->cq[which];

	if (!cq || !w->extended[which] || ibv_start_poll(cq, &attr))
		return;
	do {
		ibv_wc_read_opcode(cq);
		ibv_wc_read_byte_len(cq);
		ibv_wc_read_imm_data(cq);
		ibv_wc_read_completion_ts(cq);
		ibv_wc_read_wc_flags(cq);
	} while (byte(w) < 200 && !ibv_next_poll(cq));
	ibv_end_poll(cq);
}

static void change_xrcd(struct world *w)
{
	struct ibv_xrcd **at = &w->xrcd[byte(w) % OWN];
	struct ibv_xrcd_init_attr init = { (uint32_t)mostly(w, 3), -1,
		                           (int)mostly(w, O_CREAT) };

	if (!*at)
		*at = ibv_open_xrcd(w->shared->context, &init);
	else if (!ibv_close_xrcd(*at))
		*at = NULL;
}

static struct ibv_srq *make_srq(struct world *w)
{
	struct ibv_srq_init_attr_ex init = {
		.attr = { (uint32_t)number(w) & 0xffff, (uint32_t)mostly(w, 2), 0 },
		.comp_mask = (uint32_t)mostly(w, byte(w) & 0xf),
		.srq_type = (enum ibv_srq_type)mostly(w, byte(w) % 3),
		.pd = any_pd(w),
		.xrcd = w->xrcd[byte(w) % OWN],
		.cq = any_cq(w),
	};

	if (byte(w) % 2)
		return ibv_create_srq_ex(w->shared->context, &init);
	return ibv_create_srq(init.pd, (struct ibv_srq_init_attr *)&init);
}

static void change_srq(struct world *w)
{
	struct ibv_srq **at = &w->srq[byte(w) % OWN];
	struct ibv_srq_attr attr = { (uint32_t)number(w) & 0xffff, 2, byte(w) };

	if (!*at)
		*at = make_srq(w);
	else if (byte(w) < 100)
		ibv_modify_srq(*at, &attr, (int)number(w));
	else if (!ibv_destroy_srq(*at))
		*at = NULL;
}

static uint32_t any_srq_number(struct world *w)
{
	struct ibv_srq *srq = w->srq[byte(w) % OWN];
	uint32_t number = 0;

	if (srq)
		ibv_get_srq_num(srq, &number);
	return number;
}

/* No more than the arena may ever be reached. */
static void change_mr(struct world *w)
{
	struct ibv_mr **at = &w->mr[byte(w) % OWN];
	unsigned int access = (unsigned int)mostly(w, byte(w) & 0x3f);
	int flags = (int)mostly(w, byte(w) % 8);
	size_t length;
	void *memory = place(w, &length);

	if (*at && byte(w) < 100) {
		ibv_rereg_mr(*at, flags, any_pd(w), memory, length, (int)access);
	} else if (*at) {
		if (!ibv_dereg_mr(*at))
			*at = NULL;
	} else if (byte(w) < 30) {
		*at = ibv_alloc_null_mr(any_pd(w));
	} else if (byte(w) < 60 && w->dm[0]) {
		*at = ibv_reg_dm_mr(any_pd(w), w->dm[0], number(w), number(w), access);
	} else if (byte(w) < 30) {
		*at = ibv_reg_mr(any_pd(w), (void *)(uintptr_t)number(w), length,
		                 (int)(access & ~IBV_ACCESS_ON_DEMAND));
	} else {
		*at = ibv_reg_mr_iova2(any_pd(w), memory, length,
		                       mostly(w, (uintptr_t)memory), access);
	}
}

static void change_mw(struct world *w)
{
	struct ibv_mw **at = &w->mw[byte(w) % OWN];

	if (!*at)
		*at = ibv_alloc_mw(any_pd(w),
		                   (enum ibv_mw_type)mostly(w, 1 + byte(w) % 2));
	else if (!ibv_dealloc_mw(*at))
		*at = NULL;
}

static void change_dm(struct world *w)
{
	struct ibv_dm **at = &w->dm[byte(w) % OWN];
	struct ibv_alloc_dm_attr attr = { number(w), (uint32_t)mostly(w, 3),
		                          (uint32_t)mostly(w, 0) };
	uint64_t offset = number(w);
	size_t length = byte(w);

	if (!*at) {
		*at = ibv_alloc_dm(w->shared->context, &attr);
	} else if (byte(w) < 200) {
		ibv_memcpy_to_dm(*at, offset, arena, length);
		ibv_memcpy_from_dm(arena, *at, offset, length);
	} else if (!ibv_free_dm(*at)) {
		*at = NULL;
	}
}

static struct ibv_qp *make_qp(struct world *w, struct ibv_pd *pd)
{
	static const enum ibv_qp_type types[] = { IBV_QPT_RC, IBV_QPT_UC, IBV_QPT_UD,
		                                  IBV_QPT_XRC_SEND, IBV_QPT_XRC_RECV };
	struct ibv_qp_init_attr_ex init = {
		.send_cq = any_cq(w),
		.recv_cq = any_cq(w),
		.cap = { (uint32_t)number(w) & 0x1ff, (uint32_t)number(w) & 0x1ff,
		         (uint32_t)mostly(w, 2), (uint32_t)mostly(w, 2),
		         (uint32_t)mostly(w, 64) },
		.qp_type = (enum ibv_qp_type)mostly(w, types[byte(w) % 5]),
		.sq_sig_all = byte(w) % 2,
		.comp_mask = (uint32_t)mostly(w, IBV_QP_INIT_ATTR_PD |
		                                         IBV_QP_INIT_ATTR_SEND_OPS_FLAGS),
		.pd = pd,
		.xrcd = w->xrcd[byte(w) % OWN],
		.send_ops_flags = mostly(w, IBV_QP_EX_WITH_SEND),
	};

	if (init.qp_type == IBV_QPT_XRC_RECV)
		init.comp_mask = (uint32_t)mostly(w, IBV_QP_INIT_ATTR_XRCD);

	if (byte(w) % 4 == 0)
		init.srq = PICK(w->srq, w->shared->srq);
	if (byte(w) % 2)
		return ibv_create_qp_ex(w->shared->context, &init);
	return ibv_create_qp(pd, (struct ibv_qp_init_attr *)&init);
}

static void change_qp(struct world *w)
{
	struct ibv_qp **at = &w->qp[byte(w) % OWN];

	if (!*at)
		*at = make_qp(w, any_pd(w));
	else if (!ibv_destroy_qp(*at))
		*at = NULL;
}

/* --- states ----------------------------------------------------------------------------
 */

static struct ibv_qp_attr attributes(const struct shared *shared, uint32_t qpn,
                                     const union ibv_gid *gid)
{
	return (struct ibv_qp_attr){
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
		                   IBV_ACCESS_REMOTE_ATOMIC,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = qpn,
		.qkey = 1,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.min_rnr_timer = 1,
		.timeout = 1,
		.retry_cnt = 1,
		.rnr_retry = 1,
		.ah_attr = { .is_global = 1,
		             .port_num = 1,
		             .grh = { .dgid = *gid,
		                      .sgid_index = (uint8_t)shared->gid_index,
		                      .hop_limit = 1 } },
	};
}

static const int masks[IBV_QPT_XRC_RECV + 1][3] = {
	[IBV_QPT_RC] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
	                         IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
	                 IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                         IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC },
	[IBV_QPT_UC] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN,
	                 IBV_QP_SQ_PSN },
	[IBV_QPT_UD] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY, 0,
	                 IBV_QP_SQ_PSN },
	[IBV_QPT_XRC_SEND] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                       IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                               IBV_QP_RQ_PSN,
	                       IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                               IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC },
	[IBV_QPT_XRC_RECV] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                       IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                               IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                               IBV_QP_MIN_RNR_TIMER,
	                       IBV_QP_TIMEOUT | IBV_QP_SQ_PSN },
};

static int to_rts(const struct shared *shared, struct ibv_qp *qp, uint32_t qpn,
                  const union ibv_gid *gid)
{
	struct ibv_qp_attr attr = attributes(shared, qpn, gid);
	int err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		attr.qp_state = (enum ibv_qp_state)(IBV_QPS_INIT + i);
		err = ibv_modify_qp(qp, &attr, masks[qp->qp_type][i] | IBV_QP_STATE);
	}
	return err;
}

static void change_state(struct world *w)
{
	struct ibv_qp *qp = any_qp(w), *to = any_qp(w);
	struct ibv_qp_attr attr = attributes(w->shared, to->qp_num, &w->shared->self.gid);
	struct ibv_qp_init_attr init;

	attr.qp_state = (enum ibv_qp_state)mostly(w, byte(w) % (IBV_QPS_ERR + 1));
	switch (byte(w) % 8) {
	case 0: ibv_modify_qp(qp, &attr, IBV_QP_STATE); break;
	case 1: /* any field may be anything */
		for (size_t i = byte(w); i < sizeof(attr); i += 1u + byte(w))
			((uint8_t *)&attr)[i] = byte(w);
		ibv_modify_qp(qp, &attr, (int)word(w));
		break;
	case 2: ibv_query_qp(qp, &attr, (int)word(w), &init); break;
	default:
		attr.qp_state = IBV_QPS_RESET;
		ibv_modify_qp(qp, &attr, IBV_QP_STATE);
		to_rts(w->shared, qp, (uint32_t)mostly(w, to->qp_num),
		       &w->shared->self.gid);
	}
}

/* --- requests --------------------------------------------------------------------------
 */

static void fill_wr(struct world *w, struct ibv_send_wr *wr, struct ibv_sge *list,
                    int most)
{
	uint64_t there = w->shared->peer.arena + word(w) % ARENA;

	*wr = (struct ibv_send_wr){
		.wr_id = byte(w),
		.sg_list = list,
		.num_sge = (int)mostly(w, byte(w) % (most + 1)),
		.opcode = (enum ibv_wr_opcode)mostly(
		        w, byte(w) % (IBV_WR_SEND_WITH_INV + 1)),
		.send_flags = (unsigned int)mostly(w, byte(w) & 0xf),
		.invalidate_rkey = any_key(w),
	};
	if (wr->num_sge > most) /* more than the list has would be read beyond it */
		wr->num_sge = wr->num_sge % 2 ? most : -1;
	wr->qp_type.xrc.remote_srqn = (uint32_t)mostly(w, any_srq_number(w));
	wr->wr.atomic.remote_addr = mostly(w, there & ~UINT64_C(7));
	if (wr->opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
	    wr->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD)
		wr->wr.atomic.rkey = any_key(w);
	else
		wr->wr.rdma.rkey = any_key(w);
	if (wr->opcode == IBV_WR_BIND_MW) {
		struct ibv_sge part = any_sge(w);

		wr->bind_mw.mw = w->mw[byte(w) % OWN];
		wr->bind_mw.rkey = wr->bind_mw.mw && byte(w) < 230
		                           ? ibv_inc_rkey(wr->bind_mw.mw->rkey)
		                           : word(w);
		wr->bind_mw.bind_info = (struct ibv_mw_bind_info){
			byte(w) < 230 ? any_mr(w) : NULL, part.addr, part.length,
			(unsigned int)mostly(w, byte(w) & 0x2e)
		};
	}
}

/* Inline data is read by the call itself, so it has to be there. */
static void make_readable(struct ibv_send_wr *wr)
{
	if (!(wr->send_flags & IBV_SEND_INLINE))
		return;
	for (int i = 0; i < wr->num_sge; i++) {
		wr->sg_list[i].addr = (uintptr_t)arena;
		wr->sg_list[i].length %= ARENA;
	}
}

static void post_send(struct world *w)
{
	struct ibv_qp *qp = any_qp(w);
	struct ibv_sge lists[2][3];
	struct ibv_send_wr wr[2], *bad;
	int count = 1 + byte(w) % 2;

	for (int i = 0; i < count; i++) {
		for (int j = 0; j < 3; j++)
			lists[i][j] = any_sge(w);
		fill_wr(w, &wr[i], lists[i], 3);
		make_readable(&wr[i]);
		if (qp->qp_type == IBV_QPT_UD) {
			wr[i].wr.ud.ah = byte(w) < 240 ? w->shared->ah : NULL;
			wr[i].wr.ud.remote_qpn = (uint32_t)mostly(w, any_qp(w)->qp_num);
			wr[i].wr.ud.remote_qkey = (uint32_t)mostly(w, 1);
		}
		if (i)
			wr[0].next = &wr[1];
	}
	ibv_post_send(qp, wr, &bad);
}

static void build_one(struct world *w, struct ibv_qp_ex *qp)
{
	struct ibv_sge sge = any_sge(w);
	struct ibv_mw *mw = w->mw[byte(w) % OWN];
	struct ibv_mw_bind_info info = { any_mr(w), sge.addr, sge.length,
		                         byte(w) & 0x2e };

	qp->wr_id = byte(w);
	qp->wr_flags = byte(w) & 7;
	switch (byte(w) % 12) {
	case 0: ibv_wr_send(qp); break;
	case 1: ibv_wr_send_imm(qp, word(w)); break;
	case 2: ibv_wr_send_inv(qp, any_key(w)); break;
	case 3: ibv_wr_rdma_write(qp, any_key(w), w->shared->peer.arena); break;
	case 4: ibv_wr_rdma_write_imm(qp, any_key(w), number(w), word(w)); break;
	case 5: ibv_wr_rdma_read(qp, any_key(w), w->shared->peer.arena); break;
	case 6: ibv_wr_atomic_cmp_swp(qp, any_key(w), w->shared->peer.arena, 1, 2); break;
	case 7: ibv_wr_atomic_fetch_add(qp, any_key(w), number(w), 3); break;
	case 8: ibv_wr_local_inv(qp, any_key(w)); break;
	case 9: ibv_wr_bind_mw(qp, mw, mw ? ibv_inc_rkey(mw->rkey) : 0, &info); break;
	case 10: ibv_wr_send_tso(qp, arena, 14, byte(w)); break;
	default: ibv_wr_atomic_write(qp, any_key(w), number(w), arena);
	}
	switch (byte(w) % 5) {
	case 3: ibv_wr_set_xrc_srqn(qp, any_srq_number(w)); break;
	case 0: ibv_wr_set_sge(qp, sge.lkey, sge.addr, sge.length); break;
	case 1: ibv_wr_set_inline_data(qp, arena, number(w) % ARENA); break;
	case 2: ibv_wr_set_ud_addr(qp, w->shared->ah, any_qp(w)->qp_num, 1); break;
	default: break;
	}
}

static void build(struct world *w)
{
	struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(any_qp(w));
	int count = byte(w) % 4;

	if (!qp)
		return;
	ibv_wr_start(qp);
	while (count--)
		build_one(w, qp);
	if (byte(w) < 200)
		ibv_wr_complete(qp);
	else
		ibv_wr_abort(qp);
}

static void bind_type_1(struct world *w)
{
	struct ibv_mw *mw = w->mw[byte(w) % OWN];
	struct ibv_sge part = any_sge(w);
	struct ibv_mw_bind bind = { byte(w),
		                    byte(w) & 0xf,
		                    { byte(w) < 200 ? any_mr(w) : NULL, part.addr,
		                      part.length,
		                      (unsigned int)mostly(w, byte(w) & 0x2e) } };

	if (mw)
		ibv_bind_mw(any_qp(w), mw, &bind);
}

static void post_receive(struct world *w)
{
	struct ibv_sge sge[2] = { any_sge(w), any_sge(w) };
	struct ibv_recv_wr wr = { byte(w), NULL, sge, byte(w) % 4 - 1 }, *bad;
	struct ibv_qp *qp = any_qp(w);

	if (byte(w) % 4)
		ibv_post_recv(qp, &wr, &bad);
	else
		ibv_post_srq_recv(PICK(w->srq, w->shared->srq), &wr, &bad);
}

static void look(struct world *w)
{
	struct ibv_cq *cq = any_cq(w);
	struct ibv_sge sge = any_sge(w);
	struct ibv_wc wc[8];
	struct ibv_srq_attr srq;
	void *context;

	switch (byte(w) % 7) {
	case 0: ibv_req_notify_cq(cq, byte(w) % 2); break;
	case 1:
		if (!ibv_get_cq_event(w->shared->channel, &cq, &context))
			ibv_ack_cq_events(cq, 1);
		break;
	case 5: poll_extended(w); break;
	case 2: ibv_query_srq(PICK(w->srq, w->shared->srq), &srq); break;
	case 3:
		ibv_advise_mr(any_pd(w),
		              (enum ibv_advise_mr_advice)mostly(w, byte(w) % 3),
		              (uint32_t)mostly(w, 1), &sge, 1);
		break;
	default: ibv_poll_cq(cq, byte(w) % 9, wc);
	}
}

static void look_for_events(struct world *w)
{
	struct ibv_async_event event;

	if (!ibv_get_async_event(w->shared->context, &event))
		ibv_ack_async_event(&event);
}

static void (*const calls[])(struct world *) = {
	change_pd,    change_cq, change_srq, change_mr,       change_mr,    change_mw,
	change_dm,    change_qp, change_qp,  change_state,    change_state, post_send,
	post_send,    post_send, build,      build,           bind_type_1,  post_receive,
	post_receive, look,      look,       look_for_events, change_xrcd,
};

/* --- a life ----------------------------------------------------------------------------
 */

static void *run(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < CALLS_MOST && w->at < w->end; i++)
		calls[byte(w) % (sizeof(calls) / sizeof(calls[0]))](w);
	return NULL;
}

#define DESTROY(list, destroy)                            \
	do {                                              \
		for (int i_ = 0; i_ < OWN; i_++)          \
			if (list[i_])                     \
				MUST(!destroy(list[i_])); \
	} while (0)

static void end_world(struct world *w)
{
	DESTROY(w->qp, ibv_destroy_qp);
	DESTROY(w->srq, ibv_destroy_srq);
	DESTROY(w->xrcd, ibv_close_xrcd);
	DESTROY(w->mw, ibv_dealloc_mw);
}

/* After both threads: one's windows may be bound to the other's regions. */
static void end_rest(struct world *w)
{
	DESTROY(w->cq, ibv_destroy_cq);
	DESTROY(w->mr, ibv_dereg_mr);
	DESTROY(w->dm, ibv_free_dm);
	DESTROY(w->pd, ibv_dealloc_pd);
}

static struct ibv_qp *shared_qp(struct shared *s, enum ibv_qp_type type, bool srq)
{
	const uint64_t windows = IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW;
	struct ibv_qp_init_attr_ex init = {
		.send_cq = s->cq,
		.recv_cq = s->cq,
		.srq = srq ? s->srq : NULL,
		.cap = { 16, 16, 3, 2, 128 },
		.qp_type = type,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = s->pd,
		.send_ops_flags =
		        IBV_QP_EX_WITH_SEND | (type == IBV_QPT_UD ? 0 : windows),
	};
	struct ibv_qp *qp = ibv_create_qp_ex(s->context, &init);

	MUST(qp);
	return qp;
}

static int find_gid(struct ibv_context *context, union ibv_gid *gid)
{
	struct ibv_gid_entry entry;

	for (uint32_t i = 0; i < 256; i++) {
		if (ibv_query_gid_ex(context, 1, i, &entry, 0))
			continue;
		*gid = entry.gid;
		return (int)i;
	}
	return -1;
}

static void begin_shared(struct shared *s)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_srq_init_attr srq = { .attr = { 32, 2, 0 } };
	struct ibv_qp_attr attr;

	MUST(list && list[0]);
	s->context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	MUST(s->context);
	MUST(!fcntl(s->context->async_fd, F_SETFL, O_NONBLOCK));
	s->channel = ibv_create_comp_channel(s->context);
	MUST(s->channel && !fcntl(s->channel->fd, F_SETFL, O_NONBLOCK));
	s->gid_index = find_gid(s->context, &s->self.gid);
	s->pd = ibv_alloc_pd(s->context);
	s->cq = ibv_create_cq(s->context, 256, NULL, s->channel, 0);
	s->srq = ibv_create_srq(s->pd, &srq);
	s->mr = ibv_reg_mr(s->pd, arena, ARENA,
	                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                           IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |
	                           IBV_ACCESS_MW_BIND);
	MUST(s->gid_index >= 0 && s->pd && s->cq && s->srq && s->mr);
	attr = attributes(s, 0, &s->self.gid);
	s->ah = ibv_create_ah(s->pd, &attr.ah_attr);
	MUST(s->ah);
	for (int i = 0; i < SHARED_QPS; i++)
		s->qp[i] = shared_qp(s,
		                     i == 4            ? IBV_QPT_UD
		                     : i >= 2 && i < 4 ? IBV_QPT_UC
		                                       : IBV_QPT_RC,
		                     i == 1);
	s->self.qpn = s->qp[CROSS]->qp_num;
	s->self.rkey = s->mr->rkey;
	s->self.arena = (uintptr_t)arena;
}

static void connect_shared(struct shared *s)
{
	static const int to[SHARED_QPS] = { 1, 0, 3, 2, 4, CROSS };

	for (int i = 0; i < SHARED_QPS; i++)
		MUST(!to_rts(s, s->qp[i], i == CROSS ? s->peer.qpn : s->qp[to[i]]->qp_num,
		             &s->self.gid));
}

static void end_shared(struct shared *s)
{
	struct world w = { .shared = s };

	for (int i = 0; i < SHARED_QPS; i++)
		MUST(!ibv_destroy_qp(s->qp[i]));
	look_for_events(&w);
	MUST(!ibv_destroy_ah(s->ah));
	MUST(!ibv_destroy_srq(s->srq));
	MUST(!ibv_destroy_cq(s->cq));
}

static void close_shared(struct shared *s)
{
	MUST(!ibv_dereg_mr(s->mr));
	MUST(!ibv_dealloc_pd(s->pd));
	MUST(!ibv_destroy_comp_channel(s->channel));
	MUST(!ibv_close_device(s->context));
}

/* The fuzzer's own timer interrupts calls. */
static bool put_all(int socket, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t put = send(socket, at, size, MSG_NOSIGNAL);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			at += put;
			size -= (size_t)put;
		}
	}
	return true;
}

static bool get_all(int socket, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t got = recv(socket, at, size, 0);

		if (!got || (got < 0 && errno != EINTR))
			return false;
		if (got > 0) {
			at += got;
			size -= (size_t)got;
		}
	}
	return true;
}

/* Both processes come here; false when the other one is gone. */
static bool exchange(int socket, const void *mine, void *theirs, size_t size)
{
	return put_all(socket, mine, size) && get_all(socket, theirs, size);
}

static void live(int socket, const uint8_t *data, size_t size, int threads)
{
	struct shared shared = { 0 };
	struct world world[2] = { 0 };
	size_t part = size / (size_t)threads;
	pthread_t thread;
	char done = 0;

	begin_shared(&shared);
	MUST(exchange(socket, &shared.self, &shared.peer, sizeof(shared.self)));
	connect_shared(&shared);
	for (int i = 0; i < threads; i++)
		world[i] = (struct world){ .shared = &shared,
			                   .at = data + part * (size_t)i,
			                   .end = data + part * (size_t)(i + 1) };
	if (threads == 2)
		MUST(!pthread_create(&thread, NULL, run, &world[1]));
	run(&world[0]);
	if (threads == 2)
		pthread_join(thread, NULL);
	MUST(exchange(socket, &done, &done, 1));
	for (int i = 0; i < threads; i++)
		end_world(&world[i]);
	end_shared(&shared);
	for (int i = 0; i < threads; i++)
		end_rest(&world[i]);
	close_shared(&shared);
}

/* --- two processes ---------------------------------------------------------------------
 */

static _Noreturn void be_the_other(int socket)
{
	static uint8_t data[1 << 16];
	uint32_t size;

	while (get_all(socket, &size, sizeof(size))) {
		MUST(size <= sizeof(data) && get_all(socket, data, size));
		live(socket, data, size, 1);
	}
	_exit(0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void clean_up(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int sockets[2];

	(void)argc, (void)argv;
	MUST(mkdtemp(directory));
	setenv("MOCKRDMA_DIR", directory, 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	setenv("MOCKRDMA_DM", "64K", 1);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	switch (fork()) {
	case -1: abort();
	case 0: close(sockets[0]); be_the_other(sockets[1]);
	default: close(sockets[1]); peer_socket = sockets[0];
	}
	atexit(clean_up);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t theirs = (uint32_t)(size / 3);

	if (size > 1 << 15)
		return 0;
	MUST(put_all(peer_socket, &theirs, sizeof(theirs)));
	MUST(put_all(peer_socket, data, theirs));
	live(peer_socket, data + theirs, size - theirs, 2);
	return 0;
}
