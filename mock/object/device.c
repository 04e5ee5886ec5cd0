/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/registry.h"
#include "host/settings.h"
#include "object/async.h"
#include "object/dm.h"
#include "object/clock.h"
#include "object/gid.h"
#include "object/import.h"
#include "object/port.h"

static struct device devices[DEVICES_MAX];
static unsigned int count;

static void make_devices(void)
{
	const struct settings *wanted = settings();

	for (; count < wanted->devices; count++) {
		const struct device_setting *setting = &wanted->device[count];
		struct device *device = &devices[count];
		struct ibv_device *ibv = &device->ibv;

		ibv->node_type = IBV_NODE_CA;
		ibv->transport_type = IBV_TRANSPORT_IB;
		snprintf(ibv->name, sizeof(ibv->name), "%s", setting->name);
		snprintf(ibv->dev_name, sizeof(ibv->dev_name), "uverbs-%s",
		         setting->name);
		snprintf(ibv->dev_path, sizeof(ibv->dev_path),
		         "/sys/class/infiniband_verbs/uverbs-%s", setting->name);
		snprintf(ibv->ibdev_path, sizeof(ibv->ibdev_path),
		         "/sys/class/infiniband/%s", setting->name);
		device->index = count;
		memcpy(device->netdev, setting->netdev, sizeof(device->netdev));
	}
}

unsigned int device_count(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_devices);
	return count;
}

struct device *device_at(unsigned int index)
{
	return index < device_count() ? &devices[index] : NULL;
}

static bool has_interface(const struct device *device, uint32_t ifindex)
{
	return !device->netdev[0] || if_nametoindex(device->netdev) == ifindex;
}

int device_gid(const struct device *device, unsigned int index, struct gid_entry *entry)
{
	if (!device->netdev[0])
		return gid_get(index, entry);
	return gid_get_own(if_nametoindex(device->netdev), index, entry);
}

uint8_t device_gid_index(const struct device *device, const struct gid_entry *entry)
{
	return (uint8_t)(device->netdev[0] ? entry->own : entry->index);
}

const struct device *device_for_interface(uint32_t ifindex)
{
	const struct device *any = NULL;

	for (unsigned int i = device_count(); i-- > 0;) {
		if (!has_interface(&devices[i], ifindex))
			continue;
		if (devices[i].netdev[0])
			return &devices[i];
		any = &devices[i];
	}
	return any;
}

bool device_is_up(const struct device *device)
{
	return device->netdev[0] ? gid_interface_is_up(device->netdev) : gid_port_is_up();
}

enum ibv_mtu device_mtu(const struct device *device)
{
	return device->netdev[0] ? gid_interface_mtu(device->netdev) : gid_active_mtu();
}

/* Locally administered EUI-64, the same in all processes of the host. */
uint64_t device_guid(const struct device *device)
{
	return htobe64(0x02006d6f636b0000 | (uint64_t)device->index << 48 |
	               (gethostid() & 0xffff));
}

/* For those who look at this process: once, whoever opens a context first. */
static void device_announce(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct segment_device *to = segment_head()->device;

	_Static_assert(SEGMENT_DEVICES == DEVICES_MAX, "room for each");
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < device_count() && !to[i].name[0]; i++) {
		const struct device_setting *device = &settings()->device[i];

		memcpy(to[i].netdev, device->netdev, sizeof(to[i].netdev));
		memcpy(to[i].name, device->name, sizeof(to[i].name));
	}
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
	err = opening_make(made, device->index);
	if (err)
		goto close_async;
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->qps);
	made->vctx.sz = sizeof(made->vctx);
	made->vctx.context.device = &device->ibv;
	made->vctx.context.num_comp_vectors = 1;
	made->vctx.context.abi_compat = __VERBS_ABI_IS_EXTENDED;
	pthread_mutex_init(&made->vctx.context.mutex, NULL);
	port_open(made);
	*context = made;
	return 0;
close_async:
	async_close(made);
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
	close(context->vctx.context.cmd_fd);
	pthread_mutex_destroy(&context->vctx.context.mutex);
	pthread_mutex_destroy(&context->lock);
	free(context);
	host_detach();
}

static unsigned window_flags(void)
{
	return settings()->max_mw ? IBV_DEVICE_MEM_WINDOW | IBV_DEVICE_MEM_WINDOW_TYPE_2B
	                          : 0;
}

void device_query(const struct device *device, struct ibv_device_attr *attr)
{
	*attr = (struct ibv_device_attr){
		.fw_ver = "mockrdma",
		.node_guid = device_guid(device),
		.sys_image_guid = device_guid(&devices[0]), /* one host */
		.max_mr_size = UINT64_MAX,
		.page_size_cap = 0xfffff000,
		.vendor_id = 0xffffff,
		.max_qp = (int)settings()->max_qp,
		.max_qp_wr = (int)settings()->max_qp_wr,
		.device_cap_flags =
		        IBV_DEVICE_CURR_QP_STATE_MOD | IBV_DEVICE_PORT_ACTIVE_EVENT |
		        IBV_DEVICE_SYS_IMAGE_GUID | IBV_DEVICE_RC_RNR_NAK_GEN |
		        IBV_DEVICE_XRC | IBV_DEVICE_SRQ_RESIZE | window_flags() |
		        IBV_DEVICE_MANAGED_FLOW_STEERING,
		.max_sge = (int)settings()->max_sge,
		.max_sge_rd = (int)settings()->max_sge,
		.max_cq = (int)settings()->max_cq,
		.max_cqe = (int)settings()->max_cqe,
		.max_mr = (int)settings()->max_mr,
		.max_mw = (int)settings()->max_mw,
		.max_pd = (int)settings()->max_pd,
		.max_qp_rd_atom = (int)settings()->max_rd_atomic,
		.max_res_rd_atom = (int)settings()->max_rd_atomic * 1024,
		.max_qp_init_rd_atom = (int)settings()->max_rd_atomic,
		.atomic_cap = IBV_ATOMIC_HCA,
		.max_srq = (int)settings()->max_srq,
		.max_srq_wr = (int)settings()->max_srq_wr,
		.max_srq_sge = (int)settings()->max_sge,
		.max_mcast_grp = REGISTRY_GROUP_MEMBERS,
		.max_mcast_qp_attach = REGISTRY_GROUP_MEMBERS,
		.max_total_mcast_qp_attach = REGISTRY_GROUP_MEMBERS,
		.max_ah = (int)settings()->max_ah,
		.max_pkeys = 1,
		.phys_port_cnt = 1,
	};
}

/* The kernel's number for it; verbs.h has it not, only what goes with it. */
#define DEVICE_ATOMIC_WRITE (UINT64_C(1) << 40)

/* What is not named is absent: zero. */
void device_query_ex(const struct device *device, struct ibv_device_attr_ex *attr)
{
	const uint32_t on_demand = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV |
	                           IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ |
	                           IBV_ODP_SUPPORT_ATOMIC | IBV_ODP_SUPPORT_SRQ_RECV;

	memset(attr, 0, sizeof(*attr));
	device_query(device, &attr->orig_attr);
	attr->completion_timestamp_mask = CLOCK_MASK;
	attr->hca_core_clock = CLOCK_KHZ;
	attr->device_cap_flags_ex =
	        attr->orig_attr.device_cap_flags | DEVICE_ATOMIC_WRITE;
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

/*
 * The kernel has the same for Ethernet: what is nearest, by lanes and the speed of each.
 * Of an interface that does not know its speed it is the least that can be said.
 */
static void set_speed(unsigned int mbps, struct ibv_port_attr *attr)
{
	enum { X1 = 1, X4 = 2 };
	enum { SDR = 1, QDR = 4, EDR = 32, HDR = 64, NDR = 128 };
	static const struct {
		unsigned int mbps;
		uint8_t width, speed;
	} speeds[] = {
		{ 400000, X4, NDR }, { 200000, X4, HDR }, { 100000, X4, EDR },
		{ 50000, X1, HDR },  { 40000, X4, QDR },  { 25000, X1, EDR },
		{ 10000, X1, QDR },  { 0, X1, SDR },
	};
	unsigned int i = 0;

	while (speeds[i].mbps > mbps)
		i++;
	attr->active_width = speeds[i].width;
	attr->active_speed = speeds[i].speed;
}

static unsigned int interface_speed(const struct device *device)
{
	return device->netdev[0] ? gid_interface_speed(device->netdev) : gid_port_speed();
}

unsigned int device_mbps(const struct device *device)
{
	enum { LEAST = 2500 }; /* as set_speed() has it */
	unsigned int mbps;

	gid_refresh_old();
	mbps = interface_speed(device);
	return mbps ? mbps : LEAST;
}

void device_query_port(const struct device *device, struct ibv_port_attr *attr)
{
	bool up;

	gid_refresh_old();
	up = device_is_up(device);
	memset(attr, 0, sizeof(*attr));
	attr->state = up ? IBV_PORT_ACTIVE : IBV_PORT_DOWN;
	attr->max_mtu = IBV_MTU_4096;
	attr->active_mtu = device_mtu(device);
	attr->gid_tbl_len = GID_TABLE_SIZE;
	attr->port_cap_flags = IBV_PORT_CM_SUP | IBV_PORT_IP_BASED_GIDS;
	attr->max_msg_sz = (uint32_t)settings()->max_msg;
	attr->pkey_tbl_len = 1;
	attr->max_vl_num = 1; /* VL0 alone (IBA 14.2.5.6) */
	set_speed(interface_speed(device), attr);
	attr->phys_state = up ? 5 : 3; /* LinkUp, Disabled: IBA 14.2.5.6 */
	attr->link_layer = IBV_LINK_LAYER_ETHERNET;
}
