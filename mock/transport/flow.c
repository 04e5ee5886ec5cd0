/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/flow.h"

#include <endian.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "host/peer.h"
#include "object/gid.h"
#include "transport/datagram.h"
#include "transport/transport.h"

enum { ROCE_UDP_PORT = 4791 };

static void enlist(struct qp_shared *sh, seg_off off)
{
	struct flow_rule *rule = segment_ptr(off);
	seg_off *at = &sh->flows;

	while (*at && ((struct flow_rule *)segment_ptr(*at))->rank <= rule->rank)
		at = &((struct flow_rule *)segment_ptr(*at))->next;
	rule->next = *at;
	*at = off;
	sh->has_flows = 1;
}

static void delist(struct qp_shared *sh, seg_off off)
{
	seg_off *at = &sh->flows;

	while (*at != off)
		at = &((struct flow_rule *)segment_ptr(*at))->next;
	*at = ((struct flow_rule *)segment_ptr(off))->next;
	sh->has_flows = sh->flows != 0;
}

static void change(struct qp *qp, seg_off rule,
                   void (*how)(struct qp_shared *sh, seg_off off))
{
	responder_lock(peer_self(), qp->sh);
	how(qp->sh, rule);
	owner_unlock(&qp->sh->lock);
}

static int check(const struct ibv_qp *qp, const struct flow_wish *wish)
{
	if (qp->qp_type != IBV_QPT_UD)
		return -EINVAL;
	return wish->counters && wish->counters->ibv.context != qp->context ? -EINVAL : 0;
}

static int make(struct qp *qp, const struct flow_wish *wish, struct flow **flow)
{
	struct flow *made = calloc(1, sizeof(*made));
	int err = made ? segment_alloc(sizeof(wish->rule), &made->rule) : -ENOMEM;

	if (err) {
		free(made);
		return err;
	}
	made->ibv.context = qp_base(qp)->context;
	made->ibv.handle = (uint32_t)(made->rule / CACHE_LINE); /* blocks begin there */
	made->qp = qp;
	made->counters = wish->counters;
	*(struct flow_rule *)segment_ptr(made->rule) = wish->rule;
	*flow = made;
	return 0;
}

/* Of all lists of flows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int flow_create(struct qp *qp, const struct ibv_flow_attr *attr, struct flow **flow)
{
	struct flow_wish wish;
	int err = flow_read(attr, &wish);

	if (!err)
		err = check(qp_base(qp), &wish);
	if (!err)
		err = make(qp, &wish, flow);
	if (err)
		return err;
	if (wish.counters)
		flow_counters_use(wish.counters);
	pthread_mutex_lock(&lock);
	list_add_tail(&qp->flows, &(*flow)->node);
	change(qp, (*flow)->rule, enlist);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* The lock is held. */
static void end(struct flow *flow)
{
	if (!flow->qp)
		return;
	change(flow->qp, flow->rule, delist);
	list_del(&flow->node);
	flow->qp = NULL;
}

void flow_destroy(struct flow *flow)
{
	pthread_mutex_lock(&lock);
	end(flow);
	pthread_mutex_unlock(&lock);
	segment_free(flow->rule, sizeof(struct flow_rule));
	if (flow->counters)
		flow_counters_unuse(flow->counters);
	free(flow);
}

bool flow_any(struct qp *qp)
{
	bool any;

	pthread_mutex_lock(&lock);
	any = !list_empty(&qp->flows);
	pthread_mutex_unlock(&lock);
	return any;
}

void flow_end_all(struct qp *qp)
{
	pthread_mutex_lock(&lock);
	while (!list_empty(&qp->flows))
		end(list_entry(qp->flows.next, struct flow, node));
	pthread_mutex_unlock(&lock);
}

static bool is_ipv4(const struct packet *packet)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)packet->sgid);
}

static void view(const struct packet *packet, union flow_view *headers)
{
	*headers = (union flow_view){
		.flow_label = htobe32(packet->datagram->flow_label),
		.ether_type = htobe16(is_ipv4(packet) ? ETHERTYPE_IP : ETHERTYPE_IPV6),
		.dst_port = htobe16(ROCE_UDP_PORT),
		.protocol = IPPROTO_UDP,
		.traffic_class = packet->datagram->traffic_class,
		.hop_limit = packet->datagram->hop_limit
	};
	memcpy(headers->sgid, packet->sgid, sizeof(headers->sgid));
	memcpy(headers->dgid, packet->dgid, sizeof(headers->dgid));
}

static bool matches(const struct flow_rule *rule, const struct packet *packet,
                    const union flow_view *headers)
{
	if (rule->of_groups && !gid_is_multicast(packet->dgid))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(headers->word); i++) {
		if ((headers->word[i] & rule->mask.word[i]) != rule->value.word[i])
			return false;
	}
	return true;
}

/* An Ethernet frame without its check sequence, as adapters count. */
static uint64_t frame_length(const struct packet *packet)
{
	return ETHER_HDR_LEN +
	       (is_ipv4(packet) ? sizeof(struct ip) : sizeof(struct ip6_hdr)) +
	       datagram_ip_payload(packet->length, packet->mask & OP_IMM);
}

bool flow_drops(const struct request *req)
{
	const struct flow_rule *rule;
	union flow_view headers;

	view(req->packet, &headers);
	for (seg_off off = req->qp->flows; off; off = rule->next) {
		rule = peer_ptr(req->owner, off);
		if (!matches(rule, req->packet, &headers))
			continue;
		if (rule->count) {
			struct flow_count *count = peer_ptr(req->owner, rule->count);

			atomic_fetch_add(&count->packets, 1);
			atomic_fetch_add(&count->bytes, frame_length(req->packet));
		}
		if (!rule->goes_on)
			return rule->drops;
	}
	return false;
}
