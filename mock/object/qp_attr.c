/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/qp_attr.h"

#include <errno.h>
#include <stdbool.h>
#include "object/ah.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"

struct transition {
	bool exists;
	int required;
	int optional;
};

/* clang-format off */
static const struct transition rc_transitions[IBV_QPS_ERR + 1][IBV_QPS_ERR + 1] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS },
		[IBV_QPS_RTR] = { true,
			IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true,
			IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
			IBV_QP_MAX_QP_RD_ATOMIC,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_ALT_PATH |
			IBV_QP_PATH_MIG_STATE | IBV_QP_MIN_RNR_TIMER },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0,
			IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
	},
};

static const struct transition uc_transitions[IBV_QPS_ERR + 1][IBV_QPS_ERR + 1] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS },
		[IBV_QPS_RTR] = { true,
			IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN,
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true, IBV_QP_SQ_PSN,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_PATH_MIG_STATE },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_ALT_PATH |
			IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0,
			IBV_QP_AV | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX |
			IBV_QP_PATH_MIG_STATE },
	},
	[IBV_QPS_SQE] = {
		[IBV_QPS_RTS] = { true, 0, IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS },
	},
};

static const struct transition ud_transitions[IBV_QPS_ERR + 1][IBV_QPS_ERR + 1] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY },
		[IBV_QPS_RTR] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_QKEY },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true, IBV_QP_SQ_PSN, IBV_QP_CUR_STATE | IBV_QP_QKEY },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0, IBV_QP_CUR_STATE | IBV_QP_QKEY },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0, IBV_QP_CUR_STATE | IBV_QP_QKEY },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_QKEY },
	},
	[IBV_QPS_SQE] = {
		[IBV_QPS_RTS] = { true, 0, IBV_QP_CUR_STATE | IBV_QP_QKEY },
	},
};

static const struct transition initiator_transitions[IBV_QPS_ERR + 1][IBV_QPS_ERR + 1] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS },
		[IBV_QPS_RTR] = { true,
			IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN,
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true,
			IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
			IBV_QP_MAX_QP_RD_ATOMIC,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_PATH_MIG_STATE },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_ALT_PATH |
			IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0,
			IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_ALT_PATH |
			IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX | IBV_QP_PATH_MIG_STATE },
	},
};

static const struct transition target_transitions[IBV_QPS_ERR + 1][IBV_QPS_ERR + 1] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS },
		[IBV_QPS_RTR] = { true,
			IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true, IBV_QP_TIMEOUT | IBV_QP_SQ_PSN,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_ALT_PATH |
			IBV_QP_PATH_MIG_STATE | IBV_QP_MIN_RNR_TIMER },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0,
			IBV_QP_CUR_STATE | IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
		[IBV_QPS_SQD] = { true, 0,
			IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_ALT_PATH | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX |
			IBV_QP_MIN_RNR_TIMER | IBV_QP_PATH_MIG_STATE },
	},
};

typedef const struct transition transition_table[IBV_QPS_ERR + 1];

static transition_table *const tables[] = {
	[IBV_QPT_RC] = rc_transitions,
	[IBV_QPT_UC] = uc_transitions,
	[IBV_QPT_UD] = ud_transitions,
	[IBV_QPT_XRC_SEND] = initiator_transitions,
	[IBV_QPT_XRC_RECV] = target_transitions,
};
/* clang-format on */

static const struct transition to_reset_or_error = { true, 0, 0 };

static const struct transition *find(enum ibv_qp_type type, enum ibv_qp_state from,
                                     enum ibv_qp_state to)
{
	if (to == IBV_QPS_RESET || to == IBV_QPS_ERR)
		return &to_reset_or_error;
	if (from > IBV_QPS_ERR || to > IBV_QPS_ERR)
		return NULL;
	return tables[type][from][to].exists ? &tables[type][from][to] : NULL;
}

static bool path_is_valid(const struct device *device, const struct ibv_ah_attr *av)
{
	return ah_attr_is_valid(device, av) && !gid_is_multicast(&av->grh.dgid);
}

static bool values_are_valid(const struct device *device, const struct ibv_qp_attr *attr,
                             int mask)
{
	/* What regions may have besides has no effect here, on adapters either. */
	const unsigned int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                            IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |
	                            IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED |
	                            IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB |
	                            IBV_ACCESS_OPTIONAL_RANGE;

	return !((mask & IBV_QP_PORT) && attr->port_num != DEVICE_PORT) &&
	       !((mask & IBV_QP_PKEY_INDEX) && attr->pkey_index != 0) &&
	       !((mask & IBV_QP_ACCESS_FLAGS) && (attr->qp_access_flags & ~access)) &&
	       !((mask & IBV_QP_AV) && !path_is_valid(device, &attr->ah_attr)) &&
	       !((mask & IBV_QP_PATH_MTU) &&
	         (attr->path_mtu < IBV_MTU_256 || attr->path_mtu > IBV_MTU_4096)) &&
	       !((mask & IBV_QP_DEST_QPN) && attr->dest_qp_num > PSN_MASK) &&
	       !((mask & IBV_QP_MAX_QP_RD_ATOMIC) &&
	         attr->max_rd_atomic > settings()->max_rd_atomic) &&
	       !((mask & IBV_QP_MAX_DEST_RD_ATOMIC) &&
	         attr->max_dest_rd_atomic > settings()->max_rd_atomic) &&
	       !((mask & IBV_QP_MIN_RNR_TIMER) && attr->min_rnr_timer > 31) &&
	       !((mask & IBV_QP_TIMEOUT) && attr->timeout > 31) &&
	       !((mask & IBV_QP_RETRY_CNT) && attr->retry_cnt > 7) &&
	       !((mask & IBV_QP_RNR_RETRY) && attr->rnr_retry > 7) &&
	       !((mask & IBV_QP_PATH_MIG_STATE) &&
	         attr->path_mig_state != IBV_MIG_MIGRATED) &&
	       !(mask & IBV_QP_ALT_PATH); /* no path migration on this device */
}

int qp_attr_meant(enum ibv_qp_type type, int mask)
{
	switch (type) {
	case IBV_QPT_XRC_SEND:
		return mask & ~(IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
	case IBV_QPT_XRC_RECV:
		return mask &
		       ~(IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY);
	default: return mask;
	}
}

int qp_attr_check(const struct qp *qp, const struct ibv_qp_attr *attr, int mask,
                  enum ibv_qp_state from, enum ibv_qp_state *next)
{
	enum ibv_qp_state to = from;
	const struct transition *transition;

	if (mask & IBV_QP_CUR_STATE) {
		/* Only where hardware may have moved it behind the caller's back. */
		if (attr->cur_qp_state < IBV_QPS_RTR || attr->cur_qp_state > IBV_QPS_SQE)
			return -EINVAL;
		if (attr->cur_qp_state != from)
			return -EINVAL;
	}
	if (mask & IBV_QP_STATE)
		to = attr->qp_state;
	transition = find(qp->ex.qp_base.qp_type, from, to);
	if (!transition || (mask & transition->required) != transition->required)
		return -EINVAL;
	if (mask & ~(transition->required | transition->optional | IBV_QP_STATE))
		return -EINVAL;
	if (!values_are_valid(device_of(qp->ex.qp_base.context), attr, mask))
		return -EINVAL;
	*next = to;
	return 0;
}

#define COPY(bit, member)                          \
	do {                                       \
		if (mask & (bit))                  \
			to->member = attr->member; \
	} while (0)

void qp_attr_apply(struct qp *qp, const struct ibv_qp_attr *attr, int mask)
{
	struct ibv_qp_attr *to = &qp->attr;

	COPY(IBV_QP_EN_SQD_ASYNC_NOTIFY, en_sqd_async_notify);
	COPY(IBV_QP_ACCESS_FLAGS, qp_access_flags);
	COPY(IBV_QP_PKEY_INDEX, pkey_index);
	COPY(IBV_QP_PORT, port_num);
	COPY(IBV_QP_QKEY, qkey);
	COPY(IBV_QP_AV, ah_attr);
	COPY(IBV_QP_PATH_MTU, path_mtu);
	COPY(IBV_QP_TIMEOUT, timeout);
	COPY(IBV_QP_RETRY_CNT, retry_cnt);
	COPY(IBV_QP_RNR_RETRY, rnr_retry);
	COPY(IBV_QP_MAX_QP_RD_ATOMIC, max_rd_atomic);
	COPY(IBV_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic);
	COPY(IBV_QP_MIN_RNR_TIMER, min_rnr_timer);
	COPY(IBV_QP_DEST_QPN, dest_qp_num);
	COPY(IBV_QP_PATH_MIG_STATE, path_mig_state);
	if (mask & IBV_QP_RQ_PSN)
		to->rq_psn = attr->rq_psn & PSN_MASK;
	if (mask & IBV_QP_SQ_PSN)
		to->sq_psn = attr->sq_psn & PSN_MASK;
}
