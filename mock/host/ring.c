// SPDX-License-Identifier: BSD-2-Clause
/*
 * Each message lies in one piece behind its length; one that would lie across the end of
 * the ring is put at its beginning, and the rest is marked as left out.
 */
#include "host/ring.h"

#include <string.h>

enum { PREFIX = 8, LEFT_OUT = -1, TRIES = 2000 };

void ring_init(struct ring *ring)
{
	host_lock_init(&ring->lock);
}

static uint64_t size_of(uint64_t length)
{
	return PREFIX + round_up(length, PREFIX);
}

static void put_length(struct ring *ring, uint64_t at, uint32_t length)
{
	memcpy(ring->data + at % RING_BYTES, &length, sizeof(length));
}

/* Where a message of that size goes, and what is left out before it. */
static int find_room(struct ring *ring, uint64_t size, uint64_t *at)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t left = RING_BYTES - tail % RING_BYTES;
	uint64_t skip = left < size ? left : 0;

	if (tail + skip + size - atomic_load(&ring->head) > RING_BYTES)
		return -EAGAIN;
	if (skip)
		put_length(ring, tail, (uint32_t)LEFT_OUT);
	*at = tail + skip;
	return 0;
}

/* The owner looks at tail after it moved head, we at head after we moved tail. */
static int put(struct ring *ring, const struct iovec *parts, unsigned int count,
               uint32_t length)
{
	uint64_t before = atomic_load_explicit(&ring->tail, memory_order_relaxed), at;
	uint8_t *to;

	if (find_room(ring, size_of(length), &at))
		return -EAGAIN;
	put_length(ring, at, length);
	to = ring->data + at % RING_BYTES + PREFIX;
	for (unsigned int i = 0; i < count; i++) {
		memcpy(to, parts[i].iov_base, parts[i].iov_len);
		to += parts[i].iov_len;
	}
	atomic_store(&ring->tail, at + size_of(length));
	return atomic_load(&ring->head) == before;
}

/* Who died here had not moved the tail: its message never was. */
static bool lock_soon(struct ring *ring)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		if (host_trylock(&ring->lock) != -EBUSY)
			return true;
		cpu_relax();
	}
	return false;
}

int ring_put(struct ring *ring, const struct iovec *parts, unsigned int count)
{
	uint64_t length = 0;
	int result;

	for (unsigned int i = 0; i < count; i++)
		length += parts[i].iov_len;
	if (length > RING_BYTES / 2 || !lock_soon(ring))
		return -EAGAIN;
	result = put(ring, parts, count, (uint32_t)length);
	host_unlock(&ring->lock);
	return result;
}

static uint32_t length_at(const struct ring *ring, uint64_t at)
{
	uint32_t length;

	memcpy(&length, ring->data + at % RING_BYTES, sizeof(length));
	return length;
}

/* What the length says is not beyond the end, whoever wrote it. */
const void *ring_next(struct ring *ring, uint64_t until, uint32_t *length)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (*length)
		head += size_of(*length);
	if (head < until && length_at(ring, head) == (uint32_t)LEFT_OUT)
		head += RING_BYTES - head % RING_BYTES;
	atomic_store(&ring->head, head);
	*length = 0;
	if (head >= until)
		return NULL;
	*length = length_at(ring, head);
	if (!*length || size_of(*length) > RING_BYTES - head % RING_BYTES) {
		atomic_store(&ring->head, until); /* of a process that went mad */
		*length = 0;
		return NULL;
	}
	return ring->data + head % RING_BYTES + PREFIX;
}
