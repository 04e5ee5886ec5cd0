/* SPDX-License-Identifier: BSD-2-Clause */
/* Completions and events of a device, and whose they are. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "session/verbs_endpoint.h"
#include "session/error.h"

#define BATCH 32   /* completions taken at a time */
#define ROUND 1024 /* completions handled before others get their turn */

static struct list *bucket(struct adapter *adapter, uint32_t qpn)
{
	return &adapter->endpoints[(qpn * 2654435761u >> 8) & (adapter->buckets - 1)];
}

static struct verbs_endpoint *find(struct adapter *adapter, uint32_t qpn)
{
	list_for_each (node, bucket(adapter, qpn)) {
		struct verbs_endpoint *endpoint =
		        container_of(node, struct verbs_endpoint, node);

		if (endpoint->qpn == qpn)
			return endpoint;
	}
	return NULL;
}

void adapter_add(struct adapter *adapter, struct verbs_endpoint *endpoint)
{
	list_append(bucket(adapter, endpoint->qpn), &endpoint->node);
}

/*
 * Room for all that the CQ can hold, so that purging cannot fail; the pages are touched
 * only when it comes to that.
 */
int adapter_init_pending(struct adapter *adapter)
{
	adapter->pending_size = (unsigned)adapter->cq->cqe + BATCH;
	adapter->pending = malloc(adapter->pending_size * sizeof(*adapter->pending));
	if (!adapter->pending)
		return fail(SRDMA_ENOMEM, "out of memory for completions");
	return 0;
}

/* Take completions from the CQ, behind those that wait; returns how many. */
static unsigned take(struct adapter *adapter)
{
	unsigned room = adapter->pending_size - adapter->pending_end;
	int count = ibv_poll_cq(adapter->cq, room < BATCH ? (int)room : BATCH,
	                        adapter->pending + adapter->pending_end);

	if (count <= 0)
		return 0;
	adapter->pending_end += (unsigned)count;
	return (unsigned)count;
}

/* IBA 11.6.2: what the device says of a failed work request, as a sentence. */
static int failed_sentence(const char *peer, enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
		return fail(SRDMA_ENETWORK,
		            "the queue pair of %s does not answer: it is gone, or "
		            "packets do not "
		            "get through",
		            peer);
	case IBV_WC_RNR_RETRY_EXC_ERR:
		return fail(SRDMA_ENETWORK, "%s provides no receive buffers", peer);
	case IBV_WC_REM_ACCESS_ERR:
		return fail(SRDMA_ENETWORK,
		            "the device of %s refused an access: it does not grant that "
		            "memory, or "
		            "took it back",
		            peer);
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_OP_ERR:
		return fail(SRDMA_ENETWORK, "the device of %s refused an operation (%s)",
		            peer, ibv_wc_status_str(status));
	case IBV_WC_MW_BIND_ERR:
		return fail(
		        SRDMA_ESYSTEM,
		        "our device could not bind, or take back, a memory window for "
		        "%s",
		        peer);
	case IBV_WC_LOC_LEN_ERR:
		return fail(SRDMA_EPROTOCOL, "%s sent a message larger than agreed",
		            peer);
	case IBV_WC_WR_FLUSH_ERR:
		return fail(SRDMA_ENETWORK, "the queue pair to %s failed", peer);
	default:
		return fail(SRDMA_ENETWORK, "the queue pair to %s failed: %s", peer,
		            ibv_wc_status_str(status));
	}
}

static void hand_in(struct endpoint *endpoint, const struct ibv_wc *wc)
{
	struct srdma_message *message = (struct srdma_message *)(uintptr_t)wc->wr_id;
	const struct arrival arrival = {
		.word = ntohl(wc->imm_data),
		.length = wc->byte_len,
		.valid = wc->opcode == IBV_WC_RECV && wc->wc_flags & IBV_WC_WITH_IMM,
	};

	endpoint->events->received(endpoint, message, &arrival);
}

/* Failed sends are not told: they end with the session, and with its reason. */
static void hand_failed(struct endpoint *endpoint, const struct ibv_wc *wc)
{
	endpoint->events->broke(endpoint, failed_sentence(endpoint->peer, wc->status));
	if (!VERBS_IS_SEND(wc->wr_id))
		endpoint->events->received(
		        endpoint, (struct srdma_message *)(uintptr_t)wc->wr_id, NULL);
}

static void dispatch(struct adapter *adapter, const struct ibv_wc *wc)
{
	struct verbs_endpoint *endpoint = find(adapter, wc->qp_num);

	if (!endpoint) {
		if (!VERBS_IS_SEND(wc->wr_id))
			pool_post((struct srdma_message *)(uintptr_t)wc->wr_id);
	} else if (wc->status != IBV_WC_SUCCESS) {
		hand_failed(&endpoint->base, wc);
	} else if (VERBS_IS_SEND(wc->wr_id)) {
		endpoint->base.events->sent(&endpoint->base, VERBS_SEQUENCE(wc->wr_id));
	} else {
		hand_in(&endpoint->base, wc);
	}
}

unsigned adapter_poll(struct adapter *adapter)
{
	unsigned total = 0;

	while (total < ROUND) {
		struct ibv_wc wc;

		if (adapter->pending_at == adapter->pending_end) {
			adapter->pending_at = 0;
			adapter->pending_end = 0;
			if (!take(adapter))
				break;
		}
		/* A copy: a callback may end a session, and that moves what is pending.
		 */
		wc = adapter->pending[adapter->pending_at++];
		dispatch(adapter, &wc);
		total++;
	}
	return total;
}

/* The session's own receive buffers end with it; shared ones go back to the device. */
static void drop(struct adapter *adapter, const struct verbs_endpoint *endpoint)
{
	unsigned kept = adapter->pending_at;

	for (unsigned i = adapter->pending_at; i < adapter->pending_end; i++) {
		const struct ibv_wc *wc = &adapter->pending[i];

		if (wc->qp_num != endpoint->qpn)
			adapter->pending[kept++] = *wc;
		else if (!VERBS_IS_SEND(wc->wr_id) && verbs_is_shared(endpoint))
			pool_post((struct srdma_message *)(uintptr_t)wc->wr_id);
	}
	adapter->pending_end = kept;
}

void adapter_drain(struct adapter *adapter, const struct verbs_endpoint *endpoint)
{
	do
		drop(adapter, endpoint);
	while (take(adapter));
}

void adapter_remove(struct adapter *adapter, struct verbs_endpoint *endpoint)
{
	adapter_drain(adapter, endpoint);
	list_remove(&endpoint->node);
}

/*
 * The channel
 */

void adapter_completions_ready(struct source *source, uint32_t events)
{
	struct adapter *adapter = container_of(source, struct adapter, completions);
	unsigned count = 0;
	struct ibv_cq *cq;
	void *unused;

	(void)events;
	while (!ibv_get_cq_event(adapter->channel, &cq, &unused))
		count++;
	if (!count)
		return;
	ibv_ack_cq_events(adapter->cq, count);
	adapter->armed = false;
}

int adapter_arm(struct adapter *adapter)
{
	int error;

	if (adapter->armed)
		return 0;
	error = ibv_req_notify_cq(adapter->cq, 0);
	if (error)
		return fail(SRDMA_ESYSTEM, "cannot arm the completion queue of %s: %s",
		            adapter_name(adapter), errno_text(error));
	adapter->armed = true;
	return 0;
}

/*
 * Asynchronous events. A QP that failed as a target has no work request that could say
 * so: where receives are shared nothing of it is flushed.
 */

static void break_one(struct verbs_endpoint *endpoint, const char *why)
{
	endpoint->base.events->broke(
	        &endpoint->base, fail(SRDMA_ENETWORK, "the queue pair to %s failed: %s",
	                              endpoint->base.peer, why));
}

static void break_all(struct adapter *adapter, const char *why)
{
	for (unsigned i = 0; i < adapter->buckets; i++)
		list_for_each_safe (node, &adapter->endpoints[i]) {
			struct verbs_endpoint *endpoint =
			        container_of(node, struct verbs_endpoint, node);

			break_one(endpoint, why);
		}
}

static void handle_event(struct adapter *adapter, const struct ibv_async_event *event)
{
	const char *name = ibv_event_type_str(event->event_type);
	struct verbs_endpoint *endpoint;

	switch (event->event_type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
		endpoint = find(adapter, event->element.qp->qp_num);
		if (endpoint)
			break_one(endpoint, name);
		break;
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_CQ_ERR:
	case IBV_EVENT_SRQ_ERR:
		log_error("device %s: %s", adapter_name(adapter), name);
		break_all(adapter, name);
		break;
	case IBV_EVENT_GID_CHANGE:
		adapter->gid_count = 0; /* read anew when next asked for */
		break;
	case IBV_EVENT_PORT_ACTIVE:
	case IBV_EVENT_PORT_ERR:
		log_warn("device %s: %s", adapter_name(adapter), name);
		break;
	default: break;
	}
}

void adapter_events_ready(struct source *source, uint32_t events)
{
	struct adapter *adapter = container_of(source, struct adapter, events);
	struct ibv_async_event event;

	if (events & (POLLER_ERR | POLLER_HUP))
		worker_unwatch(adapter->worker, source);
	while (!ibv_get_async_event(adapter->verbs, &event)) {
		handle_event(adapter, &event);
		ibv_ack_async_event(&event);
	}
}
