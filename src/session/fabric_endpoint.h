/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session's end: a reliable datagram endpoint that talks to one peer. Each message
 * begins with
 *
 *   +---------------------------------------------------------------+
 *   | word (message.h)                                              |
 *   +---------------------------------------------------------------+
 *   | number of the message, from 0                                 |
 *   +---------------------------------------------------------------+
 *
 * since providers deliver in an order of their own, and some have less than eight bytes
 * for data of ours beside a message. They take work when they like, too: what is started
 * waits in a ring [started, begun) until they do.
 */
#ifndef SESSION_FABRIC_ENDPOINT_H
#define SESSION_FABRIC_ENDPOINT_H

#include "session/fabric_domain.h"

#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>

#include "session/receive.h"

#define FABRIC_HEAD  8
#define FABRIC_SHORT 232 /* bytes of a message that is copied */

enum request_kind {
	REQUEST_RECEIVE,
	REQUEST_MESSAGE,
	REQUEST_WRITE,
	REQUEST_READ,
};

/* What a provider has under way. */
struct request {
	struct fi_context2
	        context; /* the provider's; its address is the operation's name */
	struct fabric_endpoint *endpoint;
	enum request_kind kind;
	bool done;
	uint32_t length;
	struct srdma_message *message; /* REQUEST_RECEIVE */
	const void *data;              /* NULL: in `head`, behind it */
	void *descriptor;
	uint64_t address; /* of the peer's memory */
	uint64_t key;
	uint8_t head[FABRIC_HEAD + FABRIC_SHORT];
};

/* A message that came before one that was sent earlier. */
struct early {
	struct srdma_message *message;
	struct arrival arrival;
};

struct fabric_endpoint {
	struct endpoint base;
	struct list node; /* of the active, later of the graves */
	struct fabric_domain domain;
	struct fid_ep *fid;
	struct fid_av *av;
	struct fid_cq *cq;
	struct source completions; /* fd -1: the provider has none */
	fi_addr_t peer;
	struct sockaddr_storage remote; /* of the TLS connection */
	struct pool pool;
	bool stopped;
	bool heard; /* a message came */

	struct request *sends; /* ring, by sequence */
	struct region region;  /* of the ring */
	unsigned send_count;
	uint64_t begun;
	uint64_t started;
	uint64_t told;   /* that they ended */
	unsigned writes; /* under way: messages and reads must not overtake them */
	uint32_t next_out;

	struct request *receives;
	unsigned receive_count;
	struct request **spare; /* stack of receives that no buffer is posted with */
	unsigned spares;
	struct list unposted; /* buffers that the provider could not take yet */
	struct early *early;  /* by number */
	uint32_t next_in;
};

static inline struct fabric_endpoint *to_fabric(const struct endpoint *endpoint)
{
	return container_of(endpoint, struct fabric_endpoint, base);
}

int fabric_open(struct srdma_worker *worker, const struct endpoint_plan *plan,
                struct endpoint **out);
void fabric_stop(struct endpoint *base);
void fabric_free(struct endpoint *base);
/* Its memory, when no stack refers to it. */
void fabric_bury(struct fabric_endpoint *endpoint);

/*
 * fabric_memory.c
 */

int fabric_reg(struct fabric_domain *domain, void *address, size_t length,
               unsigned rights, struct region *out);
void fabric_dereg(struct region *region);
void fabric_pool_init(struct fabric_endpoint *endpoint, size_t message);

/*
 * fabric_queue.c
 */

int fabric_send(struct endpoint *base, const struct outgoing *outgoing);
int fabric_access(struct endpoint *base, const struct access *access);
/* What it has been waiting with: start it, post it, tell it. */
void fabric_advance(struct fabric_endpoint *endpoint);
/* Whether there is anything that the provider did not take yet, or that is to be told. */
bool fabric_is_waiting(const struct fabric_endpoint *endpoint);
void fabric_completed(struct request *request, size_t length, fi_addr_t source);
void fabric_request_failed(struct request *request, const struct fi_cq_err_entry *error);
/* Post a buffer. SRDMA_ESYSTEM. */
int fabric_post(struct fabric_endpoint *endpoint, struct srdma_message *message);

#endif
