/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/registry.h"
#include "object/async.h"
#include "object/dm.h"
#include "object/clock.h"
#include "object/gid.h"
#include "object/port.h"

static struct device mock0 = {
	.ibv = {
		.node_type = IBV_NODE_CA,
		.transport_type = IBV_TRANSPORT_IB,
		.name = "mock0",
		.dev_name = "uverbs-mock0",
		.dev_path = "/sys/class/infiniband_verbs/uverbs-mock0",
		.ibdev_path = "/sys/class/infiniband/mock0",
	},
};

struct device *device_mock0(void)
{
	return &mock0;
}

/* Locally administered EUI-64, the same in all processes of the host. */
uint64_t device_guid(void)
{
	return htobe64(0x02006d6f636b0000 | (gethostid() & 0xffff));
}

/* For those who look at this process: once, whoever opens a context first. */
static void device_announce(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct segment_device *to = segment_head()->device;

	pthread_mutex_lock(&lock);
	if (!to->name[0])
		snprintf(to->name, sizeof(to->name), "%.31s", mock0.ibv.name);
	pthread_mutex_unlock(&lock);
}

int context_open(struct device *device, struct context **context)
{
	struct context *made;
	int err = host_attach();

	if (err)
		return err;
	device_announce();
	err = gid_refresh();
	if (err)
		goto detach;
	made = calloc(1, sizeof(*made));
	if (!made) {
		err = -ENOMEM;
		goto detach;
	}
	err = async_open(made);
	if (err)
		goto free_made;
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->qps);
	made->vctx.sz = sizeof(made->vctx);
	made->vctx.context.device = &device->ibv;
	made->vctx.context.cmd_fd = -1;
	made->vctx.context.num_comp_vectors = 1;
	made->vctx.context.abi_compat = __VERBS_ABI_IS_EXTENDED;
	pthread_mutex_init(&made->vctx.context.mutex, NULL);
	port_open(made);
	*context = made;
	return 0;
free_made:
	free(made);
detach:
	host_detach();
	return err;
}

void context_close(struct context *context)
{
	port_close(context);
	async_close(context);
	pthread_mutex_destroy(&context->vctx.context.mutex);
	pthread_mutex_destroy(&context->lock);
	free(context);
	host_detach();
}

void device_query(struct ibv_device_attr *attr)
{
	*attr = (struct ibv_device_attr){
		.fw_ver = "mockrdma",
		.node_guid = device_guid(),
		.sys_image_guid = device_guid(),
		.max_mr_size = UINT64_MAX,
		.page_size_cap = 0xfffff000,
		.vendor_id = 0xffffff,
		.max_qp = DEVICE_MAX_QP,
		.max_qp_wr = DEVICE_MAX_QP_WR,
		.device_cap_flags =
		        IBV_DEVICE_CURR_QP_STATE_MOD | IBV_DEVICE_PORT_ACTIVE_EVENT |
		        IBV_DEVICE_SYS_IMAGE_GUID | IBV_DEVICE_RC_RNR_NAK_GEN |
		        IBV_DEVICE_XRC | IBV_DEVICE_SRQ_RESIZE | IBV_DEVICE_MEM_WINDOW |
		        IBV_DEVICE_MEM_WINDOW_TYPE_2B,
		.max_sge = DEVICE_MAX_SGE,
		.max_sge_rd = DEVICE_MAX_SGE,
		.max_cq = DEVICE_MAX_CQ,
		.max_cqe = DEVICE_MAX_CQE,
		.max_mr = DEVICE_MAX_MR,
		.max_mw = DEVICE_MAX_MW,
		.max_pd = DEVICE_MAX_PD,
		.max_qp_rd_atom = DEVICE_MAX_RD_ATOMIC,
		.max_res_rd_atom = DEVICE_MAX_RD_ATOMIC * 1024,
		.max_qp_init_rd_atom = DEVICE_MAX_RD_ATOMIC,
		.atomic_cap = IBV_ATOMIC_HCA,
		.max_srq = DEVICE_MAX_SRQ,
		.max_srq_wr = DEVICE_MAX_SRQ_WR,
		.max_srq_sge = DEVICE_MAX_SGE,
		.max_mcast_grp = REGISTRY_GROUP_MEMBERS,
		.max_mcast_qp_attach = REGISTRY_GROUP_MEMBERS,
		.max_total_mcast_qp_attach = REGISTRY_GROUP_MEMBERS,
		.max_ah = DEVICE_MAX_AH,
		.max_pkeys = 1,
		.phys_port_cnt = 1,
	};
}

/* What is not named is absent: zero. */
void device_query_ex(struct ibv_device_attr_ex *attr)
{
	const uint32_t on_demand = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV |
	                           IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ |
	                           IBV_ODP_SUPPORT_ATOMIC | IBV_ODP_SUPPORT_SRQ_RECV;

	memset(attr, 0, sizeof(*attr));
	device_query(&attr->orig_attr);
	attr->completion_timestamp_mask = CLOCK_MASK;
	attr->hca_core_clock = CLOCK_KHZ;
	attr->device_cap_flags_ex = attr->orig_attr.device_cap_flags;
	attr->phys_port_cnt_ex = attr->orig_attr.phys_port_cnt;
	attr->max_dm_size = dm_most();
	attr->odp_caps.general_caps = IBV_ODP_SUPPORT | IBV_ODP_SUPPORT_IMPLICIT;
	attr->odp_caps.per_transport_caps.rc_odp_caps = on_demand;
	attr->xrc_odp_caps = on_demand;
	attr->odp_caps.per_transport_caps.ud_odp_caps =
	        IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_SRQ_RECV;
	attr->odp_caps.per_transport_caps.uc_odp_caps =
	        on_demand & ~(IBV_ODP_SUPPORT_READ | IBV_ODP_SUPPORT_ATOMIC);
}

void device_query_port(struct ibv_port_attr *attr)
{
	bool up;

	gid_refresh_old();
	up = gid_port_is_up();
	memset(attr, 0, sizeof(*attr));
	attr->state = up ? IBV_PORT_ACTIVE : IBV_PORT_DOWN;
	attr->max_mtu = IBV_MTU_4096;
	attr->active_mtu = gid_active_mtu();
	attr->gid_tbl_len = GID_TABLE_SIZE;
	attr->port_cap_flags = IBV_PORT_CM_SUP | IBV_PORT_IP_BASED_GIDS;
	attr->max_msg_sz = DEVICE_MAX_MSG;
	attr->pkey_tbl_len = 1;
	attr->max_vl_num = 1;   /* VL0 alone (IBA 14.2.5.6) */
	attr->active_width = 1; /* 1X */
	attr->active_speed =
	        1; /* 2.5 Gb/s, the least that can be said: there is no wire */
	attr->phys_state = up ? 5 : 3; /* LinkUp, Disabled: IBA 14.2.5.6 */
	attr->link_layer = IBV_LINK_LAYER_ETHERNET;
}
