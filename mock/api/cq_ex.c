/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_cq_ex(3), ibv_start_poll() and what reads the completion that is current,
 * ibv_query_rt_values_ex(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "host/engine.h"
#include "object/clock.h"
#include "object/cq.h"
#include "object/pd.h"
#include "transport/transport.h"

static struct cq *of(struct ibv_cq_ex *ex)
{
	return container_of(ex, struct cq, ex);
}

/* Who reads where there is none reads zeros. */
static const struct cqe *current(struct ibv_cq_ex *ex)
{
	static const struct cqe none;
	const struct cqe *entry = of(ex)->current;

	return entry ? entry : &none;
}

static int start_poll(struct ibv_cq_ex *ex, struct ibv_poll_cq_attr *attr)
{
	return attr && attr->comp_mask ? EINVAL
	                               : verbs_result(transport_poll_begin(of(ex)));
}

static int next_poll(struct ibv_cq_ex *ex)
{
	return verbs_result(transport_poll_next(of(ex)));
}

static void end_poll(struct ibv_cq_ex *ex)
{
	cq_poll_end(of(ex));
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *ex)
{
	return completion_opcode(&current(ex)->c);
}

static uint32_t read_vendor_err(struct ibv_cq_ex *ex)
{
	return current(ex)->c.vendor_err;
}

static uint32_t read_byte_len(struct ibv_cq_ex *ex)
{
	return completion_length(&current(ex)->c);
}

static __be32 read_imm_data(struct ibv_cq_ex *ex)
{
	return current(ex)->c.imm;
}

static uint32_t read_qp_num(struct ibv_cq_ex *ex)
{
	return current(ex)->c.qp_num;
}

static uint32_t read_src_qp(struct ibv_cq_ex *ex)
{
	return current(ex)->c.src_qp;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *ex)
{
	return current(ex)->c.wc_flags;
}

static uint64_t read_completion_ts(struct ibv_cq_ex *ex)
{
	return current(ex)->timestamp;
}

static uint64_t read_completion_wallclock_ns(struct ibv_cq_ex *ex)
{
	return clock_wall(current(ex)->timestamp);
}

/* Of InfiniBand's link layer, which RoCE has not: there are no LIDs. */
static uint32_t read_slid(struct ibv_cq_ex *ex)
{
	(void)ex;
	return 0;
}

static uint8_t read_sl(struct ibv_cq_ex *ex)
{
	return completion_sl(&current(ex)->c);
}

static uint8_t read_dlid_path_bits(struct ibv_cq_ex *ex)
{
	(void)ex;
	return 0;
}

static uint16_t read_cvlan(struct ibv_cq_ex *ex)
{
	(void)ex;
	return 0;
}

static uint32_t read_flow_tag(struct ibv_cq_ex *ex)
{
	(void)ex;
	return 0;
}

static void read_tm_info(struct ibv_cq_ex *ex, struct ibv_wc_tm_info *info)
{
	(void)ex;
	*info = (struct ibv_wc_tm_info){ 0 };
}

/* Those who read what they did not ask for find what there is, not a NULL pointer. */
static void fill(struct ibv_cq_ex *ex)
{
	ex->start_poll = start_poll;
	ex->next_poll = next_poll;
	ex->end_poll = end_poll;
	ex->read_opcode = read_opcode;
	ex->read_vendor_err = read_vendor_err;
	ex->read_byte_len = read_byte_len;
	ex->read_imm_data = read_imm_data;
	ex->read_qp_num = read_qp_num;
	ex->read_src_qp = read_src_qp;
	ex->read_wc_flags = read_wc_flags;
	ex->read_slid = read_slid;
	ex->read_sl = read_sl;
	ex->read_dlid_path_bits = read_dlid_path_bits;
	ex->read_cvlan = read_cvlan;
	ex->read_flow_tag = read_flow_tag;
	ex->read_tm_info = read_tm_info;
	ex->read_completion_ts = read_completion_ts;
	ex->read_completion_wallclock_ns = read_completion_wallclock_ns;
}

/* What this device cannot tell of a completion, or do with a CQ, is refused. */
static int check(struct ibv_context *context, const struct ibv_cq_init_attr_ex *attr)
{
	const uint64_t timestamps = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
	                            IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
	const uint32_t flags =
	        IBV_CREATE_CQ_ATTR_SINGLE_THREADED | IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;

	if (attr->wc_flags & ~(IBV_WC_STANDARD_FLAGS | timestamps))
		return -EOPNOTSUPP;
	if (attr->comp_mask & ~(IBV_CQ_INIT_ATTR_MASK_FLAGS | IBV_CQ_INIT_ATTR_MASK_PD))
		return -EOPNOTSUPP;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) && (attr->flags & ~flags))
		return -EOPNOTSUPP;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD) &&
	    (!attr->parent_domain || attr->parent_domain->context != context ||
	     !pd_is_parent(attr->parent_domain)))
		return -EINVAL;
	return 0;
}

/* One thread alone or many: the lock costs a thread that is alone nothing. */
static uint32_t flags_of(const struct ibv_cq_init_attr_ex *attr)
{
	uint32_t flags = 0;

	if (attr->wc_flags & (IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
	                      IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK))
		flags |= CQ_TIMESTAMPS;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) &&
	    (attr->flags & IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN))
		flags |= CQ_IGNORE_OVERRUN;
	return flags;
}

/* A parent domain gives no memory here: the ring has to be where peers reach it. */
static void set_up(struct cq *cq, const struct ibv_cq_init_attr_ex *attr)
{
	cq->sh->flags = flags_of(attr);
	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD) {
		cq->parent = attr->parent_domain;
		pd_use(cq->parent);
	}
	fill(&cq->ex);
}

struct ibv_cq_ex *table_create_cq_ex(struct ibv_context *context,
                                     struct ibv_cq_init_attr_ex *attr)
{
	struct ibv_cq *cq;
	int err = attr ? check(context, attr) : -EINVAL;

	if (err)
		return null_result(err);
	if (attr->cqe > INT32_MAX || attr->comp_vector > INT32_MAX)
		return null_result(-EINVAL);
	cq = ibv_create_cq(context, (int)attr->cqe, attr->cq_context, attr->channel,
	                   (int)attr->comp_vector);
	if (!cq)
		return NULL;
	set_up(to_cq(cq), attr);
	return &to_cq(cq)->ex;
}

/* The whole clock is in tv_nsec, as device drivers have it. */
int table_query_rt_values(struct ibv_context *context, struct ibv_values_ex *values)
{
	uint32_t wanted;

	(void)context;
	if (!values)
		return EINVAL;
	wanted = values->comp_mask;
	values->comp_mask = wanted & IBV_VALUES_MASK_RAW_CLOCK;
	if (values->comp_mask)
		values->raw_clock = (struct timespec){ .tv_nsec = (long)now_ns() };
	return 0;
}
