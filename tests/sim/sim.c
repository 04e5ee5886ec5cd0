// SPDX-License-Identifier: BSD-2-Clause
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/inside.h"
#include "link/roce.h"
#include "transport/wire.h"

enum { PACKET_MOST = 4200, QUEUE_MOST = 1 << 14 };

struct flying {
	uint64_t at, order;
	struct net_path path; /* as its receiver sees it */
	size_t length;
	uint8_t bytes[PACKET_MOST];
};

static struct {
	uint64_t random, now, order, full_until;
	struct sim_weather weather;
	struct flying *queue[QUEUE_MOST];
	unsigned int count;
} sim;

struct sim_counts sim_counts;
bool (*sim_filter)(uint8_t *bth, size_t length);

/* splitmix64 */
uint64_t sim_random(void)
{
	uint64_t z = sim.random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

unsigned int sim_seeds(unsigned int most)
{
	const char *variant = getenv("TEST_VARIANT");

	return variant && strcmp(variant, "valgrind") == 0 ? most / 10 : most;
}

uint64_t sim_between(uint64_t least, uint64_t most)
{
	return least + sim_random() % (most - least + 1);
}

static bool chance(unsigned int thousandth)
{
	return thousandth && sim_random() % 1000 < thousandth;
}

static uint64_t now(void)
{
	return sim.now;
}

/* SIM_TRACE=1: each packet, when it is sent. */
static void trace(const struct flying *flying, const char *fate)
{
	struct roce roce;
	char line[256];

	if (!getenv("SIM_TRACE") ||
	    roce_decode(flying->bytes, flying->length + 4, &roce) != ROCE_OK)
		return;
	roce_print(&roce, line, sizeof(line));
	fprintf(stderr, "%12llu %s %s\n", (unsigned long long)sim.now, line, fate);
}

static void enqueue(const struct net_path *path, const struct net_packet *packet,
                    uint64_t delay)
{
	struct flying *flying = malloc(sizeof(*flying));

	if (sim.count == QUEUE_MOST || !flying)
		abort();
	flying->at = sim.now + delay;
	flying->order = sim.order++;
	flying->path = *path;
	flying->path.local = path->remote;
	flying->path.remote = path->local;
	flying->path.source_port = SIM_PORT;
	flying->length = 0;
	for (unsigned int i = 0; i < packet->parts; i++) {
		const struct iovec *part = &packet->part[i];

		if (flying->length + part->iov_len > PACKET_MOST)
			abort();
		memcpy(flying->bytes + flying->length, part->iov_base, part->iov_len);
		flying->length += part->iov_len;
	}
	sim_counts.sent++;
	if (chance(sim.weather.loss) ||
	    (sim_filter && sim_filter(flying->bytes, flying->length))) {
		sim_counts.lost++;
		trace(flying, "lost");
		free(flying);
		return;
	}
	trace(flying, "");
	sim.queue[sim.count++] = flying;
}

static void fly(const struct net_path *path, const struct net_packet *packet)
{
	uint64_t delay = sim.weather.delay_ns;

	if (chance(sim.weather.reorder)) {
		sim_counts.reordered++;
		delay += sim_between(0, 4 * sim.weather.delay_ns);
	}
	enqueue(path, packet, delay);
	if (chance(sim.weather.duplicate)) {
		sim_counts.duplicated++;
		enqueue(path, packet, delay + sim_between(0, sim.weather.delay_ns));
	}
}

static size_t size_of(const struct net_packet *packet)
{
	size_t size = 0;

	for (unsigned int i = 0; i < packet->parts; i++)
		size += packet->part[i].iov_len;
	return size;
}

/* What the contract says of the sizes of a batch. */
static void check_sizes(const struct net_packet *packets, unsigned int count)
{
	for (unsigned int i = 1; i < count; i++)
		if (size_of(&packets[i]) > size_of(&packets[0]) ||
		    (i + 1 < count && size_of(&packets[i]) != size_of(&packets[0])))
			abort();
}

static int send_packets(const struct net_path *path, const struct net_packet *packets,
                        unsigned int count)
{
	unsigned int take = count;

	check_sizes(packets, count);
	sim_counts.calls++;
	if (sim.full_until > sim.now) {
		take = 0;
	} else if (chance(sim.weather.full)) {
		take = (unsigned int)sim_between(0, count - 1);
		sim.full_until = sim.now + sim_between(1, sim.weather.delay_ns + 1);
	}
	sim_counts.refused += count - take;
	for (unsigned int i = 0; i < take; i++)
		fly(path, &packets[i]);
	return (int)take;
}

static bool poll_nothing(void)
{
	return false;
}

static const struct net_ops net_sim = { .send = send_packets, .poll = poll_nothing };

void sim_install(void)
{
	sim.now = 1000;
	setenv("MOCKRDMA_LINK", "roce", 1);
	timers_simulate(now);
	roce_set_net(&net_sim);
}

void sim_begin(uint64_t seed, const struct sim_weather *weather)
{
	while (sim.count)
		free(sim.queue[--sim.count]);
	sim.random = seed;
	sim.weather = *weather;
	sim.full_until = 0;
	sim_filter = NULL;
	memset(&sim_counts, 0, sizeof(sim_counts));
}

static bool is_before(const struct flying *a, const struct flying *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static unsigned int first(void)
{
	unsigned int found = 0;

	for (unsigned int i = 1; i < sim.count; i++)
		if (is_before(sim.queue[i], sim.queue[found]))
			found = i;
	return found;
}

static void deliver(void)
{
	unsigned int index = first();
	struct flying *flying = sim.queue[index];

	sim.queue[index] = sim.queue[--sim.count];
	if (flying->at > sim.now)
		sim.now = flying->at;
	wire_takers.packet(&flying->path, flying->bytes, flying->length);
	free(flying);
}

static void become_writable(void)
{
	sim.now = sim.full_until;
	sim.full_until = 0;
	wire_takers.writable();
}

bool sim_step(void)
{
	uint64_t timer = timers_first();
	uint64_t packet = sim.count ? sim.queue[first()]->at : 0;
	uint64_t full = sim.full_until;

	if (full && (!timer || full <= timer) && (!packet || full <= packet)) {
		become_writable();
	} else if (packet && (!timer || packet <= timer)) {
		do
			deliver();
		while (sim.count && chance(sim.weather.batch));
		wire_takers.settled();
	} else if (timer) {
		if (timer > sim.now)
			sim.now = timer;
		timers_run();
	} else {
		return false;
	}
	return true;
}
