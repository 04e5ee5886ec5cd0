/* SPDX-License-Identifier: BSD-2-Clause */
/* Address handles: where a datagram goes, and the address that it comes from. */
#ifndef MOCK_OBJECT_AH_H
#define MOCK_OBJECT_AH_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include "base/util.h"
#include "wire/grh.h"

struct link_ops;

/* What a handle says, as each work request keeps it: the handle may go before it is sent.
 */
struct av {
	union ibv_gid sgid, dgid;
	const struct link_ops *link;
	uint32_t flow_label;
	uint8_t traffic_class, hop_limit;
	bool multicast;
};

struct device;

struct ah {
	struct ibv_ah ibv;
	struct av av;
	uint8_t header[GRH_LENGTH]; /* as receivers see it, but for its length */
};

static inline struct ah *to_ah(struct ibv_ah *ah)
{
	return container_of(ah, struct ah, ibv);
}

/* Whether it names a port and an address of ours, and has the GRH without which RoCE
 * sends nothing (IBA annex A17.4.1.1). */
bool ah_attr_is_valid(const struct device *device, const struct ibv_ah_attr *attr);

/*
 * Without a GRH, to our own LID, on the domain that the connection manager gives to its
 * ids: the way from a queue pair to itself. librdmacm's datagram rsockets have handles
 * like that, as on InfiniBand; RoCE has no LIDs, and anywhere else such a handle is a
 * program's mistake.
 */
bool ah_attr_is_loopback(struct ibv_pd *pd, const struct ibv_ah_attr *attr);
/* The same, as RoCE would have it. -EADDRNOTAVAIL when the port has no address. */
int ah_attr_from_loopback(const struct device *device, struct ibv_ah_attr *attr);

/* -EINVAL, -ENOMEM. */
int ah_create(struct ibv_pd *pd, const struct ibv_ah_attr *attr,
              const struct link_ops *link, struct ah **ah);
void ah_destroy(struct ah *ah);

/*
 * How to answer a datagram that was received: its completion, and the 40 bytes in front
 * of it. -EINVAL when they are no header of RoCE, or the destination is a group or no
 * address of ours.
 */
int ah_attr_from_wc(const struct device *device, const struct ibv_wc *wc,
                    const struct ibv_grh *grh, uint8_t port, struct ibv_ah_attr *attr);

#endif
