/* SPDX-License-Identifier: BSD-2-Clause */
/* Reliable datagrams by libfabric, as a transport. */
#include "session/fabric_endpoint.h"

#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>
#include <stdio.h>
#include <string.h>

#include "session/error.h"
#include "session/fabric_offer.h"
#include "session/fabric_poll.h"

static void describe(const struct endpoint *base, struct frame *out)
{
	const struct fabric_endpoint *endpoint = to_fabric(base);
	size_t length = sizeof(out->fabric.name);

	*out = (struct frame){ .type = FRAME_FABRIC };
	snprintf(out->fabric.provider, sizeof(out->fabric.provider), "%s",
	         fabric_provider(&endpoint->domain));
	if (!fi_getname(&endpoint->fid->fid, out->fabric.name, &length))
		out->fabric.length = (uint16_t)length;
}

/* An address of one provider means nothing to another. */
static int learn(struct endpoint *base, const struct frame *peer)
{
	struct fabric_endpoint *endpoint = to_fabric(base);
	const char *ours = fabric_provider(&endpoint->domain);

	if (!strcmp(peer->fabric.provider, ours))
		return 0;
	return fail(SRDMA_EVERSION,
	            "%s uses libfabric's provider '%s', we '%s': both sides have to name "
	            "the same",
	            base->peer, peer->fabric.provider, ours);
}

/*
 * Providers take addresses on trust. Text has to end; others are as long as ours; and one
 * of IP is where TLS found the peer, so that nobody has us connect to third parties.
 */
static bool is_sane(const struct fabric_endpoint *endpoint,
                    const struct frame_fabric *theirs)
{
	uint32_t format = endpoint->domain.info->addr_format;
	struct sockaddr_storage address = { 0 };
	uint8_t ours[FRAME_FABRIC_NAME];
	size_t length = sizeof(ours);

	if (format == FI_ADDR_STR)
		return theirs->name[theirs->length - 1] == '\0';
	if (fi_getname(&endpoint->fid->fid, ours, &length) || length != theirs->length)
		return false;
	if (!fabric_is_ip(format))
		return true;
	if (length > sizeof(address))
		return false;
	memcpy(&address, theirs->name, length); /* it may lie at any address */
	return fabric_same_ip((const struct sockaddr *)&address,
	                      (const struct sockaddr *)&endpoint->remote);
}

/*
 * Shared memory's names are of a process and its endpoint: "fi_shm://PID:UID:N". Two ends
 * in one process share their memory there, and who outlives the other would use what is
 * gone (libfabric 1.17).
 */
static bool is_own_process(const struct fabric_endpoint *endpoint,
                           const struct frame_fabric *theirs)
{
	char ours[FRAME_FABRIC_NAME] = "";
	size_t length = sizeof(ours);
	const char *end;

	if (endpoint->domain.info->addr_format != FI_ADDR_STR ||
	    fi_getname(&endpoint->fid->fid, ours, &length))
		return false;
	ours[sizeof(ours) - 1] = '\0';
	end = strrchr(ours, ':');
	return end &&
	       !strncmp(ours, (const char *)theirs->name, (size_t)(end - ours) + 1);
}

static int connect_to(struct endpoint *base, const struct frame *peer)
{
	struct fabric_endpoint *endpoint = to_fabric(base);

	if (is_own_process(endpoint, &peer->fabric))
		return fail(SRDMA_ENODEVICE,
		            "libfabric's provider %s cannot connect two ends in one "
		            "process",
		            fabric_provider(&endpoint->domain));
	if (is_sane(endpoint, &peer->fabric) &&
	    fi_av_insert(endpoint->av, peer->fabric.name, 1, &endpoint->peer, 0, NULL) ==
	            1)
		return 0;
	return fail(SRDMA_EPROTOCOL,
	            "%s told an address that is none of its own for libfabric's "
	            "provider %s",
	            base->peer, fabric_provider(&endpoint->domain));
}

/* There is nothing secret, and nothing to read back: the proofs say who answers. */
static int confirm(struct endpoint *endpoint, unsigned *attested)
{
	(void)endpoint;
	(void)attested;
	return 0;
}

static const char *device(const struct endpoint *endpoint)
{
	return to_fabric(endpoint)->domain.info->domain_attr->name;
}

static void attest(const struct endpoint *base, struct srdma_attestation *out)
{
	const struct fabric_endpoint *endpoint = to_fabric(base);
	char name[FRAME_FABRIC_NAME];
	size_t length = sizeof(name), room = sizeof(out->gid);

	snprintf(out->device, sizeof(out->device), "%s (%s)", device(base),
	         fabric_provider(&endpoint->domain));
	if (!fi_getname(&endpoint->fid->fid, name, &length))
		fi_av_straddr(endpoint->av, name, out->gid, &room);
	out->gid[sizeof(out->gid) - 1] = '\0';
}

static int reg(struct endpoint *endpoint, void *address, size_t length, unsigned rights,
               struct region *out)
{
	return fabric_reg(&to_fabric(endpoint)->domain, address, length, rights, out);
}

static int expose(struct endpoint *endpoint, void *address, size_t length,
                  unsigned rights, struct exposure *out)
{
	out->window = NULL;
	return reg(endpoint, address, length, rights, &out->region);
}

static void conceal(struct endpoint *endpoint, struct exposure *exposure)
{
	(void)endpoint;
	fabric_dereg(&exposure->region);
}

const struct transport transport_fabric = {
	.name = "fabric",
	.number = SRDMA_TRANSPORT_FABRIC,
	.description = FRAME_FABRIC,
	.attests = SRDMA_ATTESTED_FABRIC,
	.check = fabric_start,
	.poll = fabric_poll,
	.arm = fabric_arm,
	.end = fabric_end,
	.open = fabric_open,
	.describe = describe,
	.learn = learn,
	.connect = connect_to,
	.confirm = confirm,
	.attest = attest,
	.device = device,
	.send = fabric_send,
	.access = fabric_access,
	.reg = reg,
	.dereg = fabric_dereg,
	.expose = expose,
	.conceal = conceal,
	.stop = fabric_stop,
	.free = fabric_free,
};
