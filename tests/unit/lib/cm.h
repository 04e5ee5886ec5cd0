/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection manager for tests: events that must come, and connections ready made. */
#ifndef TESTS_CM_H
#define TESTS_CM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <rdma/rdma_cma.h>

/* An event that was taken and acknowledged already; the pointers of the original are
 * copies. */
struct cm_event {
	enum rdma_cm_event_type type;
	int status;
	struct rdma_cm_id *id, *listen_id;
	struct rdma_conn_param param;
	uint8_t private_data[256];
};

struct sockaddr_storage cm_address(const char *text, uint16_t port);

/* Waits for the next event, whichever it is. */
struct cm_event cm_next(struct rdma_event_channel *channel);
struct cm_event cm_expect(struct rdma_event_channel *channel,
                          enum rdma_cm_event_type type);
void cm_expect_nothing(struct rdma_event_channel *channel, int milliseconds);

/* One end: an id with its channel, a QP on a CQ of its own, and a registered buffer. */
enum { CM_BUFFER = 4096 };

struct cm_end {
	struct rdma_event_channel *channel;
	bool own_channel;
	struct rdma_cm_id *id;
	struct ibv_cq *send_cq, *recv_cq; /* an answer may come before the completion */
	struct ibv_mr *mr;
	uint8_t buffer[CM_BUFFER];
};

struct cm_listener {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	uint16_t port; /* in the host's byte order */
};

void cm_listen(struct cm_listener *listener, const char *address, uint16_t port);
void cm_listener_close(struct cm_listener *listener);

/* Up to ROUTE_RESOLVED and an own QP. */
void cm_resolve(struct cm_end *end, const char *address, uint16_t port);

/* Takes a request: the end gets its id, on the listener's channel, and an own QP. */
struct cm_event cm_take_request(struct cm_listener *listener, struct cm_end *end);

/* The two CQs alone, for a QP that the test makes; cm_close() destroys them. */
void cm_make_cqs(struct cm_end *end);
void cm_add_qp(struct cm_end *end);

struct rdma_conn_param cm_param(const void *private_data, uint8_t size);

void cm_connect(struct cm_end *end, const char *address, uint16_t port);
void cm_accept(struct cm_listener *listener, struct cm_end *end);

/* Sends, or receives, a number; both wait for the completion. */
void cm_send(struct cm_end *end, uint64_t value);
void cm_post_receive(struct cm_end *end);
void cm_expect_receive(struct cm_end *end, uint64_t value);

void cm_close(struct cm_end *end);

#endif
