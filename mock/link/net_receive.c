// SPDX-License-Identifier: BSD-2-Clause
#include "link/net_receive.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "host/plain_socket.h"
#include "wire/roce.h"

#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_RX 102
#endif

enum {
	RECEIVE_BUFFER = 8 << 20,
	ARRIVALS = 8,          /* of one system call */
	ARRIVAL_BYTES = 65536, /* the longest that UDP_GRO makes */
};

static struct {
	struct mmsghdr message[ARRIVALS];
	struct iovec part[ARRIVALS];
	struct sockaddr_in6 from[ARRIVALS];
	char control[ARRIVALS][256] __attribute__((aligned(8)));
	uint8_t data[ARRIVALS][ARRIVAL_BYTES] __attribute__((aligned(64)));
} room;

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* What says how a packet came. Where the system has no UDP_GRO, they come one by one. */
static void ask_for_details(int fd, int family)
{
	set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	set(fd, IPPROTO_IP, IP_RECVTOS, 1);
	set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	/* Groups that any socket of the host is in: of IPv4 ones, an IPv6 socket has to
	 * ask for that. */
	set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 1);
	set(fd, SOL_UDP, UDP_GRO, 1);
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	if (family != AF_INET6)
		return;
	set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	set(fd, IPPROTO_IPV6, IPV6_FLOWINFO, 1);
	set(fd, SOL_UDP, UDP_NO_CHECK6_RX, 1); /* adapters and Soft-RoCE send none */
}

static int bind_port(int fd, int family)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(ROCE_PORT) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(ROCE_PORT) };
	bool is_four = family == AF_INET;

	if (!is_four)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (bind(fd, is_four ? (void *)&four : (void *)&six,
	         is_four ? sizeof(four) : sizeof(six)))
		return -errno;
	return 0;
}

int net_port_open(void)
{
	int err, family = AF_INET6, fd = plain_socket(AF_INET6);

	if (fd < 0 && errno == EAFNOSUPPORT) {
		family = AF_INET; /* a system without IPv6 */
		fd = plain_socket(AF_INET);
	}
	if (fd < 0)
		return -errno;
	ask_for_details(fd, family);
	err = bind_port(fd, family);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* --- arrivals ------------------------------------------------------------------------
 */

static void put_ipv4(union ibv_gid *gid, const struct in_addr *address)
{
	memset(gid, 0, sizeof(*gid));
	gid->raw[10] = gid->raw[11] = 0xff;
	memcpy(gid->raw + 12, address, 4);
}

static int number_in(const struct cmsghdr *control)
{
	int value = 0;

	if (control->cmsg_len >= CMSG_LEN(sizeof(value)))
		memcpy(&value, CMSG_DATA(control), sizeof(value));
	return value;
}

static void read_ipv4(const struct cmsghdr *control, struct net_arrival *arrival)
{
	struct in_pktinfo info;

	switch (control->cmsg_type) {
	case IP_PKTINFO:
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		put_ipv4(&arrival->path.local, &info.ipi_addr);
		break;
	case IP_TOS: arrival->path.traffic_class = *CMSG_DATA(control); break;
	case IP_TTL: arrival->path.hop_limit = (uint8_t)number_in(control); break;
	}
}

static void read_ipv6(const struct cmsghdr *control, struct net_arrival *arrival)
{
	struct in6_pktinfo info;

	switch (control->cmsg_type) {
	case IPV6_PKTINFO:
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		memcpy(arrival->path.local.raw, &info.ipi6_addr, 16);
		break;
	case IPV6_TCLASS:
		arrival->path.traffic_class = (uint8_t)number_in(control);
		break;
	case IPV6_HOPLIMIT: arrival->path.hop_limit = (uint8_t)number_in(control); break;
	case IPV6_FLOWINFO:
		arrival->path.flow_label = ntohl((uint32_t)number_in(control)) & 0xfffff;
		break;
	}
}

static void read_control(struct msghdr *message, struct net_arrival *arrival)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at;
	     at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level == IPPROTO_IP)
			read_ipv4(at, arrival);
		else if (at->cmsg_level == IPPROTO_IPV6)
			read_ipv6(at, arrival);
		else if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO)
			arrival->segment = (size_t)number_in(at);
	}
}

static void read_source(const struct sockaddr_in6 *from, struct net_arrival *arrival)
{
	const struct sockaddr_in *four = (const void *)from;

	arrival->path.source_port =
	        ntohs(from->sin6_port); /* sin_port is at the same place */
	if (from->sin6_family == AF_INET6)
		memcpy(arrival->path.remote.raw, &from->sin6_addr, 16);
	else
		put_ipv4(&arrival->path.remote, &four->sin_addr);
}

static void give(unsigned int i, net_arrived *arrived)
{
	struct net_arrival arrival = {
		.data = room.data[i],
		.length = room.message[i].msg_len,
		.segment = room.message[i].msg_len,
	};

	read_source(&room.from[i], &arrival);
	read_control(&room.message[i].msg_hdr, &arrival);
	if (arrival.segment)
		arrived(&arrival);
}

static void make_room(void)
{
	for (unsigned int i = 0; i < ARRIVALS; i++) {
		room.part[i] = (struct iovec){ room.data[i], ARRIVAL_BYTES };
		room.message[i].msg_hdr = (struct msghdr){
			.msg_name = &room.from[i],
			.msg_namelen = sizeof(room.from[i]),
			.msg_iov = &room.part[i],
			.msg_iovlen = 1,
			.msg_control = room.control[i],
			.msg_controllen = sizeof(room.control[i]),
		};
	}
}

/* Those of the last call were changed by it. */
static void renew_room(unsigned int used)
{
	for (unsigned int i = 0; i < used; i++) {
		room.message[i].msg_hdr.msg_namelen = sizeof(room.from[i]);
		room.message[i].msg_hdr.msg_controllen = sizeof(room.control[i]);
	}
}

/* To be told that there is no second one costs a fifth of getting the first. */
static int receive_one(int fd)
{
	ssize_t got = recvmsg(fd, &room.message[0].msg_hdr, MSG_DONTWAIT);

	if (got < 0)
		return -1;
	room.message[0].msg_len = (unsigned int)got;
	return 1;
}

/* As many at a time as came the last times. */
static int receive_some(int fd)
{
	static unsigned int wanted = 1;
	int count;

	if (wanted == 1)
		count = receive_one(fd);
	else
		count = recvmmsg(fd, room.message, wanted, MSG_DONTWAIT, NULL);
	if (count < (int)wanted)
		wanted = count > 0 ? (unsigned int)count : 1;
	else
		wanted = (unsigned int)min_u64((uint64_t)wanted * 2, ARRIVALS);
	return count;
}

int net_receive(int fd, net_arrived *arrived)
{
	int count;

	if (unlikely(!room.part[0].iov_base))
		make_room();
	do
		count = receive_some(fd);
	while (count < 0 && errno == EINTR);
	if (count <= 0)
		return count == 0 || errno == EAGAIN ? 0 : -errno;
	for (unsigned int i = 0; i < (unsigned int)count; i++)
		give(i, arrived);
	renew_room((unsigned int)count);
	return count;
}
