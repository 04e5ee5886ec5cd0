/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/fabric_poll.h"

#include "session/fabric_endpoint.h"

#include <rdma/fi_errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "session/error.h"
#include "session/fabric_offer.h"

#define BATCH 16  /* completions taken at a time */
#define ROUND 256 /* of an endpoint, before others get their turn */

/* Where nothing wakes us: how long between looks, after work and when it stays quiet. */
#define LOOK_LEAST_US 20
#define LOOK_MOST_US  1000

static void look(struct timer *timer)
{
	struct fabric *fabric = container_of(timer, struct fabric, look);

	fabric->pause_us *= 2;
	if (fabric->pause_us > LOOK_MOST_US)
		fabric->pause_us = LOOK_MOST_US;
}

int fabric_start(struct srdma_worker *worker)
{
	struct fabric *fabric;
	int error;

	if (!(worker->options.number[SRDMA_OPT_CONNECT] & SRDMA_CONNECT_DIRECT))
		return fail(SRDMA_ECONFIG,
		            "connecting by 'cm' is for the transport 'verbs': over "
		            "libfabric endpoints find each other directly");
	fabric = calloc(1, sizeof(*fabric));
	if (!fabric)
		return fail(SRDMA_ENOMEM, "out of memory for libfabric");
	fabric->worker = worker;
	fabric->look.expired = look;
	fabric->pause_us = LOOK_LEAST_US;
	list_init(&fabric->active);
	list_init(&fabric->graves);
	worker->fabric = fabric;
	error = fabric_library_load(&fabric->library);
	if (!error)
		error = worker_add_timer(worker);
	fabric->has_timer = !error;
	return error ? error : fabric_ask(fabric, false);
}

static void bury_all(struct fabric *fabric)
{
	list_for_each_safe (node, &fabric->graves)
		fabric_bury(container_of(node, struct fabric_endpoint, node));
}

void fabric_end(struct srdma_worker *worker)
{
	struct fabric *fabric = worker->fabric;

	if (!fabric)
		return;
	bury_all(fabric);
	for (int i = 0; i < 2; i++)
		if (fabric->offers[i])
			fabric->library->freeinfo(fabric->offers[i]);
	if (fabric->has_timer)
		worker_drop_timer(worker, &fabric->look);
	free(fabric);
	worker->fabric = NULL;
}

static struct request *request_of(void *context)
{
	return container_of((struct fi_context2 *)context, struct request, context);
}

static void take_error(struct fabric_endpoint *endpoint)
{
	struct fi_cq_err_entry error = { 0 };

	if (fi_cq_readerr(endpoint->cq, &error, 0) == 1 && error.op_context)
		fabric_request_failed(request_of(error.op_context), &error);
}

/* Take completions and handle them; returns how many. Whoever is told of one may stop
 * the endpoint, which takes those behind it along. */
static unsigned take(struct fabric_endpoint *endpoint)
{
	struct fi_cq_msg_entry entries[BATCH];
	fi_addr_t sources[BATCH];
	ssize_t count = fi_cq_readfrom(endpoint->cq, entries, BATCH, sources);

	if (count == -FI_EAVAIL) {
		take_error(endpoint);
		return 1;
	}
	if (count < 0 && count != -FI_EAGAIN) {
		endpoint->base.events->broke(&endpoint->base,
		                             fabric_failed(&endpoint->domain,
		                                           "read a completion queue",
		                                           (int)count));
		return 0;
	}
	for (ssize_t i = 0; i < count && !endpoint->stopped; i++)
		if (entries[i].op_context)
			fabric_completed(request_of(entries[i].op_context),
			                 entries[i].len, sources[i]);
	return count > 0 ? (unsigned)count : 0;
}

static unsigned poll_one(struct fabric_endpoint *endpoint)
{
	unsigned total = 0, count;

	do {
		count = take(endpoint);
		total += count;
	} while (count && total < ROUND && !endpoint->stopped);
	if (!endpoint->stopped)
		fabric_advance(endpoint);
	return total;
}

unsigned fabric_poll(struct srdma_worker *worker)
{
	struct fabric *fabric = worker->fabric;
	struct list turn;
	unsigned total = 0;

	list_init(&turn);
	list_splice(&turn, &fabric->active);
	while (!list_empty(&turn)) {
		struct fabric_endpoint *endpoint =
		        container_of(turn.next, struct fabric_endpoint, node);

		list_remove(&endpoint->node);
		list_append(&fabric->active, &endpoint->node);
		total += poll_one(endpoint);
	}
	bury_all(fabric);
	if (total)
		fabric->pause_us = LOOK_LEAST_US;
	return total;
}

/* Whether the provider wakes us for all that may come. While two endpoints find each
 * other it may need turns of ours that it does not ask for. */
static bool wakes(struct fabric_endpoint *endpoint)
{
	struct fid *fid = &endpoint->cq->fid;

	if (endpoint->completions.fd < 0 || !endpoint->heard ||
	    fabric_is_waiting(endpoint))
		return false;
	return fi_trywait(endpoint->domain.fid_fabric, &fid, 1) == FI_SUCCESS;
}

int fabric_arm(struct srdma_worker *worker)
{
	struct fabric *fabric = worker->fabric;

	list_for_each_safe (node, &fabric->active) {
		struct fabric_endpoint *endpoint =
		        container_of(node, struct fabric_endpoint, node);

		if (wakes(endpoint))
			list_remove(&endpoint->node);
	}
	if (list_empty(&fabric->active))
		timer_cancel(&worker->timers, &fabric->look);
	else
		worker_set_timer(worker, &fabric->look, fabric->pause_us);
	return 0;
}
