/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded cursors: the only way in which bytes of the network are read and written.
 * Reading or writing past the end marks the cursor bad and does nothing else, so that one
 * look at the end of a parse is enough. Numbers are big endian.
 */
#ifndef MOCK_WIRE_CURSOR_H
#define MOCK_WIRE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

struct writer {
	uint8_t *at, *end;
	bool bad;
};

static inline struct reader reader_of(const void *data, size_t length)
{
	return (struct reader){ data, (const uint8_t *)data + length, false };
}

static inline struct writer writer_of(void *room, size_t length)
{
	return (struct writer){ room, (uint8_t *)room + length, false };
}

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* The next length bytes where they are, or NULL. */
static inline const uint8_t *read_bytes(struct reader *r, size_t length)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - r->at) < length) {
		r->bad = true;
		return NULL;
	}
	r->at += length;
	return at;
}

static inline uint64_t read_number(struct reader *r, size_t bytes)
{
	const uint8_t *from = read_bytes(r, bytes);
	uint64_t value = 0;

	for (size_t i = 0; from && i < bytes; i++)
		value = value << 8 | from[i];
	return value;
}

static inline uint8_t read_u8(struct reader *r)
{
	return (uint8_t)read_number(r, 1);
}

static inline uint16_t read_u16(struct reader *r)
{
	return (uint16_t)read_number(r, 2);
}

static inline uint32_t read_u24(struct reader *r)
{
	return (uint32_t)read_number(r, 3);
}

static inline uint32_t read_u32(struct reader *r)
{
	return (uint32_t)read_number(r, 4);
}

static inline uint64_t read_u64(struct reader *r)
{
	return read_number(r, 8);
}

static inline void write_bytes(struct writer *w, const void *data, size_t length)
{
	if (w->bad || (size_t)(w->end - w->at) < length) {
		w->bad = true;
		return;
	}
	if (length)
		memcpy(w->at, data, length);
	w->at += length;
}

static inline void write_number(struct writer *w, uint64_t value, size_t bytes)
{
	uint8_t big_endian[8];

	for (size_t i = 0; i < bytes; i++)
		big_endian[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	write_bytes(w, big_endian, bytes);
}

#endif
