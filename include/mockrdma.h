/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the software device of mockrdma(1) can do beyond the verbs. Exported by
 * libmockrdma.so; a program that is to run on other devices, too, finds it with
 * dlsym(RTLD_DEFAULT, "mockrdma_qp_protect"), which is NULL there.
 */
#ifndef MOCKRDMA_H
#define MOCKRDMA_H

#include <infiniband/verbs.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOCKRDMA_PROTECTION_KEY 32 /* bytes: AES-256-GCM */
#define MOCKRDMA_PROTECTION_IV  12

/* One direction's, each fit for one connection: no two may ever share a key. */
struct mockrdma_packet_key {
	uint8_t key[MOCKRDMA_PROTECTION_KEY];
	uint8_t iv[MOCKRDMA_PROTECTION_IV];
};

struct mockrdma_protection {
	struct mockrdma_packet_key send;    /* what the peer has as `receive` */
	struct mockrdma_packet_key receive; /* what the peer has as `send` */
};

/*
 * From now on each packet of the queue pair that goes over a network (UDP port 4791) is
 * encrypted and authenticated: requests, responses and acknowledgements, one-sided
 * operations included. The peer's queue pair needs the same. A packet for this queue pair
 * that is in clear, forged, altered or repeated is dropped and counted (drop_plain,
 * drop_tag, drop_repeated), and never answered. Between queue pairs of one host, whose
 * messages go through shared memory, nothing changes. docs/protocol.md has the format.
 *
 * The queue pair is RC or UC, and in the state INIT; a change to RESET ends it and wipes
 * the keys. After 2^36 packets under a key none are sent. The keys are copied: wipe them.
 *
 * 0, or an errno value: EINVAL in another state or without arguments, EOPNOTSUPP for
 * another type, ENOMEM, ELIBACC where libcrypto.so.3 cannot be loaded. Any thread.
 */
int mockrdma_qp_protect(struct ibv_qp *qp, const struct mockrdma_protection *keys);
typedef int mockrdma_qp_protect_function(struct ibv_qp *qp,
                                         const struct mockrdma_protection *keys);

#ifdef __cplusplus
}
#endif

#endif
