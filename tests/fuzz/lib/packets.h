/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue pairs over packets, for fuzzers: the network is what the fuzzer makes of it, and
 * time stands still until it says otherwise. */
#ifndef TESTS_FUZZ_PACKETS_H
#define TESTS_FUZZ_PACKETS_H

#include <infiniband/verbs.h>
#include <stddef.h>
#include <stdint.h>

#include "link/net.h"

enum {
	PACKET_MOST = 4200,
	PACKETS_PSN = 0x100,
	PACKETS_QKEY = 0x1234,
	PACKETS_MTU = 256
};

struct packet_bytes {
	size_t length;
	uint8_t bytes[PACKET_MOST];
};

/* Once, before anything else: sent() gets each packet that a queue pair sends. */
struct ibv_context *packets_begin(void (*sent)(const struct packet_bytes *packet));
/* What the system's clock is to say. */
extern uint64_t packets_now;

/* To RTS: PSNs start with PACKETS_PSN, and the other end is where the GID says. With keys
 * each packet is protected; NULL: none is. */
struct mockrdma_protection;
void packets_connect(struct ibv_qp *qp, uint32_t dest_qpn, const union ibv_gid *gid,
                     const struct mockrdma_protection *keys);
/* As if it had arrived; in memory of just that size, so that a step too far is seen. */
void packets_arrive(const struct net_path *path, const uint8_t *bytes, size_t length);

#endif
