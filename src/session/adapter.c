/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "session/device.h"
#include "session/verbs_endpoint.h"
#include "session/error.h"
#include "session/probe.h"
#include "session/sizes.h"

#define FIRST_SHARED \
	32 /* shared receive buffers to begin with, and to grow by at least */
#define BUCKETS_MAX 65536

const char *adapter_name(const struct adapter *adapter)
{
	return ibv_get_device_name(adapter->verbs->device);
}

static unsigned power_of_two(uint64_t least, unsigned most)
{
	unsigned size = 16;

	while (size < least && size < most)
		size *= 2;
	return size;
}

/* Every work request of every session must have room in the CQ: an overrun would end them
 * all. */
static int cq_size(const struct adapter *adapter)
{
	const uint64_t *number = adapter->worker->options.number;
	uint64_t sessions = adapter->worker->single ? 1 : number[SRDMA_OPT_MAX_SESSIONS];
	uint64_t sends = sessions * (number[SRDMA_OPT_SEND_DEPTH] + SPARE_SENDS);
	uint64_t own = receives_of(number, number[SRDMA_OPT_PROTECTION] &
	                                           SRDMA_PROTECTION_SEALED);
	uint64_t receives = adapter->srq ? adapter->shared_most : sessions * own;
	uint64_t most = (uint64_t)adapter->limits.max_cqe;

	return (int)(sends + receives < most ? sends + receives : most);
}

static int create_cq(struct adapter *adapter)
{
	adapter->channel = ibv_create_comp_channel(adapter->verbs);
	if (!adapter->channel)
		return fail(SRDMA_ESYSTEM, "cannot create a completion channel on %s: %s",
		            adapter_name(adapter), errno_text(errno));
	adapter->cq =
	        device_create_cq(adapter->verbs, cq_size(adapter), adapter->channel);
	if (!adapter->cq)
		return fail(SRDMA_ESYSTEM, "cannot create a completion queue on %s: %s",
		            adapter_name(adapter), errno_text(errno));
	adapter->cq_free = adapter->cq->cqe;
	return 0;
}

static bool create_srq(struct adapter *adapter)
{
	const uint64_t *number = adapter->worker->options.number;
	uint64_t most = (uint64_t)adapter->limits.max_srq_wr;
	uint64_t wanted = number[SRDMA_OPT_RECEIVE_BUFFERS];

	adapter->shared_most = (unsigned)(wanted < most ? wanted : most);
	adapter->srq = device_create_srq(adapter->pd, adapter->shared_most);
	verbs_pool_init(&adapter->pool, adapter->pd, adapter->srq, NULL,
	                message_room(number));
	return adapter->srq != NULL;
}

/* Where sessions can share receive buffers they do; else each has its own. */
static int create_shared(struct adapter *adapter, const struct adapter_gid *gid)
{
	uint8_t port = (uint8_t)adapter->worker->options.number[SRDMA_OPT_IB_PORT];

	if (adapter->worker->single)
		return 0;
	adapter->pd = device_alloc_pd(adapter->verbs);
	if (!adapter->pd)
		return fail(SRDMA_ESYSTEM,
		            "cannot allocate a protection domain on %s: %s",
		            adapter_name(adapter), errno_text(errno));
	if (probe_shared_receive(adapter->verbs, adapter->pd, port, &adapter->port,
	                         &gid->gid, (uint8_t)gid->index) &&
	    create_srq(adapter))
		return 0;
	log_info("device %s: sessions cannot share a receive queue: each has its own",
	         adapter_name(adapter));
	return 0;
}

static int create_table(struct adapter *adapter)
{
	const uint64_t *number = adapter->worker->options.number;

	adapter->buckets =
	        power_of_two(adapter->worker->single ? 1 : number[SRDMA_OPT_MAX_SESSIONS],
	                     BUCKETS_MAX);
	adapter->endpoints = malloc(adapter->buckets * sizeof(*adapter->endpoints));
	if (!adapter->endpoints)
		return fail(SRDMA_ENOMEM, "out of memory for a table");
	for (unsigned i = 0; i < adapter->buckets; i++)
		list_init(&adapter->endpoints[i]);
	return adapter_init_pending(adapter);
}

static int watch(struct adapter *adapter)
{
	struct srdma_worker *worker = adapter->worker;
	int error;

	if (fcntl(adapter->channel->fd, F_SETFL, O_NONBLOCK) ||
	    fcntl(adapter->verbs->async_fd, F_SETFL, O_NONBLOCK))
		return fail(SRDMA_ESYSTEM,
		            "cannot make the channels of %s non-blocking: %s",
		            adapter_name(adapter), errno_text(errno));
	adapter->completions =
	        (struct source){ adapter->channel->fd, adapter_completions_ready };
	adapter->events =
	        (struct source){ adapter->verbs->async_fd, adapter_events_ready };
	error = worker_watch(worker, &adapter->completions, POLLER_IN);
	return error ? error : worker_watch(worker, &adapter->events, POLLER_IN);
}

/* A look at the device: its port and addresses. Nothing is created on it. */
static int open_device(struct srdma_worker *worker, struct ibv_device *device,
                       struct adapter **out)
{
	uint8_t port = (uint8_t)worker->options.number[SRDMA_OPT_IB_PORT];
	struct adapter *adapter = calloc(1, sizeof(*adapter));
	int error;

	if (!adapter)
		return fail(SRDMA_ENOMEM, "out of memory for a device");
	adapter->worker = worker;
	adapter->completions.fd = -1;
	adapter->events.fd = -1;
	list_init(&adapter->node);
	adapter->verbs = device_open(device);
	if (!adapter->verbs) {
		error = fail(SRDMA_ESYSTEM, "cannot open RDMA device %s: %s",
		             ibv_get_device_name(device), errno_text(errno));
		goto close;
	}
	if (ibv_query_device(adapter->verbs, &adapter->limits) ||
	    ibv_query_port(adapter->verbs, port, &adapter->port)) {
		error = fail(SRDMA_ESYSTEM, "cannot query port %u of RDMA device %s",
		             port, adapter_name(adapter));
		goto close;
	}
	*out = adapter;
	return 0;

close:
	adapter_close(adapter);
	return error;
}

bool adapter_is_iwarp(const struct adapter *adapter)
{
	return adapter->verbs->device->transport_type == IBV_TRANSPORT_IWARP;
}

int adapter_check_connect(const struct adapter *adapter, uint64_t connect)
{
	if (connect == SRDMA_CONNECT_DIRECT && adapter_is_iwarp(adapter))
		return fail(
		        SRDMA_ENODEVICE,
		        "RDMA device %s is iWARP, which has no starting PSNs: connect by "
		        "'cm'",
		        adapter_name(adapter));
	return 0;
}

static int check_device(const struct adapter *adapter)
{
	if (adapter->port.state != IBV_PORT_ACTIVE)
		return fail(
		        SRDMA_ENODEVICE, "the port of RDMA device %s is %s, not active",
		        adapter_name(adapter), ibv_port_state_str(adapter->port.state));
	return 0;
}

/* Make a device that was looked at ready for sessions. */
static int start(struct adapter *adapter, const struct adapter_gid *gid)
{
	int error = check_device(adapter);

	if (!error)
		error = create_shared(adapter, gid);
	if (!error)
		error = create_cq(adapter);
	if (!error)
		error = create_table(adapter);
	if (!error)
		error = watch(adapter);
	if (error)
		return error;
	list_append(&adapter->worker->adapters, &adapter->node);
	adapter->worker->stats.devices++;
	adapter->worker->stats.shared_receive += adapter->srq != NULL;
	log_debug("device %s: in use%s", adapter_name(adapter),
	          adapter->srq ? ", one receive queue for all sessions" : "");
	return 0;
}

static bool is_wanted(const struct srdma_worker *worker, struct ibv_device *device)
{
	const char *name = worker->options.text[SRDMA_OPT_DEVICE];

	return !name || !strcmp(name, ibv_get_device_name(device));
}

static bool is_open(const struct srdma_worker *worker, struct ibv_device *device)
{
	list_for_each (node, &worker->adapters) {
		struct adapter *adapter = container_of(node, struct adapter, node);

		if (!strcmp(adapter_name(adapter), ibv_get_device_name(device)))
			return true;
	}
	return false;
}

/* 0: it has the GID and is in use now; SRDMA_EBLOCKED: it has not. */
static int try_device(struct srdma_worker *worker, struct ibv_device *device,
                      const union ibv_gid *wanted, struct adapter **out,
                      struct adapter_gid *gid)
{
	struct adapter *adapter = NULL;
	int error = open_device(worker, device, &adapter);

	if (error)
		return error;
	error = adapter_has_gid(adapter, wanted, gid) ? start(adapter, gid)
	                                              : SRDMA_EBLOCKED;
	if (error)
		adapter_close(adapter);
	else
		*out = adapter;
	return error;
}

static int no_gid(const struct srdma_worker *worker, const union ibv_gid *wanted,
                  bool mapped)
{
	const char *name = worker->options.text[SRDMA_OPT_DEVICE];
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(mapped ? AF_INET : AF_INET6, wanted->raw + (mapped ? 12 : 0), text,
	          sizeof(text));
	return fail(
	        SRDMA_ENODEVICE,
	        "%s%s has the address %s of this connection: connect by an address of an "
	        "interface that has an RDMA device",
	        name ? "RDMA device " : "no RDMA device", name ? name : "", text);
}

static int open_matching(struct srdma_worker *worker, const union ibv_gid *wanted,
                         struct adapter **out, struct adapter_gid *gid)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	int error = SRDMA_EBLOCKED;

	for (size_t i = 0; devices && devices[i] && error; i++) {
		int result;

		if (!is_wanted(worker, devices[i]) || is_open(worker, devices[i]))
			continue;
		result = try_device(worker, devices[i], wanted, out, gid);
		/* A device that has the address but fails says more than one that has
		 * not. */
		if (result != SRDMA_EBLOCKED)
			error = result;
	}
	if (devices)
		ibv_free_device_list(devices);
	return error;
}

int adapter_find(struct srdma_worker *worker, const struct sockaddr_storage *local,
                 struct adapter **out, struct adapter_gid *gid)
{
	union ibv_gid wanted = adapter_gid_of(local);
	bool mapped = IN6_IS_ADDR_V4MAPPED((struct in6_addr *)wanted.raw);
	int error;

	list_for_each (node, &worker->adapters) {
		struct adapter *adapter = container_of(node, struct adapter, node);

		if (adapter_has_gid(adapter, &wanted, gid)) {
			*out = adapter;
			return 0;
		}
	}
	error = open_matching(worker, &wanted, out, gid);
	return error == SRDMA_EBLOCKED ? no_gid(worker, &wanted, mapped) : error;
}

int adapter_check(const char *name)
{
	int count = 0;
	struct ibv_device **devices = ibv_get_device_list(&count);
	bool found = false;

	for (int i = 0; devices && i < count; i++)
		found |= !name || !strcmp(name, ibv_get_device_name(devices[i]));
	if (devices)
		ibv_free_device_list(devices);
	if (found)
		return 0;
	if (count > 0)
		return fail(SRDMA_ENODEVICE,
		            "no RDMA device is named '%s': ibv_devices lists those that "
		            "there are",
		            name);
	return fail(SRDMA_ENODEVICE, "no RDMA device on this machine: to go on without "
	                             "one, start this program as "
	                             "`mockrdma run -- PROGRAM ARGUMENTS`");
}

void adapter_close(struct adapter *adapter)
{
	struct srdma_worker *worker = adapter->worker;

	if (!list_empty(&adapter->node)) {
		worker->stats.devices--;
		worker->stats.shared_receive -= adapter->srq != NULL;
		worker->stats.receive_buffers -= adapter->pool.base.count;
	}
	list_remove(&adapter->node);
	worker_unwatch(worker, &adapter->completions);
	worker_unwatch(worker, &adapter->events);
	device_destroy_srq(adapter->srq);
	pool_free(&adapter->pool.base);
	device_destroy_cq(adapter->cq);
	if (adapter->channel)
		ibv_destroy_comp_channel(adapter->channel);
	device_dealloc_pd(adapter->pd);
	device_close(adapter->verbs);
	free(adapter->endpoints);
	free(adapter->gids);
	free(adapter->pending);
	free(adapter);
}

/*
 * Shared receive buffers follow the number of sessions, up to the setting; beyond it
 * sessions share what is there, and a sender that finds none waits (RNR).
 */
int adapter_claim(struct adapter *adapter, int count)
{
	unsigned most = adapter->shared_most;
	unsigned had = adapter->pool.base.count, wanted, room;
	int error;

	adapter->claims += (unsigned)count;
	if (count < 0 || adapter->claims <= had || had >= most)
		return 0;
	room = most - had;
	wanted = adapter->claims - had;
	if (wanted < FIRST_SHARED || wanted < had / 2)
		wanted = FIRST_SHARED > had / 2 ? FIRST_SHARED : had / 2;
	error = pool_grow(&adapter->pool.base, wanted < room ? wanted : room);
	adapter->worker->stats.receive_buffers += adapter->pool.base.count - had;
	if (error)
		adapter->claims -= (unsigned)count;
	return error;
}

int adapter_reserve(struct adapter *adapter, int completions)
{
	int free = adapter->cq_free - (adapter->srq ? (int)adapter->shared_most : 0);

	if (completions > free)
		return fail(SRDMA_ELIMIT,
		            "the completion queue of %s has no room for another session",
		            adapter_name(adapter));
	adapter->cq_free -= completions;
	return 0;
}
