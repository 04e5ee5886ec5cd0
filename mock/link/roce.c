/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/roce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/util.h"
#include "host/segment.h"
#include "host/settings.h"
#include "object/gid.h"
#include "object/protection.h"

enum { ASK_OCTET = 8, ASK_BIT = 0x80 }; /* of the BTH */
/* As much as the system takes at once, or a packet of the longest kind. */
enum { SEALED_BYTES = 70000, SEALED_SPARE = 4 };

/* Set once, when the first QP needs it. */
static const struct net_ops *_Atomic net;

void roce_set_net(const struct net_ops *given)
{
	net = given;
}

bool roce_ready(void)
{
	/* Also after the process has left the host and joined it again. */
	if ((!net || net == &net_udp) && !net_start())
		net = &net_udp;
	else if (net == &net_udp)
		net = NULL;
	return net != NULL;
}

void roce_listen(void)
{
	if (settings()->packets_only)
		roce_ready();
	else if (!net && !net_start_quietly())
		net = &net_udp;
}

bool roce_is_up(void)
{
	return atomic_load_explicit(&net, memory_order_relaxed) != NULL;
}

bool roce_takes_groups(const union ibv_gid *sgid)
{
	return roce_is_up() && !gid_is_loopback(sgid);
}

void roce_poll(void)
{
	const struct net_ops *ops = atomic_load_explicit(&net, memory_order_relaxed);

	if (unlikely(ops != NULL))
		ops->poll();
}

void roce_attend(void)
{
	const struct net_ops *ops = atomic_load_explicit(&net, memory_order_relaxed);

	if (ops && ops->attend)
		ops->attend();
}

/* The pieces of a payload that a packet has; 0 when they are too many. */
static unsigned int slice(const struct roce_payload *payload, size_t length,
                          struct iovec *out, unsigned int room)
{
	uint64_t skip = payload->offset;
	unsigned int count = 0;

	for (unsigned int i = 0; i < payload->iovs && length; i++) {
		const struct iovec *iov = &payload->iov[i];
		size_t take;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		if (count == room)
			return 0;
		take = min_u64(iov->iov_len - skip, length);
		out[count++] = (struct iovec){ (char *)iov->iov_base + skip, take };
		length -= take;
		skip = 0;
	}
	return count;
}

/* The same as one piece, of the bounce buffer. */
static void gather(struct roce_out *out, const struct roce_payload *payload,
                   size_t length, struct iovec *part)
{
	struct roce_payload rest = *payload;
	struct iovec piece;

	*part = (struct iovec){ out->bounce + out->bounced, length };
	for (size_t done = 0; done < length; done += piece.iov_len) {
		/* One element at a time. */
		while (rest.offset >= rest.iov->iov_len) {
			rest.offset -= rest.iov->iov_len;
			rest.iov++;
		}
		piece.iov_base = (char *)rest.iov->iov_base + rest.offset;
		piece.iov_len = min_u64(rest.iov->iov_len - rest.offset, length - done);
		memcpy(out->bounce + out->bounced + done, piece.iov_base, piece.iov_len);
		rest.offset += piece.iov_len;
	}
	out->bounced += length;
}

bool roce_out_add(struct roce_out *out, const struct roce *packet,
                  const struct roce_payload *payload, uint32_t tag)
{
	static uint8_t zeros[4];
	struct net_packet *to = &out->packet[out->count];
	unsigned int parts = 0, padding = roce_padding(packet->length);
	uint8_t *header = out->header[out->count];

	if (out->count == NET_BATCH)
		return false;
	if (packet->length) {
		parts = slice(payload, packet->length, to->part + 1, NET_PARTS - 2);
		if (!parts && out->bounced + packet->length > sizeof(out->bounce))
			return false;
		if (!parts) {
			gather(out, payload, packet->length, to->part + 1);
			parts = 1;
		}
	}
	to->part[0] =
	        (struct iovec){ header, roce_encode(packet, header, ROCE_HEADERS_MAX) };
	parts++;
	if (padding)
		to->part[parts++] = (struct iovec){ zeros, padding };
	to->parts = parts;
	out->tag[out->count++] = tag;
	return true;
}

void roce_out_ask(struct roce_out *out)
{
	if (out->count)
		out->header[out->count - 1][ASK_OCTET] |= ASK_BIT;
}

static size_t size_of(const struct net_packet *packet)
{
	size_t size = 0;

	for (unsigned int i = 0; i < packet->parts; i++)
		size += packet->part[i].iov_len;
	return size;
}

/* How many from the first one on may go together: all of one size, and one less. */
static unsigned int run_of(const struct net_packet *packet, unsigned int count)
{
	size_t size = size_of(packet), next;
	unsigned int run = 1;

	while (run < count) {
		next = size_of(&packet[run]);
		if (next > size)
			break;
		run++;
		if (next < size)
			break;
	}
	return run;
}

bool roce_out_has_room_behind(const struct roce_out *out, size_t size)
{
	unsigned int at = 0, run = 0;

	if (!out->count || out->count == NET_BATCH)
		return false;
	for (; at < out->count; at += run)
		run = run_of(out->packet + at, out->count - at);
	return size <= size_of(&out->packet[at - 1]) &&
	       size_of(&out->packet[at - 1]) == size_of(&out->packet[at - run]);
}

static void say_unreachable(const struct net_path *path, int err)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	const uint8_t *raw = path->remote.raw;

	if (!atomic_flag_test_and_set(&said))
		mock_error("packets to the address that ends in %u.%u.%u.%u cannot be "
		           "sent: %s",
		           raw[12], raw[13], raw[14], raw[15], strerror(-err));
}

/* Packets of a run as they are sent when they are protected. */
struct sealed {
	struct net_packet packet[NET_BATCH];
	uint8_t room[SEALED_BYTES];
};

/* Some that nobody uses now; more are made when more threads send at once. */
static struct sealed *_Atomic spare[SEALED_SPARE];

static struct sealed *sealed_take(void)
{
	struct sealed *found = NULL;

	for (unsigned int i = 0; !found && i < SEALED_SPARE; i++)
		found = atomic_exchange(&spare[i], NULL);
	return found ? found : malloc(sizeof(*found));
}

static void sealed_give(struct sealed *sealed)
{
	for (unsigned int i = 0; sealed && i < SEALED_SPARE; i++) {
		struct sealed *none = NULL;

		if (atomic_compare_exchange_strong(&spare[i], &none, sealed))
			return;
	}
	free(sealed);
}

/* As many as there is room for. */
static unsigned int seal_run(struct roce_out *out, unsigned int first, unsigned int run,
                             struct sealed *sealed)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < run; i++) {
		const struct net_packet *from = &out->packet[first + i];
		size_t size =
		        protection_seal(out->protection, from->part, from->parts,
		                        sealed->room + used, sizeof(sealed->room) - used);

		if (!size)
			break;
		sealed->packet[i].part[0] = (struct iovec){ sealed->room + used, size };
		sealed->packet[i].parts = 1;
		used += size;
	}
	return i;
}

/* As net_ops.send(), of the first *run packets, or fewer: then *run says so. Each time
 * that a packet goes it has another number, also when the network did not take it. */
static int send_protected(struct roce_out *out, unsigned int first, unsigned int *run)
{
	struct sealed *sealed = sealed_take();
	unsigned int count = sealed ? seal_run(out, first, *run, sealed) : 0;
	int taken = (int)*run;

	if (count) {
		*run = count;
		taken = net->send(out->path, sealed->packet, count);
	} else {
		/* No memory, no number left: as if they were lost. */
		count_net(COUNT_DROP_UNSENT, *run);
	}
	sealed_give(sealed);
	return taken;
}

unsigned int roce_out_flush(struct roce_out *out)
{
	unsigned int done = 0;

	while (done < out->count) {
		unsigned int run = run_of(out->packet + done, out->count - done);
		int taken;

		if (unlikely(out->protection != NULL))
			taken = send_protected(out, done, &run);
		else
			taken = net->send(out->path, out->packet + done, run);

		/* As if it were lost on the way. */
		if (taken < 0) {
			say_unreachable(out->path, taken);
			taken = (int)run;
		}
		done += (unsigned int)taken;
		if ((unsigned int)taken < run)
			break;
	}
	out->count = 0;
	out->bounced = 0;
	return done;
}

static void unbind(struct qp *qp)
{
	(void)qp;
}

const struct link_ops link_roce = {
	.name = "roce",
	.packets = true,
	.unbind = unbind,
};
