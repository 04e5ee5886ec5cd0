/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The roce link: messages become packets of at most the path MTU, which a network
 * (link/net.h) carries and may lose. What follows from that is transport's (wire.h); here
 * is how packets of one path are put together and sent in batches.
 */
#ifndef MOCK_LINK_ROCE_H
#define MOCK_LINK_ROCE_H

#include "link/link.h"
#include "link/net.h"
#include "wire/roce.h"

struct protection;

enum { ROCE_MTU_MAX = 4096 };

extern const struct link_ops link_roce;

/* Whether it can be used: joins the host's port when it is the first time. */
bool roce_ready(void);
/* Datagrams from other hosts are to be heard, if that can be. */
void roce_listen(void);
/* Whether it is in use already. */
bool roce_is_up(void);
/* Whether datagrams from this address to a group go to the network, too. */
bool roce_takes_groups(const union ibv_gid *sgid);
/* The network in place of the process's own, for tests; before there are QPs. */
void roce_set_net(const struct net_ops *given);
/* A thread is about to wait for an event. */
void roce_attend(void);
/* Takes what has arrived, when this process has such a network. */
void roce_poll(void);

/* Packets of one path on their way out. Large: on the stack, and not cleared. */
struct roce_out {
	const struct net_path *path;
	struct protection *protection; /* of all of them; NULL: they go in clear */
	unsigned int count;
	size_t bounced;          /* bytes of bounce that are used */
	uint32_t tag[NET_BATCH]; /* the caller's */
	struct net_packet packet[NET_BATCH];
	uint8_t header[NET_BATCH][ROCE_HEADERS_MAX];
	uint8_t bounce[ROCE_MTU_MAX]; /* payloads of too many pieces */
};

/* A payload: what lies from an offset on in a list of pieces. */
struct roce_payload {
	const struct iovec *iov;
	unsigned int iovs;
	uint64_t offset;
};

static inline void roce_out_start(struct roce_out *out, const struct net_path *path,
                                  struct protection *protection)
{
	out->path = path;
	out->protection = protection;
	out->count = 0;
	out->bounced = 0;
}

/*
 * Adds a packet of packet->length bytes of payload, which stay where they are until
 * roce_out_flush(). False when that has to be called first.
 */
bool roce_out_add(struct roce_out *out, const struct roce *packet,
                  const struct roce_payload *payload, uint32_t tag);
/*
 * Whether a packet of that many bytes, added now, would go in the same system call as the
 * one before it: where it is not the longer one of the two, nor behind a shorter one.
 */
bool roce_out_has_room_behind(const struct roce_out *out, size_t size);
/* The last one that was added asks for an acknowledgement. */
void roce_out_ask(struct roce_out *out);
/*
 * Sends them. How many were taken: fewer than there were when the network has no room
 * now. None is left.
 */
unsigned int roce_out_flush(struct roce_out *out);

#endif
