// SPDX-License-Identifier: BSD-2-Clause
#include "host/counters.h"

#define COUNTER_NAME(name, text) [COUNT_##name] = text,
const char *const counter_names[COUNTERS] = { REQUESTER_COUNTERS(
	COUNTER_NAME) RESPONDER_COUNTERS(COUNTER_NAME) DERIVED_COUNTERS(COUNTER_NAME)
	                                              NET_COUNTERS(COUNTER_NAME) };

void counters_add(struct counters *to, const struct counters *from)
{
	for (unsigned int i = 0; i < COUNTERS; i++)
		to->value[i] += from->value[i];
}

/* Each request that comes in is counted once: as executed, or as what became of it. */
void counters_derive(struct counters *counters)
{
	uint64_t *v = counters->value;
	uint64_t sent = v[COUNT_REQUESTS] + v[COUNT_SENDS];
	uint64_t executed = v[COUNT_EXECUTED] + v[COUNT_RECEIVES];
	uint64_t naks = 0, drops = 0;

	for (unsigned int i = COUNT_DUPLICATE; i < COUNT_DERIVED; i++)
		*(i < COUNT_DROP_STATE ? &naks : &drops) += v[i];
	v[COUNT_SENT_PKTS] = sent + executed - v[COUNT_EXECUTED_UNACKED] + naks;
	v[COUNT_RCVD_PKTS] =
	        executed + naks + drops + sent - v[COUNT_UNACKED] - v[COUNT_LOST];
	v[COUNT_RDMA_SENDS] = v[COUNT_SENDS] - v[COUNT_SENDS_UNDONE];
	v[COUNT_RDMA_RECVS] = v[COUNT_RECEIVES];
	v[COUNT_SENT_BYTES] = v[COUNT_OUT_BYTES] + v[COUNT_RESPONSE_BYTES];
	v[COUNT_RCVD_BYTES] = v[COUNT_IN_BYTES] + v[COUNT_READ_BYTES];
}
