/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded reading and writing of network bytes, big-endian. A cursor that would leave its
 * bounds turns bad and stays bad: reads give zero, writes do nothing. Check once, at the
 * end.
 */
#ifndef COMMON_CURSOR_H
#define COMMON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

struct writer {
	uint8_t *start;
	size_t size;
	size_t used;
	bool bad;
};

static inline struct reader reader_of(const void *data, size_t length)
{
	return (struct reader){ .at = data, .left = length };
}

static inline struct writer writer_of(void *data, size_t size)
{
	return (struct writer){ .start = data, .size = size };
}

/* The next `length` bytes in place, or NULL. */
static inline const uint8_t *get_bytes(struct reader *r, size_t length)
{
	const uint8_t *at = r->at;

	if (r->bad || length > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += length;
	r->left -= length;
	return at;
}

static inline uint64_t get_uint(struct reader *r, size_t length)
{
	const uint8_t *at = get_bytes(r, length);
	uint64_t value = 0;

	for (size_t i = 0; at && i < length; i++)
		value = value << 8 | at[i];
	return value;
}

static inline uint8_t get_u8(struct reader *r)
{
	return (uint8_t)get_uint(r, 1);
}

static inline uint16_t get_u16(struct reader *r)
{
	return (uint16_t)get_uint(r, 2);
}

static inline uint32_t get_u32(struct reader *r)
{
	return (uint32_t)get_uint(r, 4);
}

static inline uint64_t get_u64(struct reader *r)
{
	return get_uint(r, 8);
}

static inline void get_copy(struct reader *r, void *to, size_t length)
{
	const uint8_t *at = get_bytes(r, length);

	if (at)
		memcpy(to, at, length);
	else
		memset(to, 0, length);
}

static inline void put_bytes(struct writer *w, const void *data, size_t length)
{
	if (w->bad || length > w->size - w->used) {
		w->bad = true;
		return;
	}
	if (length)
		memcpy(w->start + w->used, data, length);
	w->used += length;
}

static inline void put_uint(struct writer *w, uint64_t value, size_t length)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(value >> 8 * (length - 1 - i));
	put_bytes(w, bytes, length);
}

static inline void put_u8(struct writer *w, uint8_t value)
{
	put_uint(w, value, 1);
}

static inline void put_u16(struct writer *w, uint16_t value)
{
	put_uint(w, value, 2);
}

static inline void put_u32(struct writer *w, uint32_t value)
{
	put_uint(w, value, 4);
}

static inline void put_u64(struct writer *w, uint64_t value)
{
	put_uint(w, value, 8);
}

#endif
