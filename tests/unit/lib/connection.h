/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections by the connection manager, for tests. */
#ifndef TESTS_CONNECTION_H
#define TESTS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <rdma/rdma_cma.h>

#include "sides.h"

/* To be called before the process uses the mock: answers are waited for this long. */
void cn_set_patience(unsigned int timeout_ms, unsigned int retries);

/* 127.0.0.1 or ::1 with a port in the host's byte order. */
struct sockaddr *cn_loopback(int family, uint16_t port);
struct sockaddr *cn_address(const char *address, uint16_t port);

struct rdma_event_channel *cn_channel(void);
struct rdma_cm_id *cn_id(struct rdma_event_channel *channel);
struct rdma_cm_id *cn_sync_id(void);

/* Waits for the next event, which the caller acknowledges. */
struct rdma_cm_event *cn_next(struct rdma_event_channel *channel);
/* It has to be of that type and status, and is acknowledged; answers its id. */
struct rdma_cm_id *cn_expect(struct rdma_event_channel *channel,
                             enum rdma_cm_event_type type, int status);
/* There is none now. */
void cn_expect_none(struct rdma_event_channel *channel);

/* Listens on a port of the device's choice. */
struct rdma_cm_id *cn_listen(struct rdma_event_channel *channel, uint16_t *port);
/* Address and route of 127.0.0.1 are resolved. */
struct rdma_cm_id *cn_resolve(struct rdma_event_channel *channel, uint16_t port);
/* A queue pair with CQs of its own, on the id's domain. */
void cn_create_qp(struct rdma_cm_id *id);
enum ibv_qp_state cn_qp_state(struct rdma_cm_id *id);
void cn_destroy(struct rdma_cm_id *id);

/* Ask for a connection, and accept one; with or without a queue pair. */
void cn_connect(struct rdma_cm_id *id, const void *data, uint8_t length);
void cn_accept(struct rdma_cm_id *id);

/* Both ends of a connection in one process. */
struct cn_pair {
	struct rdma_event_channel *server_channel, *client_channel;
	struct rdma_cm_id *listener, *server, *client;
	uint16_t port;
};

void cn_pair_open(struct cn_pair *pair);
/* ESTABLISHED on both ends. */
void cn_pair_connect(struct cn_pair *pair);
void cn_pair_close(struct cn_pair *pair);

/* One message each way, with data that is compared. */
void cn_send(struct rdma_cm_id *id, uint64_t value);
void cn_post_recv(struct rdma_cm_id *id, uint64_t *place, struct ibv_mr **mr);
void cn_received(struct rdma_cm_id *id);

#endif
