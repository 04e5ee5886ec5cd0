/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/owner_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "host/inside.h"

enum {
	SLOT_BITS = 13, /* the lowest is always set, so that no tag is 0 */
	SPINS = 100,    /* the holder is on another core: it is done in no time */
	YIELDS = 1000,  /* it lost its core, and may need ours */
	NAP_NS = 50000, /* it is stopped, or moves much data */
	CHECK_EVERY = 64,
	TELL_AFTER = CHECK_EVERY * 256, /* about a second */
};

uint64_t owner_lock_tag;

void owner_lock_set_tag(uint32_t slot, uint64_t generation)
{
	owner_lock_tag = generation << SLOT_BITS | (uint64_t)slot << 1 | 1;
}

static uint32_t tag_slot(uint64_t tag)
{
	return (tag & ((1U << SLOT_BITS) - 1)) >> 1;
}

static bool is_dead(uint64_t tag)
{
	return !registry_alive(tag_slot(tag), tag >> SLOT_BITS);
}

/* proc(5): the state follows the name, which is in parentheses and may hold anything. */
static bool is_stopped(pid_t pid)
{
	char path[32], line[256];
	const char *state;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[got > 0 ? got : 0] = '\0';
	state = strrchr(line, ')');
	return state && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
}

static void tell_if_stopped(uint64_t tag)
{
	struct process_info info;

	if (!registry_process(tag_slot(tag), tag >> SLOT_BITS, &info) &&
	    is_stopped(info.pid))
		mock_warn("waiting for process %d, which is stopped in the middle of a "
		          "request: continue or kill it",
		          (int)info.pid);
}

/* Whether the holder died; one that is stopped only takes its time. */
static bool is_lost(uint64_t tag, unsigned int turn)
{
	if (!tag || turn % CHECK_EVERY)
		return false;
	if (turn == TELL_AFTER)
		tell_if_stopped(tag);
	return is_dead(tag);
}

static void pause_for(unsigned int turn)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	int cancel;

	if (turn < SPINS) {
		cpu_relax();
	} else if (turn < YIELDS) {
		sched_yield();
	} else {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		nanosleep(&nap, NULL);
		pthread_setcancelstate(cancel, NULL);
	}
}

COLD int owner_lock_wait(struct owner_lock *lock)
{
	for (unsigned int turn = 1;; turn++) {
		uint64_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
		bool lost = is_lost(owner, turn);

		if ((!owner || lost) &&
		    atomic_compare_exchange_strong_explicit(
		            &lock->owner, &owner, owner_lock_tag, memory_order_acquire,
		            memory_order_relaxed))
			return lost ? -EOWNERDEAD : 0;
		pause_for(turn);
	}
}

bool owner_lock_settle(struct owner_lock *lock)
{
	uint32_t turns;

	/* What was changed before is seen by whoever takes the lock from here on. */
	atomic_thread_fence(memory_order_seq_cst);
	turns = atomic_load_explicit(&lock->turns, memory_order_acquire);
	for (unsigned int turn = 1;; turn++) {
		uint64_t owner = atomic_load_explicit(&lock->owner, memory_order_acquire);

		if (!owner ||
		    atomic_load_explicit(&lock->turns, memory_order_acquire) != turns)
			return true;
		if (is_lost(owner, turn))
			return false;
		pause_for(turn);
	}
}
