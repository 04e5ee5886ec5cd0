/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs' own protocol, in srdma messages (docs/files.md): pure codec, no state.
 * All numbers are big-endian. An `id` names one exchange: the client chooses it,
 * different from those of its exchanges under way.
 *
 *    0               1               2               3
 *   +---------------+---------------+-------------------------------+
 *   |  version = 1  |     type      |        reserved = 0           |
 *   +---------------+---------------+-------------------------------+
 *   |                              id                               |
 *   +---------------------------------------------------------------+
 *   |  body …
 */
#ifndef PROGRAM_APP_H
#define PROGRAM_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program/sha256.h"

#define APP_VERSION      1
#define APP_HEADER       8
#define APP_PATH_MAX     4095
#define APP_NAME_MAX     255
#define APP_TEXT_MAX     399
#define APP_TOKEN        16
#define APP_SIZE_UNKNOWN UINT64_MAX

/*
 * What either program receives in a message, unless told otherwise. Sealed files come in
 * such pieces, each of which wakes its receiver if that waits. Those that are on the way
 * at a time are a quarter of a transfer's region; with all of its buffers (36 to
 * receive, 17 to send) and that region, a client stays below the 8 MiB that any user may
 * lock on most systems.
 */
#define APP_MESSAGE_SIZE (64u << 10)

/* Tags of grants: what a region is for. */
#define APP_TAG_SCRATCH      UINT64_C(1)
#define APP_TAG_TRANSFER(id) (UINT64_C(2) << 32 | (id))

enum app_type {
	APP_PING = 1,      /* -> payload */
	APP_PONG,          /* <- the same payload */
	APP_TEXT,          /* -> payload */
	APP_ECHO,          /* <- the same payload */
	APP_SCRATCH,       /* -> grant me a scratch region (APP_TAG_SCRATCH) */
	APP_SCRATCH_READY, /* <- length u64 */
	APP_DIGEST,        /* -> offset u64, length u64: what is in my scratch region? */
	APP_DIGEST_IS,     /* <- SHA-256 */
	APP_LIST,          /* -> path; empty: the exports */
	APP_ENTRIES,       /* <- last u8, entries … ; more follow unless last */
	APP_PUT,      /* -> size u64 (or unknown), flags u32, path: I have this file */
	APP_GET,      /* -> path */
	APP_FOUND,    /* <- size u64, time of last change i64: this is the file */
	APP_READY,    /* receiver: slot size u32, slots u16: write into my region */
	APP_CHUNK,    /* sender: index u64, length u32: is in slot index mod slots */
	APP_TAKEN,    /* receiver: index u64: all slots up to this one are free */
	APP_END,      /* sender: length u64, SHA-256 of the whole */
	APP_DONE,     /* receiver: the same, of what it has, verified and in place */
	APP_FAIL,     /* either: fault u16, sentence: ends the exchange */
	APP_FEATURES, /* -> u32 app_feature: mine; <- the same: those that we both have */
	APP_RESUME,   /* receiver: READY, offset u64, SHA-256: I have that much of it */
	APP_TYPES,
};

/* What this release has beyond version 1: FEATURES says so, before it is used. */
enum app_feature {
	APP_FEATURE_RESUME = 1, /* RESUME and APP_PUT_RESUMABLE */
	APP_FEATURES_ALL = 1,
};

enum app_put_flag {
	APP_PUT_REPLACE = 1, /* an existing file may be replaced */
	/* A name of the transfer, 16 random bytes, is behind the path: keep what there is
	   of the file if the session breaks, go on with what there is of one of that
	   name. */
	APP_PUT_RESUMABLE = 2,
	APP_PUT_FLAGS = 3,
};

/* Not terminated; points into the message. */
struct app_bytes {
	const char *at;
	size_t length;
};

enum app_entry_kind {
	APP_ENTRY_FILE = 1,
	APP_ENTRY_DIRECTORY,
	APP_ENTRY_OTHER,
	APP_ENTRY_EXPORT,
	APP_ENTRY_EXPORT_READ_ONLY,
	APP_ENTRY_KINDS,
};

/* kind u8, size u64, time of last change i64, length u8, name */
struct app_entry {
	enum app_entry_kind kind;
	uint64_t size;
	int64_t changed; /* seconds since the epoch */
	struct app_bytes name;
};

struct app_message {
	enum app_type type;
	uint32_t id;
	union {
		struct app_bytes payload; /* PING, PONG, TEXT, ECHO */
		uint64_t length;          /* SCRATCH_READY */
		struct {
			uint64_t offset, length;
		} range;                      /* DIGEST */
		uint8_t digest[SHA256_BYTES]; /* DIGEST_IS */
		struct app_bytes path;        /* LIST, GET */
		struct {
			bool last;
			struct app_bytes rest;
		} entries; /* ENTRIES: for app_next_entry() */
		struct {
			uint64_t size;
			uint32_t flags;
			struct app_bytes path;
			uint8_t token[APP_TOKEN]; /* if it is resumable */
		} put;                            /* PUT */
		struct {
			uint64_t size;
			int64_t changed;
		} found; /* FOUND */
		struct {
			uint32_t slot_size;
			uint16_t slots;
			uint64_t offset;              /* 0 in READY */
			uint8_t sha256[SHA256_BYTES]; /* RESUME */
		} ready;                              /* READY, RESUME */
		uint32_t features;                    /* FEATURES */
		struct {
			uint64_t index;
			uint32_t length;
		} chunk;        /* CHUNK */
		uint64_t taken; /* TAKEN */
		struct {
			uint64_t length;
			uint8_t sha256[SHA256_BYTES];
		} end; /* END, DONE */
		struct {
			uint16_t fault;
			struct app_bytes text;
		} fail; /* FAIL */
	};
};

/* 0 or -FAULT_PROTOCOL. Everything in `out` is checked for form, and points into `data`.
 */
int app_decode(const void *data, size_t length, struct app_message *out);

/* The bytes used; 0 when it does not fit into `size`. */
size_t app_encode(const struct app_message *message, void *data, size_t size);

/* Takes the next entry from the front of `rest`: 1, 0 after the last, -FAULT_PROTOCOL. */
int app_next_entry(struct app_bytes *rest, struct app_entry *out);

/* Appends an entry to a body that has `used` bytes: the new number, 0 when it is full. */
size_t app_add_entry(const struct app_entry *entry, void *data, size_t used, size_t size);

/* "PUT". Never NULL. */
const char *app_type_name(unsigned type);

#endif
