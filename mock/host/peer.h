/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes on this host as we see them, ourselves included: a segment that is mapped
 * here, and the memory of the process itself.
 */
#ifndef MOCK_HOST_PEER_H
#define MOCK_HOST_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "base/list.h"
#include "host/segment.h"

struct peer {
	uint32_t slot;       /* index in the registry's process table */
	uint64_t generation; /* tells two processes that had the same slot apart */
	pid_t pid;
	bool self;
	void *base; /* its segment, mapped here */
	size_t size;
	_Atomic uint64_t reach; /* bytes of it that may be touched: see peer_ptr() */
	/* The rest is peer.c's, under its lock. */
	unsigned int users;
	bool idle; /* nobody counted on it at the last look */
	int pidfd; /* readable when it dies; -1 while nobody watches */
	struct list watches;
	struct list node;
};

/*
 * The process in a slot of the registry, mapping its segment on first use. Returns a
 * counted reference through *peer, or -ESRCH when that process is gone, -ENOMEM, -errno.
 */
int peer_get(uint32_t slot, uint64_t generation, struct peer **peer);
void peer_put(struct peer *peer);

/* Ourselves; valid from host_attach() on, not counted. */
struct peer *peer_self(void);

/* Whether the process still runs (or is stopped). A few loads, no system call. */
bool peer_alive(const struct peer *peer);

/* Has all that the segment of a peer holds by now within our reach. */
void peer_extend(const struct peer *reader);

/*
 * Where an offset of its segment is here. What lies beyond the end of its file cannot be
 * touched, so that wild pointers, and tools that read all memory, meet no SIGBUS there.
 */
static inline void *peer_ptr(const struct peer *peer, seg_off off)
{
	if (unlikely(off >= atomic_load_explicit(&peer->reach, memory_order_acquire)))
		peer_extend(peer);
	return (char *)peer->base + off;
}

/*
 * Calls lost(arg) once from the engine when the process dies; the reference is the
 * watcher's to keep. The struct must stay until then or until peer_unwatch().
 */
struct peer_watch {
	struct list node;
	struct peer *peer;
	void (*lost)(struct peer_watch *watch);
};

int peer_watch(struct peer_watch *watch, struct peer *peer,
               void (*lost)(struct peer_watch *watch));
/* After it returns, lost() neither runs nor will run, unless called from within lost().
 */
void peer_unwatch(struct peer_watch *watch);

/*
 * Copy between our memory and the process's, once, without its taking part: a memcpy when
 * it is ourselves, process_vm_writev/readv otherwise. Both lists hold the same number of
 * bytes; any number of elements. Returns 0, or -EFAULT (an address is not mapped there),
 * -ESRCH (it died), -EPERM (the system forbids it; the reason and the remedy are logged
 * once).
 */
int peer_write(const struct peer *peer, const struct iovec *remote, unsigned int remotes,
               const struct iovec *local, unsigned int locals);
int peer_read(const struct peer *peer, const struct iovec *remote, unsigned int remotes,
              const struct iovec *local, unsigned int locals);
/* A word, to a multiple of its size: nobody there sees a part of it, and what was
 * written before it is there first. Returns as peer_write(). */
int peer_write_word(const struct peer *peer, uint64_t *to, uint64_t value);

#endif
