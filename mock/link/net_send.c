// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packets of one path and size go in one system call (UDP_SEGMENT), which the system cuts
 * up and numbers: the identifications 0, 1, 2, ... of the IPv4 headers are under ICRC. It
 * does so for sockets that are not connected, with IP_PMTUDISC_DO (docs/architecture.md).
 */
#include "link/net_send.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "host/plain_socket.h"
#include "host/random.h"
#include "host/segment.h"
#include "object/gid.h"
#include "wire/cursor.h"
#include "wire/headers.h"
#include "wire/icrc.h"
#include "wire/roce.h"

#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif

enum {
	SOURCE_PORTS = 0xc000, /* where those of RoCE begin (annex A17.3.2) */
	PORT_TRIES = 1000,
	SEND_BUFFER = 4 << 20,
	SEGMENTS_BYTES = 65000, /* of one system call: the longest UDP datagram, nearly */
};

/* One system call's. */
struct run {
	struct msghdr message;
	struct iovec part[NET_BATCH * (NET_PARTS + 1)];
	uint32_t icrc[NET_BATCH];
	struct sockaddr_storage to;
	char control[256] __attribute__((aligned(8)));
};

static _Atomic bool cannot_segment; /* the system, or the interface */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* As much as this user may have. */
static void enlarge(int fd)
{
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER))
		set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
}

static int bind_random(int fd, int family, const union ibv_gid *local, uint16_t *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	bool is_four = family == AF_INET;

	if (local) {
		memcpy(&six.sin6_addr, local->raw, 16);
		memcpy(&four.sin_addr, local->raw + 12, 4);
	}

	for (unsigned int tries = 0; tries < PORT_TRIES; tries++) {
		*port = (uint16_t)(SOURCE_PORTS | random_u32());
		six.sin6_port = four.sin_port = htons(*port);
		if (!bind(fd, is_four ? (void *)&four : (void *)&six,
		          is_four ? sizeof(four) : sizeof(six)))
			return 0;
		if (errno != EADDRINUSE && errno != EACCES)
			break;
	}
	return -errno;
}

static int open_at(struct net_sender *sender, int family, const union ibv_gid *local)
{
	int err = 0, fd = plain_socket(family);

	if (fd < 0)
		return -errno;
	enlarge(fd);
	set(fd, SOL_SOCKET, SO_RCVBUF, 1); /* nobody reads it */
	if (family == AF_INET) {
		err = set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
		set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	} else {
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		err = set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
		set(fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1);
		set(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
	}
	if (!err)
		err = bind_random(fd, family, local, &sender->port);
	if (err) {
		close(fd);
		return err;
	}
	sender->fd = fd;
	sender->bound = local != NULL;
	return 0;
}

int net_sender_open(struct net_sender *sender, int family)
{
	return open_at(sender, family, NULL);
}

int net_sender_bind(struct net_sender *sender, const struct net_path *path)
{
	bool is_four = gid_is_mapped(path->remote.raw);
	int level = is_four ? IPPROTO_IP : IPPROTO_IPV6;
	int err = open_at(sender, is_four ? AF_INET : AF_INET6, &path->local);

	if (!err)
		err = set(sender->fd, level, is_four ? IP_TOS : IPV6_TCLASS,
		          path->traffic_class);
	if (!err && path->hop_limit)
		err = set(sender->fd, level, is_four ? IP_TTL : IPV6_UNICAST_HOPS,
		          path->hop_limit);
	if (err && sender->fd >= 0)
		close(sender->fd);
	return err;
}

void net_headers(const union ibv_gid *from, const union ibv_gid *to,
                 const struct net_path *path, uint16_t source_port,
                 struct headers *headers)
{
	struct grh grh = {
		.flow_label = path->flow_label,
		.traffic_class = path->traffic_class,
		.hop_limit = path->hop_limit,
	};

	memcpy(grh.sgid, from, sizeof(grh.sgid));
	memcpy(grh.dgid, to, sizeof(grh.dgid));
	headers_make(headers, &grh, source_port);
}

/* --- what the system is told of a run ---------------------------------------------- */

static void add_control(struct msghdr *message, int level, int type, const void *data,
                        size_t size)
{
	struct cmsghdr *at =
	        (void *)((char *)message->msg_control + message->msg_controllen);

	memset(at, 0, CMSG_SPACE(size));
	at->cmsg_level = level;
	at->cmsg_type = type;
	at->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(at), data, size);
	message->msg_controllen += CMSG_SPACE(size);
}

static void add_number(struct msghdr *message, int level, int type, int value)
{
	add_control(message, level, type, &value, sizeof(value));
}

/* Link-local addresses and groups are those of an interface. */
static unsigned int interface_of(const struct net_path *path)
{
	struct gid_entry entry;

	if (!IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)path->remote.raw) &&
	    !gid_is_multicast(&path->remote))
		return 0;
	if (gid_find(&path->local, &entry))
		return 0;
	return entry.ifindex;
}

static void details_ipv4(struct run *run, const struct net_path *path)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)interface_of(path) };

	memcpy(&info.ipi_spec_dst, path->local.raw + 12, 4);
	add_control(&run->message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (path->traffic_class)
		add_number(&run->message, IPPROTO_IP, IP_TOS, path->traffic_class);
	if (path->hop_limit)
		add_number(&run->message, IPPROTO_IP, IP_TTL, path->hop_limit);
}

static void details_ipv6(struct run *run, const struct net_path *path)
{
	struct sockaddr_in6 *to = (void *)&run->to;
	struct in6_pktinfo info = { .ipi6_ifindex = interface_of(path) };

	to->sin6_scope_id = info.ipi6_ifindex;
	memcpy(&info.ipi6_addr, path->local.raw, 16);
	add_control(&run->message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	if (path->traffic_class)
		add_number(&run->message, IPPROTO_IPV6, IPV6_TCLASS, path->traffic_class);
	if (path->hop_limit)
		add_number(&run->message, IPPROTO_IPV6, IPV6_HOPLIMIT, path->hop_limit);
}

static void address_ipv4(struct run *run, const struct net_path *path)
{
	struct sockaddr_in *to = (void *)&run->to;

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(ROCE_PORT) };
	memcpy(&to->sin_addr, path->remote.raw + 12, 4);
	run->message.msg_namelen = sizeof(*to);
}

static void address_ipv6(struct run *run, const struct net_path *path)
{
	struct sockaddr_in6 *to = (void *)&run->to;

	*to = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(ROCE_PORT),
		.sin6_flowinfo = htonl(path->flow_label & 0xfffff),
	};
	memcpy(&to->sin6_addr, path->remote.raw, 16);
	run->message.msg_namelen = sizeof(*to);
}

static void address(struct run *run, const struct net_sender *sender,
                    const struct net_path *path)
{
	bool is_four = gid_is_mapped(path->remote.raw);

	run->message = (struct msghdr){
		.msg_name = &run->to,
		.msg_iov = run->part,
		.msg_control = run->control,
	};
	(is_four ? address_ipv4 : address_ipv6)(run, path);
	if (!sender->bound)
		(is_four ? details_ipv4 : details_ipv6)(run, path);
}

/* --- its bytes --------------------------------------------------------------------- */

static size_t packet_size(const struct net_packet *packet)
{
	size_t size = ICRC_LENGTH;

	for (unsigned int i = 0; i < packet->parts; i++)
		size += packet->part[i].iov_len;
	return size;
}

/* How many of the packets go in one system call: of one size, but for a last one. */
static unsigned int run_length(const struct net_packet *packets, unsigned int count,
                               size_t size)
{
	unsigned int most = SEGMENTS_BYTES / size, n = 1;

	if (count > NET_BATCH)
		count = NET_BATCH;
	if (atomic_load_explicit(&cannot_segment, memory_order_relaxed))
		return 1;
	for (; n < count && n < most; n++) {
		size_t next = packet_size(&packets[n]);

		if (next < size)
			return n + 1;
		if (next > size)
			return n;
	}
	return n;
}

static void add_packet(struct run *run, const struct net_packet *packet,
                       struct headers *headers, unsigned int number)
{
	struct msghdr *message = &run->message;
	struct iovec *to = run->part + message->msg_iovlen;
	uint32_t crc;

	headers_next(headers, packet_size(packet), (uint16_t)number);
	crc = icrc_parts(headers->ip, packet->part, packet->parts);
	run->icrc[number] = htole32(crc);
	memcpy(to, packet->part, packet->parts * sizeof(*to));
	to[packet->parts] = (struct iovec){ &run->icrc[number], ICRC_LENGTH };
	message->msg_iovlen += packet->parts + 1;
}

/* --- errors ------------------------------------------------------------------------ */

static void say_too_long(size_t size)
{
	static _Atomic bool said;

	if (!atomic_exchange(&said, true))
		mock_error(
		        "a packet of %zu bytes is longer than the way to its "
		        "destination permits: choose a smaller path MTU, or raise that "
		        "of the interfaces",
		        size + HEADERS_MAX);
}

/* What a packet that the system did not take means to the caller: 0 when it counts as
 * lost on the way. */
static int meaning(int err, size_t size)
{
	switch (err) {
	case EAGAIN: return -EAGAIN;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENODEV: return -ENETUNREACH;
	case EINVAL: /* the source address is not of this host any more */
	case EADDRNOTAVAIL: return -EADDRNOTAVAIL;
	case EMSGSIZE: say_too_long(size);
	}
	count_net(COUNT_DROP_UNSENT, 1);
	return 0;
}

static int transmit(const struct net_sender *sender, const struct run *run)
{
	ssize_t sent;

	do
		sent = sendmsg(sender->fd, &run->message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? errno : 0;
}

/* EIO: the interface cannot do checksums for the system, which then does not segment. */
static bool is_refusal_to_segment(int err, unsigned int packets)
{
	return packets > 1 && (err == EIO || err == EINVAL || err == EMSGSIZE ||
	                       err == ENOPROTOOPT || err == EOPNOTSUPP);
}

/* How many were taken, or lost; -errno. */
static int send_run(const struct net_sender *sender, const struct net_path *path,
                    struct headers *headers, const struct net_packet *packets,
                    unsigned int count)
{
	size_t size = packet_size(&packets[0]);
	uint16_t segment = (uint16_t)size;
	struct run run;
	int err;

	address(&run, sender, path);
	for (unsigned int i = 0; i < count; i++)
		add_packet(&run, &packets[i], headers, i);
	if (count > 1)
		add_control(&run.message, SOL_UDP, UDP_SEGMENT, &segment,
		            sizeof(segment));
	err = transmit(sender, &run);
	if (!err)
		return (int)count;
	if (!is_refusal_to_segment(err, count)) {
		err = meaning(err, size);
		return err ? err : (int)count;
	}
	/* If one alone goes, it was that. */
	if (err != EIO)
		return send_run(sender, path, headers, packets, 1);
	mock_info("packets are sent one by one, as the interface does no checksums");
	atomic_store(&cannot_segment, true);
	return send_run(sender, path, headers, packets, 1);
}

int net_sender_send(const struct net_sender *sender, const struct net_path *path,
                    const struct net_packet *packets, unsigned int count)
{
	struct headers headers;
	unsigned int done = 0;

	net_headers(&path->local, &path->remote, path, sender->port, &headers);
	while (done < count) {
		unsigned int n = run_length(packets + done, count - done,
		                            packet_size(&packets[done]));
		int taken = send_run(sender, path, &headers, packets + done, n);

		if (taken < 0)
			return done ? (int)done : taken;
		done += (unsigned int)taken;
	}
	return (int)done;
}

size_t net_sender_seal(const struct net_sender *sender, const struct net_path *path,
                       const struct net_packet *packet, uint8_t *room, size_t size)
{
	struct writer w = writer_of(room, size);
	struct headers headers;
	uint32_t crc;

	net_headers(&path->local, &path->remote, path, sender->port, &headers);
	headers_next(&headers, packet_size(packet), 0);
	crc = htole32(icrc_parts(headers.ip, packet->part, packet->parts));
	for (unsigned int i = 0; i < packet->parts; i++)
		write_bytes(&w, packet->part[i].iov_base, packet->part[i].iov_len);
	write_bytes(&w, &crc, sizeof(crc));
	return w.bad ? 0 : packet_size(packet);
}

int net_sender_bytes(const struct net_sender *sender, const struct net_path *path,
                     uint8_t *data, size_t length)
{
	struct run run;
	int err;

	address(&run, sender, path);
	run.part[0] = (struct iovec){ data, length };
	run.message.msg_iovlen = 1;
	err = transmit(sender, &run);
	return err ? meaning(err, length) : 0;
}
