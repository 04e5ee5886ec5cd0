/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/verbs_endpoint.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/device.h"
#include "session/error.h"
#include "session/psn.h"
#include "session/verbs_window.h"

/* RNR is rare (credits), and waits rather than fails: 0.64 ms (IBA 9.7.5.2.8), without
 * end. */
#define RNR_TIMER 12
#define RNR_RETRY 7
#define HOP_LIMIT 64

#define RIGHTS (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

static unsigned lesser(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Ask for less inline room until the device has it; every device has 0. The ring of a
 * session that rests is most of its memory: a server's answers, sealed, are below 108
 * bytes, which are two basic blocks of mlx5 too.
 */
static int create_qp(struct verbs_endpoint *endpoint, const struct endpoint_plan *plan,
                     bool shared)
{
	static const uint32_t inlines[] = { 108, 64, 32, 0 };
	struct adapter *adapter = endpoint->adapter;

	for (size_t i = 0; i < sizeof(inlines) / sizeof(inlines[0]); i++) {
		struct ibv_qp_init_attr init = {
			.send_cq = adapter->cq,
			.recv_cq = adapter->cq,
			.srq = shared ? adapter->srq : NULL,
			.cap = { .max_send_wr = plan->sends,
			         .max_recv_wr = shared ? 0 : plan->receives,
			         .max_send_sge = 1,
			         .max_recv_sge = shared ? 0 : 1,
			         .max_inline_data = inlines[i] },
			.qp_type = IBV_QPT_RC,
			.sq_sig_all = 1,
		};

		endpoint->qp = device_create_qp(endpoint->pd, &init);
		if (endpoint->qp) {
			endpoint->qpn = endpoint->qp->qp_num;
			endpoint->base.inline_max = init.cap.max_inline_data;
			return 0;
		}
		if (errno != EINVAL)
			break;
	}
	return fail(errno == ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
	            "cannot create a queue pair on %s: %s", adapter_name(adapter),
	            errno_text(errno));
}

static int reserve(struct verbs_endpoint *endpoint, const struct endpoint_plan *plan,
                   bool shared)
{
	int completions = (int)(plan->sends + (shared ? 0 : plan->receives));
	int error = adapter_reserve(endpoint->adapter, completions);

	if (!error)
		endpoint->reserved = completions;
	return error;
}

static int to_init(struct verbs_endpoint *endpoint)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = (uint8_t)endpoint->adapter->worker->options
		                    .number[SRDMA_OPT_IB_PORT],
		.qp_access_flags = endpoint->rights,
	};

	return verbs_step(endpoint, &attr,
	                  IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                          IBV_QP_ACCESS_FLAGS);
}

static int provide_receives(struct verbs_endpoint *endpoint,
                            const struct endpoint_plan *plan, bool shared)
{
	int error;

	if (!shared) {
		verbs_pool_init(&endpoint->pool, endpoint->pd, NULL, endpoint->qp,
		                plan->message);
		return pool_grow(&endpoint->pool.base, plan->receives);
	}
	error = adapter_claim(endpoint->adapter, (int)plan->receives);
	if (!error)
		endpoint->claimed = plan->receives;
	return error;
}

static struct verbs_endpoint *new_endpoint(struct adapter *adapter,
                                           const struct adapter_gid *gid,
                                           const struct endpoint_plan *plan)
{
	struct verbs_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return NULL;
	endpoint->base = (struct endpoint){ .transport = &transport_verbs,
		                            .events = plan->events,
		                            .owner = plan->owner,
		                            .peer = plan->peer };
	endpoint->adapter = adapter;
	endpoint->gid = *gid;
	endpoint->rights = IBV_ACCESS_LOCAL_WRITE | (plan->one_sided ? RIGHTS : 0);
	endpoint->reads =
	        (uint8_t)lesser(plan->reads, lesser(adapter->limits.max_qp_rd_atom,
	                                            adapter->limits.max_qp_init_rd_atom));
	list_init(&endpoint->node);
	return endpoint;
}

static int alloc_pd(struct verbs_endpoint *endpoint)
{
	endpoint->pd = device_alloc_pd(endpoint->adapter->verbs);
	if (endpoint->pd)
		return 0;
	return fail(SRDMA_ESYSTEM, "cannot allocate a protection domain on %s: %s",
	            adapter_name(endpoint->adapter), errno_text(errno));
}

int verbs_open(struct adapter *adapter, const struct adapter_gid *gid,
               const struct endpoint_plan *plan, struct verbs_endpoint **out)
{
	struct verbs_endpoint *endpoint = new_endpoint(adapter, gid, plan);
	bool shared = adapter->srq;
	int error;

	if (!endpoint)
		return fail(SRDMA_ENOMEM, "out of memory for a queue pair");
	error = psn_draw(&endpoint->psn);
	if (!error)
		error = reserve(endpoint, plan, shared);
	if (!error)
		error = alloc_pd(endpoint);
	if (!error)
		error = create_qp(endpoint, plan, shared);
	if (!error) {
		adapter_add(adapter, endpoint);
		/* A receive can be posted from INIT on (IBA 10.3.1). */
		error = to_init(endpoint);
	}
	if (!error)
		error = provide_receives(endpoint, plan, shared);
	if (error) {
		verbs_destroy_qp(endpoint);
		verbs_free(endpoint);
		return error;
	}
	*out = endpoint;
	return 0;
}

void verbs_destroy_qp(struct verbs_endpoint *endpoint)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };

	OPENSSL_cleanse(&endpoint->psn, sizeof(endpoint->psn));
	OPENSSL_cleanse(&endpoint->peer_psn, sizeof(endpoint->peer_psn));
	if (endpoint->reserved)
		adapter_reserve(endpoint->adapter, -endpoint->reserved);
	endpoint->reserved = 0;
	if (!endpoint->qp)
		return;
	/* By way of ERR, so that shared receive buffers in use come back as flushed. */
	ibv_modify_qp(endpoint->qp, &attr, IBV_QP_STATE);
	verbs_free_windows(endpoint);
	adapter_drain(endpoint->adapter, endpoint);
	device_destroy_qp(endpoint->qp);
	adapter_remove(endpoint->adapter, endpoint);
	endpoint->qp = NULL;
	pool_close(&endpoint->pool.base);
	if (endpoint->claimed)
		adapter_claim(endpoint->adapter, -(int)endpoint->claimed);
	endpoint->claimed = 0;
}

void verbs_free(struct verbs_endpoint *endpoint)
{
	pool_free(&endpoint->pool.base);
	device_dealloc_pd(endpoint->pd);
	free(endpoint);
}

/* The PSNs that count are those from TLS, whoever made the attributes. */
int verbs_step(struct verbs_endpoint *endpoint, struct ibv_qp_attr *attr, int mask)
{
	static const char *const names[] = {
		[IBV_QPS_INIT] = "INIT", [IBV_QPS_RTR] = "RTR", [IBV_QPS_RTS] = "RTS"
	};
	enum ibv_qp_state state = attr->qp_state;
	int error;

	if (mask & IBV_QP_ACCESS_FLAGS)
		attr->qp_access_flags = endpoint->rights;
	if (attr->qp_state == IBV_QPS_RTR)
		attr->rq_psn = endpoint->peer_psn;
	if (attr->qp_state == IBV_QPS_RTS)
		attr->sq_psn = endpoint->psn;
	error = ibv_modify_qp(endpoint->qp, attr, mask);
	OPENSSL_cleanse(attr, sizeof(*attr));
	if (error)
		return fail(SRDMA_ESYSTEM, "cannot bring a queue pair of %s to %s: %s",
		            adapter_name(endpoint->adapter), names[state],
		            errno_text(error));
	return 0;
}

static int to_rtr(struct verbs_endpoint *endpoint, const struct frame_endpoint *peer)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = lesser(peer->mtu, endpoint->adapter->port.active_mtu),
		.dest_qp_num = peer->qpn,
		.max_dest_rd_atomic = (uint8_t)lesser(endpoint->reads, peer->reads_out),
		.min_rnr_timer = RNR_TIMER,
		.ah_attr = { .is_global = 1,
		             .grh = { .sgid_index = (uint8_t)endpoint->gid.index,
		                      .hop_limit = HOP_LIMIT },
		             .dlid = peer->lid,
		             .port_num = (uint8_t)endpoint->adapter->worker->options
		                                 .number[SRDMA_OPT_IB_PORT] },
	};

	memcpy(attr.ah_attr.grh.dgid.raw, peer->gid, sizeof(peer->gid));
	return verbs_step(endpoint, &attr,
	                  IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                          IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                          IBV_QP_MIN_RNR_TIMER);
}

static int to_rts(struct verbs_endpoint *endpoint, const struct frame_endpoint *peer)
{
	const struct options *options = &endpoint->adapter->worker->options;
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.timeout = (uint8_t)options->number[SRDMA_OPT_ACK_TIMEOUT],
		.retry_cnt = (uint8_t)options->number[SRDMA_OPT_RETRY_COUNT],
		.rnr_retry = RNR_RETRY,
		.max_rd_atomic = (uint8_t)lesser(endpoint->reads, peer->reads_in),
	};

	return verbs_step(endpoint, &attr,
	                  IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                          IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                          IBV_QP_MAX_QP_RD_ATOMIC);
}

int verbs_connect(struct verbs_endpoint *endpoint, const struct frame_endpoint *peer)
{
	int error = to_rtr(endpoint, peer);

	return error ? error : to_rts(endpoint, peer);
}

int verbs_check_psn(struct verbs_endpoint *endpoint)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { 0 };
	int error =
	        ibv_query_qp(endpoint->qp, &attr, IBV_QP_SQ_PSN | IBV_QP_RQ_PSN, &init);
	bool right = (attr.sq_psn & PSN_MASK) == endpoint->psn &&
	             (attr.rq_psn & PSN_MASK) == endpoint->peer_psn;

	OPENSSL_cleanse(&attr, sizeof(attr));
	OPENSSL_cleanse(&endpoint->psn, sizeof(endpoint->psn));
	OPENSSL_cleanse(&endpoint->peer_psn, sizeof(endpoint->peer_psn));
	if (error)
		return fail(SRDMA_ESYSTEM, "cannot read a queue pair of %s back: %s",
		            adapter_name(endpoint->adapter), errno_text(error));
	if (!right)
		return fail(SRDMA_EINTERNAL,
		            "%s did not take the starting PSNs that were exchanged: the "
		            "session "
		            "would not be protected by them",
		            adapter_name(endpoint->adapter));
	return 0;
}

int verbs_post(struct endpoint *endpoint, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad;
	int error = ibv_post_send(to_verbs(endpoint)->qp, wr, &bad);

	if (error)
		return fail(SRDMA_ESYSTEM, "cannot post to the queue pair of %s: %s",
		            endpoint->peer, errno_text(error));
	return 0;
}

void verbs_state(const struct verbs_endpoint *endpoint, char *text, size_t size)
{
	static const char *const names[] = {
		[IBV_QPS_RESET] = "RESET", [IBV_QPS_INIT] = "INIT", [IBV_QPS_RTR] = "RTR",
		[IBV_QPS_RTS] = "RTS",     [IBV_QPS_SQD] = "SQD",   [IBV_QPS_SQE] = "SQE",
		[IBV_QPS_ERR] = "ERR",
	};
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { 0 };
	const char *name = "";

	if (!ibv_query_qp(endpoint->qp, &attr, IBV_QP_STATE, &init) &&
	    (size_t)attr.qp_state < sizeof(names) / sizeof(names[0]))
		name = names[attr.qp_state];
	OPENSSL_cleanse(&attr, sizeof(attr)); /* some devices fill in all of it */
	snprintf(text, size, "%s", name);
}

bool verbs_is_shared(const struct verbs_endpoint *endpoint)
{
	return endpoint->claimed > 0;
}
