// SPDX-License-Identifier: BSD-2-Clause
#include "forge.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"
#include "wire/headers.h"
#include "wire/icrc.h"
#include "wire/protected.h"

enum { ETHERNET = 14, PACKET_MOST = 4200, TAP_MS = 5000 };

void forger_open(struct forger *forger, uint32_t address)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
		                   .sin_addr = { htonl(address) } };
	socklen_t size = sizeof(own);
	/* So that the kernel sends identification 0, as the ICRC has it. */
	int discover = IP_PMTUDISC_DO;

	*forger = (struct forger){ .socket = socket(AF_INET, SOCK_DGRAM, 0),
		                   .address = address };
	CHECK_CALL(forger->socket);
	CHECK_CALL(setsockopt(forger->socket, IPPROTO_IP, IP_MTU_DISCOVER, &discover,
	                      sizeof(discover)));
	CHECK_CALL(bind(forger->socket, (struct sockaddr *)&own, sizeof(own)));
	CHECK_CALL(getsockname(forger->socket, (struct sockaddr *)&own, &size));
	forger->port = ntohs(own.sin_port);
}

void forger_close(struct forger *forger)
{
	close(forger->socket);
}

static void put_mapped(uint8_t gid[16], uint32_t address)
{
	memset(gid, 0, 16);
	gid[10] = gid[11] = 0xff;
	memcpy(gid + 12, &address, sizeof(address));
}

static uint32_t icrc_of(const struct forger *forger, const uint8_t *bytes, size_t length)
{
	const uint32_t from = htonl(forger->address), to = htonl(INADDR_LOOPBACK);
	struct grh grh = { .hop_limit = 64,
		           .length = (uint16_t)(UDP_LENGTH + length + ICRC_LENGTH) };
	struct headers headers;

	put_mapped(grh.sgid, from);
	put_mapped(grh.dgid, to);
	headers_make(&headers, &grh, forger->port);
	headers_next(&headers, length + ICRC_LENGTH, 0);
	return icrc(headers.ip, bytes, length);
}

void forge_bytes(struct forger *forger, const uint8_t *bytes, size_t length)
{
	struct sockaddr_in there = { .sin_family = AF_INET,
		                     .sin_port = htons(ROCE_PORT),
		                     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	uint32_t sum = htole32(icrc_of(forger, bytes, length));
	struct iovec parts[] = { { (void *)bytes, length }, { &sum, ICRC_LENGTH } };
	struct msghdr message = { .msg_name = &there,
		                  .msg_namelen = sizeof(there),
		                  .msg_iov = parts,
		                  .msg_iovlen = 2 };

	CHECK_CALL(sendmsg(forger->socket, &message, 0));
	forger->sent++;
}

void forge(struct forger *forger, const struct roce *packet)
{
	uint8_t bytes[PACKET_MOST] = { 0 };
	size_t length = roce_encode(packet, bytes, sizeof(bytes));

	CHECK(length && packet->length <= PACKET_MOST - ROCE_HEADERS_MAX - 8);
	if (packet->length)
		memcpy(bytes + length, packet->payload, packet->length);
	forge_bytes(forger, bytes,
	            length + packet->length + roce_padding(packet->length));
}

int tap_open(void)
{
	return socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
}

static bool decode(struct tapped *tapped)
{
	struct protected_packet protected;

	if (!opcode_is_protected(*tapped->bth))
		return roce_decode(tapped->bth, tapped->length + ICRC_LENGTH,
		                   &tapped->packet) == ROCE_OK;
	if (protected_decode(tapped->bth, tapped->length, &protected) != ROCE_OK)
		return false;
	tapped->packet = (struct roce){ .opcode = protected.operation,
		                        .dest_qpn = protected.dest_qpn,
		                        .psn = protected.psn };
	return true;
}

static bool is_wanted(struct tapped *tapped, size_t length, uint8_t opcode, uint32_t qpn)
{
	const uint8_t *ip = tapped->bytes + ETHERNET, *udp;
	size_t header;

	if (length < ETHERNET + 20)
		return false;
	header = (ip[0] & 15) * 4u;
	udp = ip + header;
	if (ip[9] != IPPROTO_UDP ||
	    length <= ETHERNET + header + UDP_LENGTH + ICRC_LENGTH ||
	    (udp[2] << 8 | udp[3]) != ROCE_PORT)
		return false;
	tapped->bth = udp + UDP_LENGTH;
	tapped->length = length - ETHERNET - header - UDP_LENGTH - ICRC_LENGTH;
	return decode(tapped) && tapped->packet.opcode == opcode &&
	       (!qpn || tapped->packet.dest_qpn == qpn);
}

bool tap_next(int tap, uint8_t opcode, uint32_t qpn, struct tapped *tapped)
{
	uint64_t end = deadline_in(TAP_MS);
	struct pollfd fd = { .fd = tap, .events = POLLIN };

	while (!deadline_passed(end)) {
		ssize_t length;

		if (poll(&fd, 1, deadline_left_ms(end)) <= 0)
			continue;
		length = recv(tap, tapped->bytes, sizeof(tapped->bytes), 0);
		if (length > 0 && is_wanted(tapped, (size_t)length, opcode, qpn))
			return true;
	}
	return false;
}
