/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RoCE v2 packets between hosts: what carries them (a UDP socket on port 4791, or a
 * test's simulated network), and who takes them. Below it no one knows of queue pairs but
 * by their number; above it no one knows of sockets, ICRC or relays.
 */
#ifndef MOCK_LINK_NET_H
#define MOCK_LINK_NET_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* As many as the system takes at once of packets with a path MTU of 1024: 64 KiB. */
enum { NET_BATCH = 62, NET_PARTS = 8 };

/* Between which addresses; an IPv4 one is mapped (::ffff:a.b.c.d). */
struct net_path {
	union ibv_gid local, remote;
	uint32_t flow_label;   /* IPv6 */
	uint8_t traffic_class; /* TOS */
	uint8_t hop_limit;     /* TTL; 0 to send: the system's */
	uint16_t source_port;  /* of UDP, of what arrived; to send: the sender's */
};

/* To be sent: BTH, headers, payload and its padding. ICRC is added on the way. */
struct net_packet {
	struct iovec part[NET_PARTS];
	unsigned int parts;
};

/* The injected network; the process's own is net_udp. */
struct net_ops {
	/*
	 * Sends packets of one path, in their order; all but the last have the same size
	 * (so that one system call takes them all). How many were taken: fewer when there
	 * is no room now, net_takers.writable() says when to go on. What is lost on the
	 * way is lost silently. -ENETUNREACH, -EADDRNOTAVAIL: that path does not work.
	 */
	int (*send)(const struct net_path *path, const struct net_packet *packets,
	            unsigned int count);
	/*
	 * Gives what has arrived to its takers, in the caller's thread, which holds no
	 * lock of a queue pair: for threads that poll. Whether there was any. A look that
	 * finds nothing has to be cheap, and two threads may look at once.
	 */
	bool (*poll)(void);
	/* A thread of the program is about to wait for what arrives without polling. May
	 * be NULL: there is nothing to be done for that. */
	void (*attend)(void);
};

extern const struct net_ops net_udp;

/*
 * Who takes what arrives, in the engine's thread or that of net_ops.poll(). The bytes
 * from the BTH on, ICRC checked and cut off, valid during the call.
 */
struct net_takers {
	/* For a queue pair of this process, or a multicast group (0xffffff). */
	void (*packet)(const struct net_path *path, const void *bth, size_t length);
	/* In the same thread, after one or more packet(): what had arrived has been
	 * given. Answers that were held back to go out together go now. */
	void (*settled)(void);
	/* For QP 1 (IBA 13.4): a MAD of the connection manager. */
	void (*mad)(const struct net_path *path, const void *bth, size_t length);
	/*
	 * Whose a MAD is, by what it says: the process's slot and generation in the
	 * registry. False when it belongs to nobody here: it is then given to mad() of
	 * the process that received it, which may answer that.
	 */
	bool (*mad_owner)(const struct net_path *path, const void *bth, size_t length,
	                  uint32_t *slot, uint64_t *generation);
	/* There is room to send again. */
	void (*writable)(void);
	/* The process exits: what was held back goes now, and no lock is waited for. */
	void (*ending)(void);
};

/*
 * Has datagrams to a group (a multicast address) come to this host through an interface,
 * for that owner, until net_leave() or the end of the process. Those that this host sends
 * do not come back to it: whoever sends gives them to the members here. Doing so twice is
 * as doing it once. -errno. Any thread.
 */
int net_join(const void *owner, const union ibv_gid *group, uint32_t ifindex);
/* Through all interfaces. group NULL: all of the owner's. */
void net_leave(const void *owner, const union ibv_gid *group);

/* Joins the host's port 4791, when a queue pair or connection first needs it, and stays.
 * 0, or -EADDRINUSE when someone outside the mock has it (the kernel's rxe: said once in
 * a sentence), -errno. Any thread; cheap when it is done. */
int net_start(void);
/* The same for those who can do without: who has the port instead is not said. */
int net_start_quietly(void);
/* Once per process each, before anything is sent. NULL members stay as they are. */
void net_set_takers(const struct net_takers *takers);

#endif
