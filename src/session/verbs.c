/* SPDX-License-Identifier: BSD-2-Clause */
/* RC queue pairs by libibverbs, as a transport. */
#include <errno.h>
#include <openssl/crypto.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "session/cm.h"
#include "session/device.h"
#include "session/error.h"
#include "session/psn.h"
#include "session/verbs_endpoint.h"
#include "session/verbs_window.h"

/*
 * The worker's share
 */

static int check(struct srdma_worker *worker)
{
	return adapter_check(worker->options.text[SRDMA_OPT_DEVICE]);
}

static unsigned poll_all(struct srdma_worker *worker)
{
	unsigned count = 0;

	list_for_each (node, &worker->adapters)
		count += adapter_poll(container_of(node, struct adapter, node));
	return count;
}

static int arm(struct srdma_worker *worker)
{
	list_for_each (node, &worker->adapters) {
		int error = adapter_arm(container_of(node, struct adapter, node));

		if (error)
			return error;
	}
	return 0;
}

static void end(struct srdma_worker *worker)
{
	cm_free(worker->cm);
	list_for_each_safe (node, &worker->adapters)
		adapter_close(container_of(node, struct adapter, node));
}

/*
 * Memory
 */

static int registered(struct ibv_mr *mr, struct region *out)
{
	if (!mr)
		return errno;
	out->handle = mr;
	out->lkey = mr->lkey;
	return 0;
}

static int reg(struct endpoint *endpoint, void *address, size_t length, unsigned rights,
               struct region *out)
{
	unsigned access = rights & REGION_LOCAL_WRITE ? IBV_ACCESS_LOCAL_WRITE : 0;

	return registered(device_reg_mr(to_verbs(endpoint)->pd, address, length, access),
	                  out);
}

static void dereg(struct region *region)
{
	device_dereg_mr(region->handle);
	region->handle = NULL;
}

/*
 * Receive buffers
 */

static int pool_reg(struct pool *pool, void *address, size_t length, struct region *out)
{
	struct ibv_pd *pd = container_of(pool, struct verbs_pool, base)->pd;

	return registered(device_reg_mr(pd, address, length, IBV_ACCESS_LOCAL_WRITE),
	                  out);
}

static int pool_post_one(struct pool *pool, struct srdma_message *message)
{
	struct verbs_pool *own = container_of(pool, struct verbs_pool, base);
	struct ibv_sge sge = {
		.addr = (uintptr_t)message->data,
		.length = (uint32_t)pool->stride,
		.lkey = message->region->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = (uintptr_t)message,
		                  .sg_list = &sge,
		                  .num_sge = 1 },
	                   *bad;
	int error = own->srq ? ibv_post_srq_recv(own->srq, &wr, &bad)
	                     : ibv_post_recv(own->qp, &wr, &bad);

	return error ? fail(SRDMA_ESYSTEM, "cannot post a receive buffer: %s",
	                    errno_text(error))
	             : 0;
}

void verbs_pool_init(struct verbs_pool *pool, struct ibv_pd *pd, struct ibv_srq *srq,
                     struct ibv_qp *qp, size_t stride)
{
	static const struct pool_ops ops = { pool_reg, dereg, pool_post_one };

	*pool = (struct verbs_pool){
		.base = { .ops = &ops, .shared = srq != NULL, .stride = stride },
		.pd = pd,
		.srq = srq,
		.qp = qp,
	};
}

/*
 * The endpoint
 */

static int open_endpoint(struct srdma_worker *worker, const struct endpoint_plan *plan,
                         struct endpoint **out)
{
	struct verbs_endpoint *endpoint = NULL;
	struct adapter_gid gid;
	struct adapter *adapter;
	int error = adapter_find(worker, &plan->local, &adapter, &gid);

	if (!error)
		error = adapter_check_connect(adapter, plan->connect);
	if (!error)
		error = verbs_open(adapter, &gid, plan, &endpoint);
	if (!error)
		*out = &endpoint->base;
	return error;
}

static void describe(const struct endpoint *base, struct frame *out)
{
	const struct verbs_endpoint *endpoint = to_verbs(base);
	const struct ibv_port_attr *port = &endpoint->adapter->port;

	*out = (struct frame){
		.type = FRAME_ENDPOINT,
		.endpoint = { .mtu = (uint8_t)port->active_mtu,
		              .link_layer = port->link_layer,
		              .reads_out = endpoint->reads,
		              .reads_in = endpoint->reads,
		              .qpn = endpoint->qpn,
		              .psn = endpoint->psn,
		              .lid = port->lid },
	};
	memcpy(out->endpoint.gid, endpoint->gid.gid.raw, sizeof(out->endpoint.gid));
}

static int protect(struct endpoint *base, const struct packet_keys *keys)
{
	struct verbs_endpoint *endpoint = to_verbs(base);
	int error = device_protect(endpoint->qp, keys);

	if (error)
		return fail(SRDMA_ESYSTEM, "%s cannot protect the packets of %s: %s",
		            adapter_name(endpoint->adapter), base->peer,
		            errno_text(error));
	return 0;
}

static int learn(struct endpoint *endpoint, const struct frame *peer)
{
	to_verbs(endpoint)->peer_psn = peer->endpoint.psn;
	return 0;
}

static int connect_to(struct endpoint *endpoint, const struct frame *peer)
{
	return verbs_connect(to_verbs(endpoint), &peer->endpoint);
}

static int confirm(struct endpoint *endpoint, unsigned *attested)
{
	int error = verbs_check_psn(to_verbs(endpoint));

	if (!error)
		*attested |= SRDMA_ATTESTED_PSN_IN_FORCE;
	return error;
}

static int fingerprint(const struct endpoint *base, bool client, const uint8_t *salt,
                       size_t salt_length, char *ours, char *theirs)
{
	const struct verbs_endpoint *endpoint = to_verbs(base);
	const char *us = client ? "client" : "server";
	const char *them = client ? "server" : "client";
	int error = psn_hash(salt, salt_length, us, endpoint->psn, ours);

	return error ? error
	             : psn_hash(salt, salt_length, them, endpoint->peer_psn, theirs);
}

static const char *device(const struct endpoint *endpoint)
{
	return adapter_name(to_verbs(endpoint)->adapter);
}

static void attest(const struct endpoint *base, struct srdma_attestation *out)
{
	const struct verbs_endpoint *endpoint = to_verbs(base);

	snprintf(out->device, sizeof(out->device), "%s", device(base));
	inet_ntop(AF_INET6, endpoint->gid.gid.raw, out->gid, sizeof(out->gid));
	verbs_state(endpoint, out->qp_state, sizeof(out->qp_state));
	out->shared_receive = verbs_is_shared(endpoint);
}

/*
 * Operations
 */

static int send_message(struct endpoint *endpoint, const struct outgoing *outgoing)
{
	struct ibv_sge sge = { (uintptr_t)outgoing->data, outgoing->length,
		               outgoing->region ? outgoing->region->lkey : 0 };
	bool is_inline = !outgoing->region && outgoing->length;
	struct ibv_send_wr wr = {
		.wr_id = VERBS_SEND_ID(outgoing->sequence),
		.sg_list = &sge,
		.num_sge = outgoing->length ? 1 : 0,
		.opcode = IBV_WR_SEND_WITH_IMM,
		.send_flags = is_inline ? IBV_SEND_INLINE : 0,
		.imm_data = htonl(outgoing->word),
	};

	return verbs_post(endpoint, &wr);
}

static int start_access(struct endpoint *endpoint, const struct access *access)
{
	struct ibv_sge sge = { (uintptr_t)access->data, access->length,
		               access->region->lkey };
	struct ibv_send_wr wr = {
		.wr_id = VERBS_SEND_ID(access->sequence),
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = access->write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
		.wr.rdma = { .remote_addr = access->address,
		             .rkey = (uint32_t)access->key },
	};

	return verbs_post(endpoint, &wr);
}

static void stop(struct endpoint *endpoint)
{
	verbs_destroy_qp(to_verbs(endpoint));
}

static void free_endpoint(struct endpoint *endpoint)
{
	verbs_free(to_verbs(endpoint));
}

const struct transport transport_verbs = {
	.name = "verbs",
	.number = SRDMA_TRANSPORT_VERBS,
	.description = FRAME_ENDPOINT,
	.attests = SRDMA_ATTESTED_ALL,
	.check = check,
	.poll = poll_all,
	.arm = arm,
	.end = end,
	.open = open_endpoint,
	.describe = describe,
	.can_protect = device_can_protect,
	.protect = protect,
	.learn = learn,
	.connect = connect_to,
	.confirm = confirm,
	.fingerprint = fingerprint,
	.attest = attest,
	.device = device,
	.send = send_message,
	.access = start_access,
	.reg = reg,
	.dereg = dereg,
	.expose = verbs_expose,
	.bind = verbs_bind,
	.unbind = verbs_unbind,
	.conceal = verbs_conceal,
	.stop = stop,
	.free = free_endpoint,
};
