// SPDX-License-Identifier: BSD-2-Clause
/*
 * The network of this process: UDP port 4791.
 *
 * A thread that polls takes what has arrived itself. The engine is woken for it
 * otherwise, and looks away for a while when it finds that somebody polls or sends all
 * the time: it would be woken for every packet, and be too late, or in the way. Whoever
 * asks for an event is about to sleep: then it looks.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/at_exit.h"
#include "base/log.h"
#include "base/util.h"
#include "host/engine.h"
#include "host/registry.h"
#include "host/segment.h"
#include "link/capture.h"
#include "link/net.h"
#include "link/net_disturb.h"
#include "link/net_group.h"
#include "link/net_port.h"
#include "link/net_receive.h"
#include "link/net_relay.h"
#include "link/net_route.h"
#include "link/net_senders.h"
#include "wire/headers.h"
#include "wire/icrc.h"
#include "wire/roce.h"

enum {
	AWAY_FIRST_NS = 50000,  /* how long the engine looks away, … */
	AWAY_MOST_NS = 1000000, /* … twice as long each time that this was right */
	DENSE_NS = 20000,       /* one poll in that time: somebody polls */
	DENSE_POLLS = 8,        /* … at least so often */
	IDLE_LOOKS = 64,        /* after so many in vain, only … */
	PACKET_MOST = 8192,     /* bytes: path MTU, headers and ICRC */
	LOOK_EVERY = 8,         /* … every so manieth poll asks the system */
	PATIENT_TRIES = 16,     /* polls that find another thread at work */
};

static struct {
	pthread_mutex_t starting;
	_Atomic bool started;
	struct engine_source port;  /* what arrives */
	struct engine_source relay; /* … at others, for us */
	bool disturbed, captured;   /* as the settings ask */
	pthread_mutex_t receiving;
	bool unsettled;             /* packets were given, … */
	bool broken;                /* … is of no use */
	_Atomic bool away;          /* the engine is not woken by packets */
	_Atomic unsigned int polls; /* and sends, by the program's threads */
	/* As of the last look at it, by the engine or whoever fires timers. */
	_Atomic unsigned int polls_seen;
	_Atomic uint64_t seen_at;
	struct timer back;         /* the engine looks again, … */
	_Atomic uint64_t away_for; /* … after so long */
	struct net_takers takers;
} net = {
	.starting = PTHREAD_MUTEX_INITIALIZER,
	.receiving = PTHREAD_MUTEX_INITIALIZER,
	.away_for = AWAY_FIRST_NS,
};

/* A few more or less do not matter. */
static unsigned int count_activity(void)
{
	unsigned int polls = atomic_load_explicit(&net.polls, memory_order_relaxed) + 1;

	atomic_store_explicit(&net.polls, polls, memory_order_relaxed);
	return polls;
}

bool net_owner_of_mad(const struct net_path *path, const uint8_t *bth, size_t length,
                      struct host_place *place)
{
	return net.takers.mad_owner &&
	       net.takers.mad_owner(path, bth, length, &place->slot, &place->generation);
}

void net_set_takers(const struct net_takers *takers)
{
	if (takers->packet)
		net.takers.packet = takers->packet;
	if (takers->settled)
		net.takers.settled = takers->settled;
	if (takers->mad)
		net.takers.mad = takers->mad;
	if (takers->mad_owner)
		net.takers.mad_owner = takers->mad_owner;
	if (takers->writable)
		net.takers.writable = takers->writable;
	if (takers->ending)
		net.takers.ending = takers->ending;
}

/* --- receiving --------------------------------------------------------------------- */

static void take(const struct net_path *path, const uint8_t *bth, size_t length)
{
	struct host_place place;
	uint32_t qpn = net_destination(bth);

	if (qpn == MANAGER_QPN) {
		if (net.takers.mad)
			net.takers.mad(path, bth, length);
	} else if (qpn != MULTICAST_QPN && registry_qpn_find(qpn, &place)) {
		count_net(COUNT_DROP_UNKNOWN_QP, 1);
	} else if (net.takers.packet) {
		net.takers.packet(path, bth, length);
		net.unsettled = true;
	}
}

/* All that had arrived has been given. The lock is held. */
static void settle(void)
{
	if (net.unsettled && net.takers.settled)
		net.takers.settled();
	net.unsettled = false;
}

/* With the identification that makes its ICRC right, if there is one. */
static void capture_arrival(const struct net_arrival *arrival, const uint8_t *packet,
                            size_t length, unsigned int number)
{
	const struct capture_way way = {
		.from = &arrival->path.remote,
		.to = &arrival->path.local,
		.path = &arrival->path,
		.source_port = arrival->path.source_port,
		.identification = net_identification(arrival, packet, length, number),
	};
	const struct iovec whole = { (void *)packet, length };

	capture_packet(&way, &whole, 1);
}

static void check_and_take(const struct net_arrival *arrival, const uint8_t *packet,
                           size_t length, unsigned int number)
{
	if (length < ICRC_BTH + ICRC_LENGTH) {
		count_net(COUNT_DROP_TRUNCATED, 1);
		return;
	}
	if (unlikely(net.captured))
		capture_arrival(arrival, packet, length, number);
	if (!net_icrc_is_right(arrival, packet, length, number)) {
		count_net(COUNT_DROP_ICRC, 1);
	} else {
		count_net(COUNT_NET_RCVD, 1);
		take(&arrival->path, packet, length - ICRC_LENGTH);
	}
}

/*
 * Whoever had both to say put it behind, as the shorter one. Whom the message is for may
 * count on what the acknowledgement means.
 */
static size_t take_acknowledgement(const struct net_arrival *arrival)
{
	size_t before = (arrival->length - 1) / arrival->segment;
	const uint8_t *last = arrival->data + before * arrival->segment;

	if (!before || (*last & ~BTH_TRANSPORT) != RC_ACKNOWLEDGE)
		return 0;
	check_and_take(arrival, last, (size_t)(arrival->data + arrival->length - last),
	               arrival->first + (unsigned int)before);
	return arrival->length - before * arrival->segment;
}

static void arrived(const struct net_arrival *arrival)
{
	unsigned int number = arrival->first;
	size_t left = arrival->length - take_acknowledgement(arrival);

	for (const uint8_t *at = arrival->data; left; number++) {
		size_t length = left < arrival->segment ? left : arrival->segment;

		check_and_take(arrival, at, length, number);
		at += length;
		left -= length;
	}
}

/* The program closed our descriptor, which may be another's by now. */
static void give_up(int err)
{
	mock_error("UDP port 4791 cannot be read any more: %s: close only what the "
	           "program opened",
	           strerror(-err));
	net.broken = true;
}

static int receive(net_arrived *taker)
{
	int found = net.broken ? 0 : net_receive(net.port.fd, taker);

	if (found < 0)
		give_up(found);
	return found;
}

/* Until there is no more: who puts something into an empty ring wakes us. */
static bool take_relayed(void)
{
	bool any = false;

	while (net_relay_take(net_relay_end(), arrived))
		any = true;
	return any;
}

/*
 * Of several processes, one at a time takes what there is and relays what is others'.
 * What is ours waits until what was relayed to us before that has been taken.
 */
static bool look_among_others(void)
{
	bool any = false;
	uint64_t end;

	if (registry_port_turn()) {
		any = receive(net_route) > 0;
		end = net_relay_end();
		registry_port_turn_over();
		any |= net_relay_take(end, arrived);
		net_route_ours(arrived);
	}
	return take_relayed() || any;
}

/* Who is alone by now may have been given something before. */
static bool look_alone(void)
{
	bool any = unlikely(net_relay_waits()) && take_relayed();

	return receive(arrived) > 0 || any;
}

/* The lock is held: the buffers are one. */
static bool look(void)
{
	bool any = likely(registry_port_alone()) ? look_alone() : look_among_others();

	settle();
	return any;
}

/* Somebody else is at it, and may wait for the core that this thread is busy on. */
static void give_way(void)
{
	static _Thread_local unsigned int tries;

	if (++tries % PATIENT_TRIES == 0)
		sched_yield();
}

static bool udp_poll(void)
{
	static _Thread_local unsigned int idle;
	unsigned int polls;
	bool any;

	if (!atomic_load_explicit(&net.started, memory_order_acquire))
		return false;
	polls = count_activity();
	if (idle >= IDLE_LOOKS && polls % LOOK_EVERY)
		return false;
	if (pthread_mutex_trylock(&net.receiving)) {
		give_way();
		return false;
	}
	any = look();
	pthread_mutex_unlock(&net.receiving);
	idle = any ? 0 : idle + (idle < IDLE_LOOKS);
	return any;
}

/* Whether the program polled all the time since the last call. */
static bool is_polled(void)
{
	unsigned int now_polls = atomic_load(&net.polls);
	uint64_t polls = now_polls - atomic_exchange(&net.polls_seen, now_polls);
	uint64_t now = now_ns(), passed = now - atomic_exchange(&net.seen_at, now);

	return polls >= DENSE_POLLS && polls * DENSE_NS >= passed;
}

/* Somebody is quicker: this program's own threads, or another process. */
static void look_away(bool from_relay)
{
	if (timer_arm(&net.back, now_ns() + atomic_load(&net.away_for)))
		return;
	engine_pause(&net.port);
	if (from_relay)
		engine_pause(&net.relay);
	atomic_store(&net.away, true);
}

static void watch_again(void)
{
	atomic_store(&net.away, false);
	engine_resume(&net.relay);
	engine_resume(&net.port);
}

/* What was polled until now says nothing of what will be. */
static void udp_attend(void)
{
	if (!atomic_load_explicit(&net.started, memory_order_acquire) ||
	    !atomic_load(&net.away))
		return;
	is_polled();
	watch_again();
}

/*
 * The engine does not wait for a thread that polls: that one takes the lock again and
 * again, and timers would not fire meanwhile.
 */
static bool may_look(void)
{
	if (!pthread_mutex_trylock(&net.receiving))
		return true;
	look_away(true);
	return false;
}

static void port_ready(struct engine_source *source)
{
	bool any = false;

	(void)source;
	if (!may_look())
		return;
	if (is_polled())
		look_away(true);
	while (look())
		any = true;
	if (!any)
		look_away(false);
	pthread_mutex_unlock(&net.receiving);
}

static void relay_ready(struct engine_source *source)
{
	net_relay_listen(source->fd, net.port.fd);
	if (!may_look())
		return;
	if (is_polled())
		look_away(true);
	take_relayed();
	look(); /* whoever was woken for what is there may have ended */
	settle();
	pthread_mutex_unlock(&net.receiving);
}

/* A program that waits for one completion, and then for a change in its memory, polls as
 * fast as one that goes on polling, and nobody else receives that change. */
static void stay_away(void)
{
	uint64_t longer = 2 * atomic_load(&net.away_for);

	atomic_store(&net.away_for, min_u64(longer, AWAY_MOST_NS));
	look_away(true);
}

static void look_again(struct timer *timer)
{
	(void)timer;
	net_relay_listen(net.relay.fd, net.port.fd); /* no thread that polls does that */
	if (is_polled()) {
		stay_away();
		return;
	}
	atomic_store(&net.away_for, AWAY_FIRST_NS);
	if (!may_look())
		return;
	watch_again();
	/* Nobody is woken a second time for what lies in the ring. */
	take_relayed();
	look();
	pthread_mutex_unlock(&net.receiving);
}

/* --- sending -------------------------------------------------------------------------
 */

static void emit(const struct net_path *path, uint8_t *data, size_t length)
{
	const struct capture_way way = { .from = &path->local,
		                         .to = &path->remote,
		                         .path = path,
		                         .source_port = net_sender_for(path)->port };
	const struct iovec whole = { data, length };

	if (net.captured)
		capture_packet(&way, &whole, 1);
	if (net_sender_bytes(net_sender_for(path), path, data, length))
		count_net(COUNT_DROP_UNSENT, 1);
}

/* One by one, over the bad network that the settings ask for, or into a capture. */
static int send_watched(const struct net_path *path, const struct net_packet *packets,
                        unsigned int packets_count)
{
	const struct net_sender *sender = net_sender_for(path);
	uint8_t data[PACKET_MOST];

	if (sender->fd < 0)
		return -ENETUNREACH;
	for (unsigned int i = 0; i < packets_count; i++) {
		size_t length =
		        net_sender_seal(sender, path, &packets[i], data, sizeof(data));

		if (length && net.disturbed)
			net_disturb(path, data, length, emit);
		else if (length)
			emit(path, data, length);
	}
	return (int)packets_count;
}

static int udp_send(const struct net_path *path, const struct net_packet *packets,
                    unsigned int packets_count)
{
	int taken;

	if (!atomic_load_explicit(&net.started, memory_order_acquire))
		return -ENETUNREACH;
	if (!in_engine())
		count_activity();
	if (unlikely(net.disturbed || net.captured))
		taken = send_watched(path, packets, packets_count);
	else
		taken = net_senders_send(path, packets, packets_count);
	if (taken > 0)
		count_net(COUNT_NET_SENT, (unsigned int)taken);
	return taken;
}

const struct net_ops net_udp = { .send = udp_send,
	                         .poll = udp_poll,
	                         .attend = udp_attend };

/* --- beginning and end ---------------------------------------------------------------
 */

/* Not to be used any more: this process left the host, or is a child. */
static void port_gone(struct engine_source *source)
{
	source->fd = -1;
	net.broken = false;
	atomic_store(&net.started, false);
	pthread_mutex_init(&net.receiving, NULL);
	pthread_mutex_init(&net.starting, NULL);
}

/*
 * What another thread has read from the port may be for other processes, and would end
 * with this one: it is waited for, and nothing more is read. Not for ever: it may wait
 * for a lock that the thread which calls exit() holds.
 */
static void stop_receiving(void)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	pthread_mutex_timedlock(&net.receiving, &deadline);
}

/*
 * A packet wakes one of the processes that wait for the port. When that is this one,
 * which is about to end, nobody else hears of it: so it waits no more, and tells others
 * to look. No lock is waited for without an end: the thread that calls exit() may hold
 * any.
 */
__attribute__((destructor(AT_EXIT_LINK))) static void hand_over_at_exit(void)
{
	struct pollfd port = { .fd = net.port.fd, .events = POLLIN };
	struct port_owner owner;
	uint32_t next = 0;

	if (!atomic_load(&net.started))
		return;
	if (net.takers.ending)
		net.takers.ending();
	net_disturb_flush();
	engine_pause(&net.port);
	stop_receiving();
	if (poll(&port, 1, 0) != 1)
		return;
	while (registry_port_next(&next, &owner))
		net_relay_wake(owner.relay);
}

static void relay_gone(struct engine_source *source)
{
	source->fd = -1;
	net_group_forget();
	net_disturb_forget();
	net_route_forget();
	net_relay_forget();
}

static void watch(struct engine_source *source, int fd, uint32_t events,
                  void (*ready)(struct engine_source *source),
                  void (*gone)(struct engine_source *source))
{
	*source = (struct engine_source){
		.fd = fd, .events = events, .ready = ready, .gone = gone
	};
	engine_add(source);
}

static void writable(void)
{
	if (net.takers.writable)
		net.takers.writable();
}

static void watch_all(int port, int relay)
{
	timer_init(&net.back, look_again);
	net_senders_watch(writable);
	watch(&net.relay, relay, EPOLLIN, relay_ready, relay_gone);
	watch(&net.port, port, EPOLLIN | EPOLLEXCLUSIVE, port_ready, port_gone);
}

/* Others are to be told of the port as soon as there may be packets for them. */
static int open_port(bool say, int *port, int *relay)
{
	*relay = net_relay_open();
	if (*relay < 0)
		return *relay;
	*port = net_port_get(say);
	if (*port >= 0)
		return 0;
	registry_port_end();
	close(*relay);
	return *port;
}

static int start(bool say)
{
	int err = net_senders_open(), port, relay;

	if (!err)
		err = open_port(say, &port, &relay);
	if (err) {
		net_senders_close();
		return err;
	}
	net.disturbed = net_disturb_wanted();
	net.captured = capture_wanted();
	watch_all(port, relay);
	atomic_store_explicit(&net.started, true, memory_order_release);
	registry_port_have();
	return 0;
}

static int start_once(bool say)
{
	int err = 0;

	if (likely(atomic_load_explicit(&net.started, memory_order_acquire)))
		return 0;
	pthread_mutex_lock(&net.starting);
	if (!atomic_load(&net.started))
		err = start(say);
	pthread_mutex_unlock(&net.starting);
	return err;
}

int net_start(void)
{
	return start_once(true);
}

int net_start_quietly(void)
{
	return start_once(false);
}
