/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of a queue pair whose packets are protected (wire/protected.h). They lie in
 * the memory of the process, never in its segment, which peers map.
 */
#ifndef MOCK_OBJECT_PROTECTION_H
#define MOCK_OBJECT_PROTECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mockrdma.h"
#include "wire/protected.h"

/* Packets under a key: with 4 KiB each 2^44 blocks of AES, far from what GCM allows. */
#define PROTECTION_PACKETS_MOST (UINT64_C(1) << 36)

struct protection;

/* Without keys. NULL with -ENOMEM or -ELIBACC in *err. */
struct protection *protection_new(int *err);
void protection_free(struct protection *protection);
/* -ENOMEM */
int protection_set(struct protection *protection, const struct mockrdma_protection *keys);
/* Wipes the keys; nothing is sealed or opened after that. */
void protection_clear(struct protection *protection);

/*
 * Writes a packet in clear, whose first part has its headers, to `room` as it is sent,
 * under a number of its own. How many bytes, or 0: there are no keys (any more), no
 * number is left, or no room. Any thread.
 */
size_t protection_seal(struct protection *protection, const struct iovec *part,
                       unsigned int parts, uint8_t *room, size_t size);

enum protection_verdict {
	PROTECTION_OPENED,
	PROTECTION_FORGED,   /* the tag is wrong, or there are no keys */
	PROTECTION_REPEATED, /* it came before, or is too old to tell */
};

/* The encrypted part in clear to `room`, which has room for packet->length bytes; of what
 * is not opened nothing is left there. Any thread. */
enum protection_verdict protection_open(struct protection *protection,
                                        const struct protected_packet *packet,
                                        uint8_t *room);

#endif
