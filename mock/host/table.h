/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registry's file, as it is mapped. Sparse: its size is fixed, and the pages of a
 * table are given memory (fallocate) before anyone touches them, so that a full file
 * system is an error and never a fault. For files of this folder only.
 */
#ifndef MOCK_HOST_TABLE_H
#define MOCK_HOST_TABLE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "host/counters.h"
#include "host/lock.h"
#include "host/registry.h"

#define TABLE_MAGIC   UINT64_C(0x7265676973747279)
#define TABLE_VERSION 5

#define TABLE_PAGE     4096
#define PROCESSES      4096
#define QPN_SLOTS      (UINT32_C(1) << 21)
#define BINDINGS       65536
#define PORT_LISTS     1024
#define GROUP_ENTRIES  REGISTRY_GROUP_MEMBERS
#define DOMAIN_ENTRIES 65536
#define REQUESTS       8192

/* A slot is taken under the table's lock, by a joiner that also holds the directory. */
enum process_state {
	PROCESS_FREE,
	PROCESS_JOINING,
	PROCESS_LIVE, /* its engine holds the life lock, or it died */
};

struct process_entry {
	_Atomic uint32_t state;
	uint32_t pid;
	_Atomic uint64_t generation;
	uint64_t segment; /* name of its file */
	uint64_t segment_size;
	uint64_t bell;
	uint64_t since; /* CLOCK_REALTIME, seconds */
	char program[16];
	/* Of UDP port 4791 (port.c). */
	_Atomic uint64_t relay; /* 0: it has none */
	_Atomic uint64_t ring;
	_Atomic uint32_t has_port;
	uint32_t reserved;
	struct host_lock life;
} __attribute__((aligned(64)));

/*
 * A QP number's owner. The key is 0 (never used), QPN_GONE, or qpn | slot | generation;
 * off is written before the key appears and after it has gone, so that a reader who
 * finds the key unchanged around its load of off has the right one.
 */
struct qpn_slot {
	_Atomic uint64_t key;
	_Atomic uint64_t off;
};

/* An address and port in use; on the list of its port while owner_generation is not 0. */
struct binding {
	uint64_t owner_generation;
	uint32_t owner;
	uint32_t id;
	uint32_t next; /* on the list of its port, or of the free ones; 0 ends */
	int32_t port_space;
	uint8_t reuse_addr, af_only, listening, reserved;
	struct sockaddr_in6 addr; /* or struct sockaddr_in */
};

/* A QP that is attached to a multicast group, while owner_generation is not 0. */
struct group_entry {
	uint64_t owner_generation;
	uint32_t owner;
	uint32_t qpn;
	uint64_t off;
	uint8_t gid[16];
};

/* An XRC domain that a process has open, while owner_generation is not 0. */
struct domain_entry {
	uint64_t owner_generation;
	uint64_t device, inode; /* 0: nobody else finds it */
	uint64_t number;        /* the same for all who have it open */
	uint32_t owner;
	uint32_t reserved;
};

struct table {
	uint64_t magic;
	uint32_t version;
	uint32_t processes; /* entries that were ever in use */
	uint64_t generations;
	uint64_t secret;   /* of the host: comm_id.c */
	uint32_t bindings; /* entries that were ever in use, from 1 on */
	uint32_t binding_free;
	_Atomic uint64_t group_version; /* counts the changes of group[] */
	uint32_t group_entries;         /* that were ever in use */
	struct counters gone;           /* of processes that have gone */
	uint32_t domain_entries;        /* that were ever in use */
	_Atomic uint32_t ports;         /* processes that have a relay */
	_Atomic uint64_t port_turn;     /* who takes from the port now; 0: nobody */
	struct host_lock lock;
	/* Pages of qpn[] that have memory. */
	_Atomic uint64_t qpn_page[QPN_SLOTS * sizeof(struct qpn_slot) / TABLE_PAGE / 64];
	uint32_t port_list[PORT_LISTS];
	_Atomic uint64_t request[REQUESTS]; /* request.c; 0: none */
	struct process_entry process[PROCESSES] __attribute__((aligned(TABLE_PAGE)));
	struct binding binding[BINDINGS] __attribute__((aligned(TABLE_PAGE)));
	struct group_entry group[GROUP_ENTRIES] __attribute__((aligned(TABLE_PAGE)));
	struct domain_entry domain[DOMAIN_ENTRIES] __attribute__((aligned(TABLE_PAGE)));
	struct qpn_slot qpn[QPN_SLOTS] __attribute__((aligned(TABLE_PAGE)));
};

/* registry.c: ours, from registry_open() on. */
struct table *table(void);
/* The descriptor is not kept: backs [from, from + size) of the mapping. 0 or -ENOMEM. */
int table_back(const void *from, size_t size);
/* Takes the lock and repairs what a dead holder left; false once we have left. */
bool table_lock(void);
void table_unlock(void);
uint32_t table_self(void);
uint64_t table_generation(void);
/* The process that has a slot now: 0, or -ESRCH. No lock. */
int table_place_of(uint32_t slot, struct host_place *place);
/* Whether the owner of an entry lives; if not, everything of its is removed. Locked. */
bool table_owner_lives(uint32_t slot, uint64_t generation);

/* qpn.c: the numbers of a process that is gone. Locked. */
void qpn_remove_all(uint32_t slot, uint64_t generation);
/* domain.c: likewise, the XRC domains that it has open. Locked. */
void domain_remove_all(uint32_t slot, uint64_t generation);
/* port.c: likewise, what it said of port 4791. Locked. */
void port_remove_all(uint32_t slot);
/* request.c: likewise, the connection requests that it has. Locked. */
void request_remove_all(uint32_t slot);
/* group.c: likewise, those of its QPs that are attached. Locked. */
void group_remove_all(uint32_t slot, uint64_t generation);
/* binding.c: likewise, and the lists after a holder of the lock died. Locked. */
void binding_remove_all(uint32_t slot, uint64_t generation);
void binding_repair(void);

#endif
