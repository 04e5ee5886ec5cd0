/* SPDX-License-Identifier: BSD-2-Clause */
/* Communication identifiers: struct rdma_cm_id with what is behind it. */
#ifndef MOCK_CM_ID_H
#define MOCK_CM_ID_H

#include <rdma/rdma_cma.h>
#include <infiniband/sa.h>
#include <stdbool.h>
#include "base/util.h"
#include "cm/conn.h"
#include "cm/event.h"
#include "cm/lock.h"

/* How far an id has come; what may be asked of it follows from that. */
enum id_stage {
	ID_IDLE,
	ID_BOUND,
	ID_ADDR_RESOLVED,
	ID_ROUTE_RESOLVED,
	ID_CONNECT,
	ID_LISTEN,
	ID_DESTROYED,
};

/* rdma_set_option(3) */
struct id_options {
	bool reuse_addr;
	bool af_only;
	uint8_t tos;
	uint8_t ack_timeout; /* 4.096 us * 2^n */
};

/*
 * What follows struct rdma_cm_id where librdmacm allocated it. Its rsockets run on our
 * ids and ask two things of what lies there: the device that the id was found on, first
 * in every version, and whether the id is synchronous, whose place varies. So there is no
 * device, which sends them to the device list, and whatever else they look at is true: an
 * rsocket's ids are synchronous always.
 */
struct id_foreign {
	void *device;
	uint8_t is_true[504];
};

struct cm_id {
	struct rdma_cm_id rdma;
	struct id_foreign foreign;
	uint32_t forks;  /* of which process in a line of forks it is */
	uint32_t handle; /* in the host's table of listeners */
	enum id_stage stage;
	bool sync; /* has a channel of its own, and calls wait for their event */
	struct id_options options;
	struct ibv_sa_path_rec path;
	struct ibv_ece local_ece, remote_ece;
	uint32_t binding; /* host/registry.h */
	bool bound;
	unsigned int backlog; /* requests that may wait to be seen … */
	unsigned int waiting; /* … and that do */
	unsigned int events_delivered, events_acked;
	struct conn conn;
	struct list memberships;     /* cm/multicast.h */
	struct lookup *lookup;       /* under way: cm/lookup.h */
	struct rdma_addrinfo *found; /* by the last one */
	/*
	 * Whoever takes an event moves the queue pair on the id, in its own thread, while
	 * the one that has the id may be destroying that queue pair. Before the lock of
	 * the connection manager; nobody waits for the program while it is held.
	 */
	pthread_mutex_t qp_lock;
	/* The rest belongs to the program's thread that uses the id. */
	uint8_t responder_resources, initiator_depth;
	struct ibv_qp_init_attr *qp_init_attr; /* for connections of rdma_create_ep() */
};

static inline struct cm_id *to_cm_id(struct rdma_cm_id *id)
{
	return container_of(id, struct cm_id, rdma);
}

/* No connections, but datagrams to and from anyone. */
static inline bool id_is_datagram(const struct cm_id *id)
{
	return id->rdma.qp_type == IBV_QPT_UD;
}

/*
 * channel NULL makes a synchronous id. -EINVAL for what is no port space, or has no such
 * queue pairs; -errno when the device cannot be opened.
 */
int id_create(struct rdma_event_channel *channel, void *context, enum rdma_port_space ps,
              enum ibv_qp_type qp_type, struct cm_id **id);
/* Waits until the events that were handed out are acknowledged. Ends a connection. */
void id_destroy(struct cm_id *id);
/* As rdma_migrate_id(3); channel NULL makes the id synchronous. */
int id_migrate(struct cm_id *id, struct rdma_event_channel *channel);
/* Acknowledges the event that a synchronous call left with the id, if there is one. */
void id_drop_event(struct cm_id *id);
int id_set_option(struct cm_id *id, int level, int option, const void *value,
                  size_t length);
/* rdma_set_local_ece(3), rdma_get_remote_ece(3): carried along, for programs that have
 * their own queue pairs. */
int id_set_local_ece(struct cm_id *id, const struct ibv_ece *ece);
int id_get_remote_ece(const struct cm_id *id, struct ibv_ece *ece);
/* Under the lock: the peer's. */
void id_take_ece(struct cm_id *id, const struct mad_ece *ece);

/* As cm_enter(), unless the id is of the process that forked this one: -EINVAL. */
int id_lock(const struct cm_id *id);

/* Under the lock: the id that a listener's handle stands for, or NULL. */
struct cm_id *id_find(uint32_t handle);
/* Under the lock, by the engine: an id for a request that came to this listener. NULL: no
 * memory. */
struct cm_id *id_create_child(struct cm_id *listener);
/* Undoes it, before anything else knows of the child. */
void id_discard_child(struct cm_id *child);

#endif
