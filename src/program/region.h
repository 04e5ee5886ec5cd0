/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of one transfer: `slots` pieces of `slot_size` bytes, registered with the
 * session, and at a receiver granted to the peer. Its size follows the file's, and is
 * bounded whatever that is.
 */
#ifndef PROGRAM_REGION_H
#define PROGRAM_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "program/budget.h"
#include "srdma.h"

#define REGION_SLOT_SIZE (256u << 10) /* in a core's second-level cache while hashed */
#define REGION_SLOTS     16u
/* read, or stored, in one job: the rest is on its way meanwhile */
#define REGION_SLOTS_AT_ONCE 4u

struct region {
	uint32_t slot_size;
	uint16_t slots; /* 0: an empty file needs none */
	char *memory;
	size_t size;
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;
	struct budget *budget;
};

/*
 * As large as a file of `size` bytes makes use of, and smaller when `budget` (NULL: none)
 * runs short: FAULT_BUSY when not even that is left.
 */
int region_open(struct region *region, struct srdma_session *session,
                struct budget *budget, uint64_t size);

/* With the layout that the receiver asks for. FAULT_PROTOCOL when it is out of range. */
int region_open_as(struct region *region, struct srdma_session *session,
                   struct budget *budget, uint32_t slot_size, uint16_t slots);

/* Let the peer write into it. */
int region_grant(struct region *region, struct srdma_session *session, uint64_t tag);

static inline size_t region_offset(const struct region *region, uint64_t index)
{
	return (size_t)(index % region->slots) * region->slot_size;
}

static inline char *region_slot(const struct region *region, uint64_t index)
{
	return region->memory + region_offset(region, index);
}

/* Out of the device's reach, at once: what the peer still does on it breaks the session.
 */
void region_detach(struct region *region);

/* After that, or for a region that was never registered. */
void region_close(struct region *region);

#endif
