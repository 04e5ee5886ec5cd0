// SPDX-License-Identifier: BSD-2-Clause
#include "link/net_relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "host/bell.h"
#include "host/peer.h"
#include "host/plain_socket.h"
#include "host/ring.h"
#include "host/segment.h"

/* What processes say to each other's sockets. */
enum word { WORD_RING, WORD_ASK, WORD_PORT };

/* In front of the packets in a ring. */
struct head {
	uint32_t segment, first;
	struct net_path path;
};

static _Atomic int giver = -1; /* the socket that we send to relays from */

/* A descriptor and the sender's identity may come with a message. */
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

static void ask_who(int fd)
{
	int yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
}

static seg_off ring_off;    /* ours; 0: not yet */
static uint64_t ring_owner; /* the generation of this process that it was made in */

static struct ring *our_ring(void)
{
	return segment_ptr(ring_off);
}

/* It stays as long as the segment. */
static int make_ring(void)
{
	int err;

	if (ring_off && ring_owner == peer_self()->generation)
		return 0;
	err = segment_alloc(sizeof(struct ring), &ring_off);
	if (err)
		return err;
	ring_owner = peer_self()->generation;
	ring_init(our_ring());
	return 0;
}

int net_relay_open(void)
{
	uint64_t name;
	int fd, err = make_ring();

	if (!err)
		err = bell_create(&fd, &name);
	if (err)
		return err;
	ask_who(fd);
	registry_port_begin(name, ring_off);
	return fd;
}

static int giver_get(void)
{
	int fd = atomic_load_explicit(&giver, memory_order_acquire);

	if (fd >= 0)
		return fd;
	fd = plain_socket(AF_UNIX);
	if (fd >= 0)
		atomic_store(&giver, fd);
	return fd;
}

void net_relay_forget(void)
{
	int fd = atomic_exchange(&giver, -1);

	if (fd >= 0)
		close(fd);
}

static void say(int from, uint64_t relay, enum word word)
{
	struct sockaddr_un address;
	socklen_t length = bell_address(relay, &address);

	sendto(from, &word, sizeof(word), MSG_DONTWAIT | MSG_NOSIGNAL,
	       (struct sockaddr *)&address, length);
}

static int put(const struct host_place *to, seg_off ring,
               const struct net_arrival *arrival)
{
	struct head head = {
		.segment = (uint32_t)arrival->segment,
		.first = arrival->first,
		.path = arrival->path,
	};
	const struct iovec parts[] = { { &head, sizeof(head) },
		                       { (void *)arrival->data, arrival->length } };
	struct peer *peer;
	int err = peer_get(to->slot, to->generation, &peer);

	if (err)
		return err;
	err = ring_put(peer_ptr(peer, ring), parts, ARRAY_SIZE(parts));
	peer_put(peer);
	return err;
}

bool net_relay_give(const struct host_place *to, const struct net_arrival *arrival)
{
	uint64_t relay;
	seg_off ring;
	int was_empty;

	if (!registry_relay(to->slot, to->generation, &relay, &ring))
		return false;
	was_empty = put(to, ring, arrival);
	if (was_empty > 0)
		say(giver_get(), relay, WORD_RING);
	return was_empty >= 0;
}

/* --- reading ---------------------------------------------------------------------------
 */

/* Abstract sockets are everybody's: whether the sender is this user. Takes a descriptor
 * out that came with it. */
static bool is_ours(struct msghdr *message, int *descriptor)
{
	struct ucred who = { .uid = (uid_t)-1 };

	*descriptor = -1;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at;
	     at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET)
			continue;
		if (at->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(at), sizeof(who));
		else if (at->cmsg_type == SCM_RIGHTS)
			memcpy(descriptor, CMSG_DATA(at), sizeof(*descriptor));
	}
	return who.uid == geteuid();
}

static void hand_over(const struct sockaddr_un *to, socklen_t length, int port)
{
	enum word word = WORD_PORT;
	struct iovec part = { &word, sizeof(word) };
	union control control = { .room = { 0 } };
	struct msghdr message = { .msg_name = (void *)to,
		                  .msg_namelen = length,
		                  .msg_iov = &part,
		                  .msg_iovlen = 1,
		                  .msg_control = &control,
		                  .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *at = CMSG_FIRSTHDR(&message);

	at->cmsg_level = SOL_SOCKET;
	at->cmsg_type = SCM_RIGHTS;
	at->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(at), &port, sizeof(port));
	sendmsg(giver_get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool net_relay_waits(void)
{
	return ring_waits(our_ring());
}

uint64_t net_relay_end(void)
{
	return ring_tail(our_ring());
}

static void take(const uint8_t *message, uint32_t length, net_arrived *arrived)
{
	struct net_arrival arrival = { .data = message + sizeof(struct head) };
	struct head head;

	if (length <= sizeof(head))
		return;
	memcpy(&head, message, sizeof(head));
	arrival.path = head.path;
	arrival.segment = head.segment;
	arrival.first = head.first;
	arrival.length = length - sizeof(head);
	if (arrival.segment)
		arrived(&arrival);
}

bool net_relay_take(uint64_t end, net_arrived *arrived)
{
	const uint8_t *message;
	uint32_t length = 0;
	bool any = false;

	while ((message = ring_next(our_ring(), end, &length))) {
		take(message, length, arrived);
		any = true;
	}
	return any;
}

/* A message, or false when there is none. */
static bool hear(int socket, enum word *word, struct sockaddr_un *from, socklen_t *length,
                 int *descriptor)
{
	struct iovec part = { word, sizeof(*word) };
	union control control;
	struct msghdr message = { .msg_name = from,
		                  .msg_namelen = sizeof(*from),
		                  .msg_iov = &part,
		                  .msg_iovlen = 1,
		                  .msg_control = &control,
		                  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return false;
	if (!is_ours(&message, descriptor) || got != sizeof(*word))
		*word = WORD_RING; /* which asks for nothing */
	*length = message.msg_namelen;
	return true;
}

void net_relay_listen(int relay, int port)
{
	struct sockaddr_un from;
	socklen_t length;
	enum word word;
	int stray;

	while (hear(relay, &word, &from, &length, &stray)) {
		if (stray >= 0)
			close(stray);
		if (word == WORD_ASK)
			hand_over(&from, length, port);
	}
}

void net_relay_wake(uint64_t relay)
{
	say(giver_get(), relay, WORD_RING);
}

void net_relay_ask(int asker, uint64_t relay)
{
	say(asker, relay, WORD_ASK);
}

int net_relay_answer(int asker)
{
	struct sockaddr_un from;
	socklen_t length;
	enum word word;
	int fd;

	if (!hear(asker, &word, &from, &length, &fd))
		return -EAGAIN;
	if (word == WORD_PORT && fd >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -EAGAIN;
}
