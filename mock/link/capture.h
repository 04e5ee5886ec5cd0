/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: the packets of this process, as Wireshark and tcpdump read them
 * (MOCKRDMA_PCAP). Each is in the file when the call returns, so that a process that is
 * killed leaves all that it sent and took.
 */
#ifndef MOCK_LINK_CAPTURE_H
#define MOCK_LINK_CAPTURE_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <sys/uio.h>
#include "link/net.h"

/* Whether the settings name a file. */
bool capture_wanted(void);

/* How a packet travels: what its headers say. */
struct capture_way {
	const union ibv_gid *from, *to;
	const struct net_path
	        *path; /* the rest of the IP header; its addresses do not count */
	uint16_t source_port;
	uint16_t identification; /* IPv4 */
};

/* A packet from the BTH on, ICRC included, in up to CAPTURE_PARTS - 1 parts. */
enum { CAPTURE_PARTS = 24 };
void capture_packet(const struct capture_way *way, const struct iovec *part,
                    unsigned int parts);
/* The same of one without its ICRC, which is made here. */
void capture_sealed(const struct capture_way *way, const struct iovec *part,
                    unsigned int parts);

struct qp;
struct packet;
struct reply;
/* capture_local.c: what a request to a QP of this host, and what came back, would have
 * been as packets. */
void capture_exchange(const struct qp *qp, const struct packet *request,
                      const struct reply *reply);

/* Calls line() for each packet of a capture, with what it says. 0, what line() returned
 * if that was not 0, or -errno: -EPROTO when it is no capture of Ethernet, and what says
 * so. */
int capture_print(const char *name, int (*line)(void *arg, const char *text), void *arg);

#endif
