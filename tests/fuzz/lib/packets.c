// SPDX-License-Identifier: BSD-2-Clause
#include "lib/packets.h"

#include <string.h>

#include "host/engine.h"
#include "host/inside.h"
#include "lib/processes.h"
#include "link/roce.h"
#include "mockrdma.h"
#include "transport/wire.h"

uint64_t packets_now = 1000;

static void (*sent)(const struct packet_bytes *packet);

static uint64_t now(void)
{
	return packets_now;
}

static int send_packets(const struct net_path *path, const struct net_packet *packets,
                        unsigned int count)
{
	(void)path;
	for (unsigned int i = 0; i < count; i++) {
		struct packet_bytes packet = { 0 };

		for (unsigned int p = 0; p < packets[i].parts; p++) {
			const struct iovec *part = &packets[i].part[p];

			MUST(packet.length + part->iov_len <= PACKET_MOST);
			memcpy(packet.bytes + packet.length, part->iov_base,
			       part->iov_len);
			packet.length += part->iov_len;
		}
		sent(&packet);
	}
	return (int)count;
}

static bool poll_nothing(void)
{
	return false;
}

static const struct net_ops net = { .send = send_packets, .poll = poll_nothing };

struct ibv_context *packets_begin(void (*taker)(const struct packet_bytes *packet))
{
	static char directory[] = "/dev/shm/mockrdma-fuzz.XXXXXX";
	struct ibv_context *context;
	struct ibv_device **list;

	MUST(mkdtemp(directory));
	setenv("MOCKRDMA_DIR", directory, 1);
	setenv("MOCKRDMA_LINK", "roce", 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	sent = taker;
	timers_simulate(now);
	roce_set_net(&net);
	list = ibv_get_device_list(NULL);
	MUST(list && list[0]);
	context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	MUST(context);
	return context;
}

static int mask_of(enum ibv_qp_state state, enum ibv_qp_type type)
{
	bool reliable = type == IBV_QPT_RC, datagrams = type == IBV_QPT_UD;

	switch (state) {
	case IBV_QPS_INIT:
		return IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
		       (datagrams ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS);
	case IBV_QPS_RTR:
		return IBV_QP_STATE |
		       (datagrams ? 0
		                  : IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
		                            IBV_QP_RQ_PSN) |
		       (reliable ? IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER : 0);
	default:
		return IBV_QP_STATE | IBV_QP_SQ_PSN |
		       (reliable ? IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
		                           IBV_QP_MAX_QP_RD_ATOMIC
		                 : 0);
	}
}

void packets_connect(struct ibv_qp *qp, uint32_t dest_qpn, const union ibv_gid *gid,
                     const struct mockrdma_protection *keys)
{
	static const enum ibv_qp_state steps[] = { IBV_QPS_INIT, IBV_QPS_RTR,
		                                   IBV_QPS_RTS };
	struct ibv_qp_attr attr = {
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
		                   IBV_ACCESS_REMOTE_ATOMIC,
		.qkey = PACKETS_QKEY,
		.path_mtu = IBV_MTU_256,
		.dest_qp_num = dest_qpn,
		.rq_psn = PACKETS_PSN,
		.sq_psn = PACKETS_PSN,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.timeout = 10,
		.retry_cnt = 2,
		.rnr_retry = 2,
		.ah_attr = { .is_global = 1, .port_num = 1, .grh = { .dgid = *gid } },
	};

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		attr.qp_state = steps[i];
		MUST(!ibv_modify_qp(qp, &attr, mask_of(steps[i], qp->qp_type)));
		if (keys && steps[i] == IBV_QPS_INIT)
			MUST(!mockrdma_qp_protect(qp, keys));
	}
}

void packets_arrive(const struct net_path *path, const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);

	MUST(exact);
	memcpy(exact, bytes, length);
	wire_takers.packet(path, exact, length);
	free(exact);
}
