/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the attacker has: an ordinary UDP socket, which needs no privilege, and the codec
 * of the wire. Beside it a tap, for one who sits on the path. Loopback alone.
 */
#ifndef ATTACK_FORGE_H
#define ATTACK_FORGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/roce.h"

/* The peer's address, and one that is nobody's. */
enum { ADDRESS_OF_PEER = 0x7f000001, ADDRESS_ELSEWHERE = 0x7f000002 };

/* As if that address had sent them to 127.0.0.1. */
struct forger {
	int socket;
	uint32_t address;
	uint16_t port;
	unsigned long long sent;
};

void forger_open(struct forger *forger, uint32_t address);
void forger_close(struct forger *forger);

/* Encodes it, with an ICRC that is right, and sends it. */
void forge(struct forger *forger, const struct roce *packet);

/* Sends these bytes, BTH first, and an ICRC that is right. */
void forge_bytes(struct forger *forger, const uint8_t *bytes, size_t length);

/* A packet as it crossed the wire: of one that is protected, `packet` has no more than
 * its BTH tells. */
struct tapped {
	struct roce packet;
	const uint8_t *bth; /* in `bytes` */
	size_t length;      /* from there, without ICRC */
	uint8_t bytes[65536];
};

/* A socket that sees all that crosses the loopback interface from now on; -1 without the
 * right to one. */
int tap_open(void);
/* The next packet to port 4791 with that opcode of RC, protected or not, and that
 * destination (0: any); false when none came within some seconds. */
bool tap_next(int tap, uint8_t opcode, uint32_t qpn, struct tapped *tapped);

#endif
