/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder need of one another, in the order in which attach.c
 * brings them up. Nobody else includes this.
 */
#ifndef MOCK_HOST_INSIDE_H
#define MOCK_HOST_INSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * directory.c: the directory where the processes of this host meet, locked against
 * others' joining and leaving it. The lock is a descriptor, or -errno.
 */
int directory_choose(void); /* its path, first of all */
/* The path, for who only looks. -ENAMETOOLONG. */
int directory_name(char *out, size_t size);
int directory_lock(void);
/* The same for a process that exits: -ETIMEDOUT rather than waiting long. */
int directory_lock_at_exit(void);
void directory_unlock(int dir);
/* Removes the directory if nothing is left in it. The caller holds the lock. */
void directory_remove(int dir);
/* Opens a file in the directory that was locked last. A descriptor, or -errno. */
int directory_open(const char *file, int flags);
void directory_unlink(const char *file);
const char *directory_path(void);
/* An array for the name of a file, and the name of a segment's file. */
typedef char file_name[32];
void segment_file(uint64_t segment, file_name file);
/* Whether ulimit -f permits that size; a longer file would be a signal, not an error. */
bool file_may_be(uint64_t size);
/* What to do about an error here, as the end of a sentence. */
const char *remedy_for(int err);

/* segment.c: makes ours; its name is known before the file exists. */
int segment_create(uint64_t name, uint64_t bell);
uint64_t segment_size(void);
void segment_destroy(void);

/* registry.c: the slot that this process has in the registry. */
struct registry_self {
	uint32_t slot;
	uint64_t generation;
};
/* Maps the registry, making it if there is none, cleans up after dead processes, and
 * takes a slot. The caller holds the directory. */
int registry_open(int dir, uint64_t segment, uint64_t bell, struct registry_self *me);
/* Shows this process to the others: its engine holds its life lock. */
void registry_announce(uint64_t segment_size);
/*
 * Takes this process out of the registry, and the registry out of the world if it was
 * the last one. Once only; the mapping stays. The caller holds the directory.
 */
int registry_leave(int dir, bool exiting);
void registry_close(void);
/* Cleans up after a process if it died. */
void registry_bury(uint32_t slot, uint64_t generation);
/* What peers need to know of a process. -ESRCH when it is gone. */
struct process_info {
	pid_t pid;
	uint64_t segment;
	uint64_t size;
};
int registry_process(uint32_t slot, uint64_t generation, struct process_info *info);
bool registry_alive(uint32_t slot, uint64_t generation);
/* Taken by the engine for as long as the process lives. */
struct host_lock *registry_life_lock(void);

/* peer.c */
int peers_open(const struct registry_self *me);
void peers_close(void);
/* The engine saw that a process may have died. */
void peers_check(uint32_t slot);
/* Of the engine's loop: looks after all of them if it is time, and says if it did. */
bool peers_look(void);

/* copy.c */
void copy_allow_peers(void);

/* engine.c */
int engine_start(int bell);
/* -ETIMEDOUT when it could not be stopped in time; only when exiting. */
int engine_stop(bool exiting);
/* Watches a descriptor for the death of the process in that slot. */
int engine_watch(int pidfd, uint32_t slot);
/* Of the engine's thread: all messages that are there now. */
void engine_read_inbox(void);

/* timer.c: the engine's heap. */
/* Fires what is due, and has the engine woken for what comes next. */
void timers_run(void);
void timers_discard(void);
/* Of the engine: to be woken at this time; replaces what it was told before. */
void engine_wake_at(uint64_t deadline);

/* port.c, for tests: after how long (2 ms) a turn at the port is taken from who has it.
 */
void port_turn_may_last(uint64_t ns);

/*
 * fork(): each file that locks brings its state to rest before, and goes on (in the
 * parent) or forgets everything (in the child) afterwards.
 */
enum fork_stage { FORK_BEFORE, FORK_PARENT, FORK_CHILD };
void segment_fork(enum fork_stage stage);
void registry_fork(enum fork_stage stage);
void peers_fork(enum fork_stage stage);
void timers_fork(enum fork_stage stage);
void engine_fork(enum fork_stage stage);

#endif
