/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/region.h"

#include <sys/mman.h>

#include "program/app.h"
#include "program/fault.h"

#define PAGE            4096u
#define SMALLEST_REGION (64u << 10)

static void choose_layout(struct region *region, uint64_t size)
{
	uint64_t most = (uint64_t)REGION_SLOT_SIZE * REGION_SLOTS;

	if (size >= most) {
		region->slot_size = REGION_SLOT_SIZE;
		region->slots = REGION_SLOTS;
	} else if (size > REGION_SLOT_SIZE) {
		region->slot_size = REGION_SLOT_SIZE;
		region->slots =
		        (uint16_t)((size + REGION_SLOT_SIZE - 1) / REGION_SLOT_SIZE);
	} else {
		region->slot_size = ((uint32_t)size + PAGE - 1) / PAGE * PAGE;
		region->slots = size > 0;
	}
}

static size_t bytes_of(const struct region *region)
{
	return (size_t)region->slot_size * region->slots;
}

/* Fewer slots, then smaller ones: slower, but going on. */
static bool shrink(struct region *region)
{
	if (bytes_of(region) <= SMALLEST_REGION)
		return false;
	if (region->slots > 1)
		region->slots /= 2;
	else
		region->slot_size /= 2;
	return true;
}

static int take_from_budget(struct region *region, struct budget *budget)
{
	/* Of which it takes nothing may be gone when it is closed. */
	if (!budget || !bytes_of(region))
		return 0;
	while (!budget_take(budget, bytes_of(region)))
		if (!shrink(region))
			return fault(
			        FAULT_BUSY,
			        "the memory for transfers is in use: try again later");
	region->budget = budget;
	return 0;
}

static int map_and_register(struct region *region, struct srdma_session *session)
{
	void *memory;
	int error;

	region->size = bytes_of(region);
	if (!region->size)
		return 0;
	memory = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		region_close(region);
		return fault(FAULT_MEMORY, "out of memory for a transfer");
	}
	region->memory = memory;
	error = srdma_buffer_register(session, memory, region->size, &region->buffer);
	if (!error)
		return 0;
	error = fault_srdma(error);
	region_close(region);
	return error;
}

int region_open(struct region *region, struct srdma_session *session,
                struct budget *budget, uint64_t size)
{
	int error;

	*region = (struct region){ 0 };
	choose_layout(region, size);
	error = take_from_budget(region, budget);
	return error ? error : map_and_register(region, session);
}

int region_open_as(struct region *region, struct srdma_session *session,
                   struct budget *budget, uint32_t slot_size, uint16_t slots)
{
	*region = (struct region){ .slot_size = slot_size, .slots = slots };
	if (slot_size > REGION_SLOT_SIZE || slots > REGION_SLOTS || !slot_size != !slots)
		return fault(FAULT_PROTOCOL,
		             "the peer asks for %u slots of %u bytes: at most %u of %u",
		             slots, slot_size, REGION_SLOTS, REGION_SLOT_SIZE);
	if (!bytes_of(region))
		return 0;
	if (budget && !budget_take(budget, bytes_of(region)))
		return fault(FAULT_BUSY,
		             "the memory for transfers is in use: try again later");
	region->budget = budget;
	return map_and_register(region, session);
}

int region_grant(struct region *region, struct srdma_session *session, uint64_t tag)
{
	int error;

	if (!region->size)
		return 0;
	error = srdma_grant(session, region->buffer, 0, region->size, SRDMA_RIGHT_WRITE,
	                    tag, &region->grant);
	return error ? fault_srdma(error) : 0;
}

void region_detach(struct region *region)
{
	if (region->grant)
		srdma_grant_revoke_now(region->grant);
	if (region->buffer)
		srdma_buffer_unregister(region->buffer);
	region->grant = NULL;
	region->buffer = NULL;
}

void region_close(struct region *region)
{
	if (region->memory)
		munmap(region->memory, region->size);
	if (region->budget)
		budget_return(region->budget, bytes_of(region));
	*region = (struct region){ 0 };
}
