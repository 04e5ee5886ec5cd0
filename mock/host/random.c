// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "host/random.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char pool[256];
static size_t left; /* unused bytes, at the pool's end */

/*
 * Or the child would draw what its parent draws. Whatever another thread was at here when
 * the process forked is wiped with the rest.
 */
static void after_fork_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	explicit_bzero(pool, sizeof(pool));
	left = 0;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, after_fork_in_child);
}

static void refill(void)
{
	ssize_t got;

	do {
		got = getrandom(pool, sizeof(pool), 0);
	} while (got < 0 && errno == EINTR);
	if (got != sizeof(pool)) {
		mock_error(
		        "the kernel gives no random numbers (getrandom: %s): queue pair "
		        "numbers and keys cannot be made",
		        strerror(errno));
		abort();
	}
	left = sizeof(pool);
}

/* Each byte is given out once and wiped. */
static void draw(void *out, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned char *from;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	if (left < size)
		refill();
	from = pool + sizeof(pool) - left;
	memcpy(out, from, size);
	explicit_bzero(from, size);
	left -= size;
	pthread_mutex_unlock(&lock);
}

uint32_t random_u32(void)
{
	uint32_t value;

	draw(&value, sizeof(value));
	return value;
}

uint64_t random_u64(void)
{
	uint64_t value;

	draw(&value, sizeof(value));
	return value;
}
