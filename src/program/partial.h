/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a receiver has of a file: it outlives the session that brought it, where somebody
 * keeps it, and the next transfer goes on behind it.
 */
#ifndef PROGRAM_PARTIAL_H
#define PROGRAM_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "program/newfile.h"
#include "program/sha256.h"

struct partial;

/* Who gets it when a receiver has no more use for it; NULL: nobody. */
struct keeper {
	/*
	 * Once for each receiver_start(): with what there is, to be taken over, when the
	 * session broke, or when the file has its name but the peer may not know. With
	 * NULL when there is nothing to go on with. In the thread of the worker.
	 */
	void (*keep)(struct keeper *keeper, struct partial *partial);
};

struct partial {
	struct newfile *file; /* NULL: nothing, or published */
	struct sha256 *sha;
	uint64_t bytes;
	bool published; /* as a whole, with this digest: */
	uint8_t sha256[SHA256_BYTES];
	struct keeper *keeper;
};

/* Of a new file, which is taken over, on failure too. */
int partial_begin(struct partial *partial, struct newfile *file);

/* Appends. May block on the disk. */
int partial_add(struct partial *partial, const void *data, size_t length);

/* Of what there is so far. */
int partial_digest(const struct partial *partial, uint8_t digest[SHA256_BYTES]);

/*
 * It is whole if it has this length and digest, and then gets its name, unless it has:
 * FAULT_MISMATCH otherwise. May block on the disk.
 */
int partial_publish(struct partial *partial, uint64_t length,
                    const uint8_t digest[SHA256_BYTES], bool sync);

/* To the keeper, who then has it and *partial is empty; `usable`: as it is. */
void partial_hand_over(struct partial *partial, bool usable);

/* May block on the disk. An empty one is fine. */
void partial_clear(struct partial *partial);

#endif
