/* SPDX-License-Identifier: BSD-2-Clause */
#include "protect.h"

#include <stdlib.h>

#include "check.h"

/* Tests of the session library are not linked with the device. */
__typeof__(mockrdma_qp_protect) mockrdma_qp_protect __attribute__((weak));

bool rc_all_protected(void)
{
	return getenv("RC_PROTECTED");
}

bool rc_can_be_protected(const struct rc_end *end)
{
	return end->config.type == IBV_QPT_RC || end->config.type == IBV_QPT_UC;
}

struct mockrdma_packet_key rc_packet_key(uint32_t sender_qpn)
{
	struct mockrdma_packet_key key;

	for (unsigned int i = 0; i < sizeof(key.key); i++)
		key.key[i] = (uint8_t)(sender_qpn >> i % 24 ^ i);
	for (unsigned int i = 0; i < sizeof(key.iv); i++)
		key.iv[i] = (uint8_t)(sender_qpn >> i ^ 0x55);
	return key;
}

struct mockrdma_protection rc_packet_keys(const struct rc_end *end)
{
	return (struct mockrdma_protection){
		.send = rc_packet_key(end->self.qpn),
		.receive = rc_packet_key(end->peer.qpn),
	};
}

void rc_protect(struct rc_end *end)
{
	struct mockrdma_protection keys = rc_packet_keys(end);

	CHECK_EQ(mockrdma_qp_protect(end->qp, &keys), 0);
}
