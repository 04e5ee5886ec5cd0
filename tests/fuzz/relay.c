// SPDX-License-Identifier: BSD-2-Clause
/*
 * What one process hands another of what came to the host's port: arrivals of any shape,
 * which are routed, and messages in the ring that a process gone mad wrote, whose lengths
 * and places are anything. Each byte that is given on is there, a packet that is routed
 * comes out once, and whatever is in the ring has an end.
 */
#include <stdlib.h>
#include <string.h>

#include "host/peer.h"
#include "host/registry.h"
#include "host/ring.h"
#include "host/segment.h"
#include "lib/input.h"
#include "lib/processes.h"
#include "link/net_relay.h"
#include "link/net_route.h"
#include "wire/icrc.h"

enum { MESSAGE_MOST = 512, ARRIVAL_MOST = 2048, STEPS_MOST = 64, MANAGER = 1 };

static struct {
	struct input in;
	struct ring *ring;
	size_t given; /* bytes */
} w;

static uint8_t byte(void)
{
	return input_byte(&w.in);
}

/* All of it is read, packet by packet as its taker does. */
static void take(const struct net_arrival *arrival)
{
	size_t left = arrival->length;
	unsigned int number = arrival->first;

	MUST(arrival->segment);
	for (const uint8_t *at = arrival->data; left; number++) {
		size_t length = left < arrival->segment ? left : arrival->segment;

		if (length >= ICRC_BTH + ICRC_LENGTH)
			net_icrc_is_right(arrival, at, length, number);
		at += length;
		left -= length;
	}
	w.given += arrival->length;
}

/* Mostly the connection manager; no group, which has no members and where that is the end
 * of it. */
static void name_somebody(uint8_t *bth)
{
	if (byte() % 2)
		memcpy(bth + 5, (uint8_t[]){ 0, 0, MANAGER }, 3);
	bth[7] &= 0x7f;
}

/* In memory of just that size. What is for other processes: there are none. */
static void route(void)
{
	size_t length = 1 + (input_word(&w.in) % ARRIVAL_MOST);
	uint8_t *data = malloc(length);
	struct net_arrival arrival = {
		.data = data,
		.length = length,
		.segment = byte() % 4 ? 1 + input_word(&w.in) % length : length,
		.first = byte(),
	};

	MUST(data);
	for (size_t i = 0; i < length; i++)
		data[i] = byte();
	for (size_t i = 0; i + 8 < length; i += arrival.segment)
		name_somebody(data + i);
	w.given = 0;
	net_route(&arrival);
	net_route_ours(take);
	MUST(w.given == length);
	free(data);
}

static void put(void)
{
	uint8_t message[MESSAGE_MOST];
	size_t length = input_word(&w.in) % sizeof(message);
	const struct iovec part = { message, length };

	for (size_t i = 0; i < length; i++)
		message[i] = byte();
	ring_put(w.ring, &part, 1);
}

/* Where lengths are, and what says how far to read. */
static void spoil(void)
{
	uint64_t head = atomic_load(&w.ring->head);
	uint32_t value = byte() % 4 ? byte() : input_word(&w.in);

	if (byte() % 8)
		memcpy(w.ring->data + (head + byte() / 8 * 8) % RING_BYTES, &value,
		       sizeof(value));
	else
		atomic_fetch_add(&w.ring->tail, (uint64_t)value / 8 * 8 % RING_BYTES);
}

static void take_all(void)
{
	net_relay_take(net_relay_end(), take);
	MUST(!net_relay_take(net_relay_end(), take));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char directory[] = "/dev/shm/mockrdma-fuzz.XXXXXX";
	uint64_t relay;
	seg_off ring;

	(void)argc;
	(void)argv;
	MUST(mkdtemp(directory));
	setenv("MOCKRDMA_DIR", directory, 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	MUST(!host_attach());
	MUST(net_relay_open() >= 0);
	MUST(registry_relay(peer_self()->slot, peer_self()->generation, &relay, &ring));
	w.ring = segment_ptr(ring);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	w.in = (struct input){ data, data + size };
	for (int i = 0; i < STEPS_MOST && w.in.at < w.in.end; i++) {
		switch (byte() % 4) {
		case 0: route(); break;
		case 1: put(); break;
		case 2: spoil(); break;
		default: take_all();
		}
	}
	take_all();
	return 0;
}
