/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at this host from outside: without joining it, without a lock, and without
 * mapping anything. All is read with pread(2), so that nothing that the other processes
 * do meanwhile, be it to die, can hurt whoever looks, and nothing here can hold them up.
 * What is read may be half changed: it is to be shown, not to be relied on.
 */
#ifndef MOCK_HOST_INSPECT_H
#define MOCK_HOST_INSPECT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>
#include "host/counters.h"
#include "host/segment.h"

struct host_view {
	int registry;
	char directory[4096];
	uint32_t processes; /* slots, from 0 on, that may have one */
	uint32_t bindings;  /* from 1 on, likewise */
	struct counters gone;
};

struct process_view {
	uint32_t slot;
	uint64_t generation;
	pid_t pid;
	char program[16];
	uint64_t since;  /* CLOCK_REALTIME, seconds */
	uint64_t shared; /* bytes of its segment that exist */
	int segment;     /* descriptor */
};

struct binding_view {
	uint32_t slot;
	struct sockaddr_in6 addr; /* or struct sockaddr_in */
	int port_space;
	bool listening;
};

/* -ENOENT: nobody is on this host; -EPROTO: of another version; -errno. */
int host_view_open(struct host_view *view);
void host_view_close(struct host_view *view);
/* A process that lives; -ENOENT. To be closed. */
int process_view_open(const struct host_view *view, uint32_t slot,
                      struct process_view *process);
void process_view_close(struct process_view *process);
/* -ENOENT when it is not in use, or of a process that died. */
int binding_view(const struct host_view *view, uint32_t index,
                 struct binding_view *binding);

/* Bytes of a segment, by its descriptor. -EIO when they are not there. */
int segment_read(int segment, seg_off off, void *to, size_t size);

/*
 * The next block of a list of object/pool.h, whose first bytes are copied to `block`.
 * *off is 0 at first. False at the end, or after more blocks than the segment can have.
 */
struct block_walk {
	int segment;
	seg_off next;
	uint64_t left;
};
void block_walk(struct block_walk *walk, int segment, size_t list, size_t size);
bool block_next(struct block_walk *walk, void *block, size_t size);

/* What the QPs of a segment counted: the object layer's, given at start. */
extern void (*segment_count)(int segment, struct counters *sum);
/* Adds what a process counted that is about to be forgotten. */
void inspect_gone(const char *file, struct counters *sum);

#endif
