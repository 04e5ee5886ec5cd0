/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/parking.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "program/fault.h"

/* A place: in the list while it has a file, else the receiver's, as its keeper. */
struct parked {
	struct keeper keeper;
	struct list node;
	struct parking *parking;
	struct partial partial;
	uint64_t until_us;
	uint64_t size;
	bool replace;
	uint8_t token[APP_TOKEN];
	char *owner;
	char path[];
};

static struct parked *parked_of(struct list *node)
{
	return container_of(node, struct parked, node);
}

static void destroy(struct parked *parked)
{
	partial_clear(&parked->partial);
	free(parked->owner);
	free(parked);
}

static void take_out(struct parked *parked)
{
	list_remove(&parked->node);
	parked->parking->count--;
}

/* Into `gone`, for who has let go of the lock: what it takes is the disk's time. */
static void take_expired(struct parking *parking, struct list *gone)
{
	uint64_t now = clock_us();

	list_for_each_safe (node, &parking->files) {
		struct parked *parked = parked_of(node);

		if (parked->until_us > now)
			return;
		take_out(parked);
		list_append(gone, &parked->node);
	}
}

static void take_oldest(struct parking *parking, const char *owner, struct list *gone)
{
	struct parked *oldest = NULL;
	unsigned count = 0;

	list_for_each (node, &parking->files) {
		struct parked *parked = parked_of(node);

		if (strcmp(parked->owner, owner) != 0)
			continue;
		oldest = oldest ? oldest : parked;
		count++;
	}
	if (count < PARKED_OF_CLIENT)
		return;
	take_out(oldest);
	list_append(gone, &oldest->node);
}

static void destroy_all(struct list *gone)
{
	list_for_each_safe (node, gone)
		destroy(parked_of(node));
}

static void park(struct keeper *keeper, struct partial *partial)
{
	struct parked *parked = container_of(keeper, struct parked, keeper);
	struct parking *parking = parked->parking;
	struct list gone;

	list_init(&gone);
	pthread_mutex_lock(&parking->lock);
	take_expired(parking, &gone);
	take_oldest(parking, parked->owner, &gone);
	if (partial) {
		parked->partial = *partial;
		parked->until_us = clock_us() + parking->keep_us;
	}
	if (partial && parking->count < PARKED_IN_ALL) {
		list_append(&parking->files, &parked->node);
		parking->count++;
	} else {
		list_append(&gone, &parked->node);
	}
	pthread_mutex_unlock(&parking->lock);
	destroy_all(&gone);
}

static bool is_it(const struct parked *parked, const struct parked_key *key)
{
	return parked->size == key->size && parked->replace == key->replace &&
	       memcmp(parked->token, key->token, APP_TOKEN) == 0 &&
	       strcmp(parked->owner, key->owner) == 0 &&
	       strcmp(parked->path, key->path) == 0;
}

static struct parked *find(struct parking *parking, const struct parked_key *key)
{
	list_for_each (node, &parking->files) {
		struct parked *parked = parked_of(node);

		if (!is_it(parked, key))
			continue;
		take_out(parked);
		return parked;
	}
	return NULL;
}

static struct parked *make(struct parking *parking, const struct parked_key *key)
{
	size_t length = strlen(key->path) + 1;
	struct parked *parked = calloc(1, sizeof(*parked) + length);

	if (!parked)
		return NULL;
	parked->owner = strdup(key->owner);
	if (!parked->owner) {
		free(parked);
		return NULL;
	}
	parked->keeper.keep = park;
	parked->parking = parking;
	parked->size = key->size;
	parked->replace = key->replace;
	memcpy(parked->token, key->token, APP_TOKEN);
	memcpy(parked->path, key->path, length);
	return parked;
}

int parking_leave(struct parking *parking, const struct parked_key *key,
                  struct partial *partial)
{
	struct parked *parked;

	pthread_mutex_lock(&parking->lock);
	parked = find(parking, key);
	pthread_mutex_unlock(&parking->lock);
	if (!parked)
		parked = make(parking, key);
	if (!parked)
		return fault(FAULT_MEMORY, "the server is out of memory");
	*partial = parked->partial;
	parked->partial = (struct partial){ 0 };
	partial->keeper = &parked->keeper;
	return 0;
}

void parking_init(struct parking *parking, uint64_t keep_ms)
{
	pthread_mutex_init(&parking->lock, NULL);
	list_init(&parking->files);
	parking->keep_us = keep_ms * 1000;
}

void parking_sweep(struct parking *parking)
{
	struct list gone;

	list_init(&gone);
	pthread_mutex_lock(&parking->lock);
	take_expired(parking, &gone);
	pthread_mutex_unlock(&parking->lock);
	destroy_all(&gone);
}

void parking_clear(struct parking *parking)
{
	destroy_all(&parking->files);
	pthread_mutex_destroy(&parking->lock);
}
