/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/fabric_endpoint.h"

#include <stdlib.h>

#include "common/poller.h"
#include "session/error.h"
#include "session/objects.h"

static int allocate(struct fabric_endpoint *endpoint, const struct endpoint_plan *plan)
{
	endpoint->send_count = plan->sends;
	endpoint->receive_count = plan->receives;
	endpoint->sends = calloc(plan->sends, sizeof(*endpoint->sends));
	endpoint->receives = calloc(plan->receives, sizeof(*endpoint->receives));
	endpoint->spare = calloc(plan->receives, sizeof(*endpoint->spare));
	endpoint->early = calloc(plan->receives, sizeof(*endpoint->early));
	if (!endpoint->sends || !endpoint->receives || !endpoint->spare ||
	    !endpoint->early)
		return fail(SRDMA_ENOMEM, "out of memory for an endpoint");
	while (endpoint->spares < plan->receives) {
		endpoint->spare[endpoint->spares] = &endpoint->receives[endpoint->spares];
		endpoint->spares++;
	}
	return 0;
}

static void completions_ready(struct source *source, uint32_t events)
{
	struct fabric_endpoint *endpoint =
	        container_of(source, struct fabric_endpoint, completions);

	(void)events;
	if (list_empty(&endpoint->node))
		list_append(&endpoint->domain.fabric->active, &endpoint->node);
}

/* With a descriptor where the provider has one. */
static int open_cq(struct fabric_endpoint *endpoint)
{
	struct fabric_domain *domain = &endpoint->domain;
	struct fi_cq_attr attr = { .size = endpoint->send_count + endpoint->receive_count,
		                   .format = FI_CQ_FORMAT_MSG,
		                   .wait_obj = FI_WAIT_FD };
	int code = fi_cq_open(domain->fid, &attr, &endpoint->cq, NULL);

	if (code) {
		attr.wait_obj = FI_WAIT_NONE;
		code = fi_cq_open(domain->fid, &attr, &endpoint->cq, NULL);
		if (code)
			return fabric_failed(domain, "open a completion queue", code);
	}
	object_made(OBJECT_CQ);
	if (attr.wait_obj == FI_WAIT_NONE ||
	    fi_control(&endpoint->cq->fid, FI_GETWAIT, &endpoint->completions.fd))
		return 0;
	return worker_watch(domain->fabric->worker, &endpoint->completions, POLLER_IN);
}

static size_t power_of_two(size_t least)
{
	size_t size = 16;

	while (size < least)
		size *= 2;
	return size;
}

/* With queues of the size that a session needs: what providers would have by themselves
 * is tens of megabytes. */
static int new_fid(struct fabric_endpoint *endpoint)
{
	struct fi_info info = *endpoint->domain.info;
	struct fi_tx_attr sends = *info.tx_attr;
	struct fi_rx_attr receives = *info.rx_attr;

	sends.size = power_of_two(endpoint->send_count);
	receives.size = power_of_two(endpoint->receive_count);
	info.tx_attr = &sends;
	info.rx_attr = &receives;
	return fi_endpoint(endpoint->domain.fid, &info, &endpoint->fid, NULL);
}

static int create(struct fabric_endpoint *endpoint)
{
	struct fi_av_attr attr = { .type = FI_AV_UNSPEC, .count = 1 };
	struct fabric_domain *domain = &endpoint->domain;
	int code = new_fid(endpoint);

	if (!code) {
		object_made(OBJECT_QP);
		code = fi_av_open(domain->fid, &attr, &endpoint->av, NULL);
	}
	if (!code)
		code = fi_ep_bind(endpoint->fid, &endpoint->av->fid, 0);
	if (!code)
		code = fi_ep_bind(endpoint->fid, &endpoint->cq->fid,
		                  FI_TRANSMIT | FI_RECV);
	if (!code)
		code = fi_enable(endpoint->fid);
	return code ? fabric_failed(domain, "open an endpoint", code) : 0;
}

static int provide(struct fabric_endpoint *endpoint, const struct endpoint_plan *plan)
{
	int code =
	        fabric_reg(&endpoint->domain, endpoint->sends,
	                   plan->sends * sizeof(*endpoint->sends), 0, &endpoint->region);

	if (code)
		return fabric_failed(&endpoint->domain, "register memory", -code);
	fabric_pool_init(endpoint, plan->message);
	return pool_grow(&endpoint->pool, plan->receives);
}

static struct fabric_endpoint *new_endpoint(const struct endpoint_plan *plan)
{
	struct fabric_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return NULL;
	endpoint->base = (struct endpoint){ .transport = &transport_fabric,
		                            .events = plan->events,
		                            .owner = plan->owner,
		                            .peer = plan->peer,
		                            .inline_max = FABRIC_SHORT };
	endpoint->peer = FI_ADDR_UNSPEC;
	endpoint->remote = plan->remote;
	endpoint->completions = (struct source){ -1, completions_ready };
	list_init(&endpoint->node);
	list_init(&endpoint->unposted);
	return endpoint;
}

int fabric_open(struct srdma_worker *worker, const struct endpoint_plan *plan,
                struct endpoint **out)
{
	struct fabric_endpoint *endpoint = new_endpoint(plan);
	int error;

	if (!endpoint)
		return fail(SRDMA_ENOMEM, "out of memory for an endpoint");
	error = fabric_domain_open(&endpoint->domain, worker->fabric, plan);
	if (error) {
		free(endpoint);
		return error;
	}
	error = allocate(endpoint, plan);
	if (!error)
		error = open_cq(endpoint);
	if (!error)
		error = create(endpoint);
	if (!error)
		error = provide(endpoint, plan);
	if (error) {
		fabric_stop(&endpoint->base);
		fabric_free(&endpoint->base);
		return error;
	}
	*out = &endpoint->base;
	return 0;
}

/* When this returns the provider has nothing of ours any more. */
void fabric_stop(struct endpoint *base)
{
	struct fabric_endpoint *endpoint = to_fabric(base);
	struct fabric_domain *domain = &endpoint->domain;

	if (endpoint->stopped)
		return;
	endpoint->stopped = true;
	list_remove(&endpoint->node);
	worker_unwatch(domain->fabric->worker, &endpoint->completions);
	if (endpoint->fid) {
		fabric_close(domain, &endpoint->fid->fid, "endpoint");
		object_gone(OBJECT_QP);
	}
	if (endpoint->cq) {
		fabric_close(domain, &endpoint->cq->fid, "completion queue");
		object_gone(OBJECT_CQ);
	}
	if (endpoint->av)
		fabric_close(domain, &endpoint->av->fid, "address vector");
	fabric_dereg(&endpoint->region);
	if (endpoint->pool.ops)
		pool_close(&endpoint->pool);
}

void fabric_free(struct endpoint *base)
{
	struct fabric_endpoint *endpoint = to_fabric(base);

	if (endpoint->pool.ops)
		pool_free(&endpoint->pool);
	list_remove(&endpoint->node);
	list_append(&endpoint->domain.fabric->graves, &endpoint->node);
	fabric_domain_close(&endpoint->domain);
}

void fabric_bury(struct fabric_endpoint *endpoint)
{
	list_remove(&endpoint->node);
	free(endpoint->sends);
	free(endpoint->receives);
	free(endpoint->spare);
	free(endpoint->early);
	free(endpoint);
}
