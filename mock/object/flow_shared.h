/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows of a datagram QP, in its owner's segment: a list by rank, from qp_shared.flows
 * on, that is read and changed under the responder's lock.
 */
#ifndef MOCK_OBJECT_FLOW_SHARED_H
#define MOCK_OBJECT_FLOW_SHARED_H

#include <stdatomic.h>
#include <stdint.h>
#include "host/segment.h"

/* What a rule can ask of a datagram's headers: big endian, as those are. IPv4 addresses
 * are the last bytes of their GIDs. */
union flow_view {
	struct {
		uint8_t sgid[16], dgid[16];
		uint32_t flow_label;
		uint16_t ether_type, dst_port;
		uint8_t protocol, traffic_class, hop_limit;
		uint8_t zero[5];
	};
	uint64_t word[6];
};

_Static_assert(sizeof(union flow_view) == 6 * sizeof(uint64_t), "words are all of it");

struct flow_count {
	_Atomic uint64_t packets, bytes;
};

struct flow_rule {
	seg_off next;
	seg_off count;         /* struct flow_count, or none */
	uint32_t rank;         /* the least is asked first */
	uint8_t of_groups;     /* only what is sent to one */
	uint8_t drops;         /* what it matches */
	uint8_t goes_on;       /* further rules may match, too */
	union flow_view value; /* zero where the mask is */
	union flow_view mask;
};

#endif
