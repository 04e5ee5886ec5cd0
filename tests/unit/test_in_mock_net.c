// SPDX-License-Identifier: BSD-2-Clause
/* RoCE packets through UDP sockets, in a network namespace of the test's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/counters.h"
#include "host/engine.h"
#include "host/registry.h"
#include "lib/netns.h"
#include "link/net.h"
#include "mock_dir.h"
#include "object/gid.h"
#include "wire/grh.h"
#include "wire/headers.h"
#include "wire/icrc.h"
#include "wire/roce.h"

enum { KEPT = 512, PACKET = 4200, PATIENCE_S = 60 };

/* What came. */
static struct {
	_Atomic unsigned int packets, mads;
	struct net_path path[KEPT];
	size_t length[KEPT];
	uint8_t data[KEPT][PACKET];
	_Atomic bool in_engine;
	_Atomic unsigned int settled; /* packets before the last call */
} came;

static pthread_mutex_t came_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t qpn; /* of this process */

static void take_packet(const struct net_path *path, const void *bth, size_t length)
{
	unsigned int i = came.packets % KEPT;

	assert_in_range(length, ICRC_BTH, PACKET);
	pthread_mutex_lock(&came_lock);
	came.path[i] = *path;
	came.length[i] = length;
	memcpy(came.data[i], bth, length);
	came.in_engine = in_engine();
	came.packets++;
	pthread_mutex_unlock(&came_lock);
}

/* After the packets that came together; one more time with none is none too many. */
static void settled(void)
{
	came.settled = came.packets;
}

static void take_mad(const struct net_path *path, const void *bth, size_t length)
{
	(void)path, (void)bth, (void)length;
	came.mads++;
}

static int setup(void **state)
{
	static const struct net_takers takers = { .packet = take_packet,
		                                  .settled = settled,
		                                  .mad = take_mad };
	int err = host_attach();

	(void)state;
	if (!err)
		err = gid_refresh();
	net_set_takers(&takers);
	if (!err)
		err = registry_qpn_alloc(64, &qpn);
	return err ? err : net_start();
}

static int teardown(void **state)
{
	(void)state;
	registry_qpn_free(qpn);
	host_detach();
	return mock_dir_entries();
}

static int clear(void **state)
{
	(void)state;
	pthread_mutex_lock(&came_lock);
	came.packets = came.mads = came.settled = 0;
	pthread_mutex_unlock(&came_lock);
	return 0;
}

static uint64_t counter(enum counter which)
{
	return segment_head()->net[which - COUNT_NET];
}

/* Polls until the condition is so. */
#define UNTIL(condition)                                                           \
	do {                                                                       \
		uint64_t until_ = now_ns() + PATIENCE_S * UINT64_C(1000000000);    \
		while (!(condition)) {                                             \
			if (now_ns() > until_)                                     \
				fail_msg("line %d: never came true: %s", __LINE__, \
				         #condition);                              \
			net_udp.poll();                                            \
		}                                                                  \
	} while (0)

static union ibv_gid gid_of(const char *text)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	union ibv_gid gid = { 0 };

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		gid_from_sockaddr((void *)&four, &gid);
	else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		gid_from_sockaddr((void *)&six, &gid);
	else
		fail_msg("not an address: %s", text);
	return gid;
}

static struct net_path path_of(const char *local, const char *remote)
{
	return (struct net_path){ .local = gid_of(local), .remote = gid_of(remote) };
}

/* The BTH of a SEND to that number; the rest of the packet says which one it is. */
static void make_packet(uint8_t *packet, size_t length, uint32_t to, uint32_t psn)
{
	const struct roce roce = {
		.opcode = RC_SEND_ONLY, .pkey = 0xffff, .dest_qpn = to, .psn = psn
	};

	assert_int_equal(roce_encode(&roce, packet, ROCE_HEADERS_MAX), ICRC_BTH);
	for (size_t i = ICRC_BTH; i < length; i++)
		packet[i] = (uint8_t)(i * 7 + psn);
}

/* In as many parts as it takes to have one of each kind of length. */
static struct net_packet in_parts(uint8_t *packet, size_t length)
{
	struct net_packet parts = { .parts = 0 };
	size_t size = ICRC_BTH;

	for (size_t at = 0; at < length; at += size) {
		size = at ? parts.parts * 11 : ICRC_BTH;
		if (size > length - at || parts.parts == NET_PARTS - 1)
			size = length - at;
		parts.part[parts.parts++] = (struct iovec){ packet + at, size };
	}
	return parts;
}

static void send_all(const struct net_path *path, const struct net_packet *packets,
                     unsigned int count)
{
	unsigned int done = 0;

	while (done < count) {
		int taken = net_udp.send(path, packets + done, count - done);

		assert_in_range(taken, 0, count - done);
		done += (unsigned int)taken;
		net_udp.poll();
	}
}

static void check_came(unsigned int i, const uint8_t *packet, size_t length,
                       const struct net_path *path)
{
	assert_int_equal(came.length[i], length);
	assert_memory_equal(came.data[i], packet, length);
	assert_memory_equal(&came.path[i].local, &path->remote, 16);
	assert_memory_equal(&came.path[i].remote, &path->local, 16);
	assert_int_equal(came.path[i].traffic_class, path->traffic_class);
	assert_int_equal(came.path[i].flow_label, path->flow_label);
	if (path->hop_limit)
		assert_int_equal(came.path[i].hop_limit, path->hop_limit);
}

static void exchange(const struct net_path *path, size_t length, unsigned int count)
{
	static uint8_t data[NET_BATCH][PACKET];
	struct net_packet packets[NET_BATCH];
	uint64_t received = counter(COUNT_NET_RCVD);

	clear(NULL);
	for (unsigned int i = 0; i < count; i++) {
		/* The last one is shorter, if it can be. */
		size_t size =
		        i + 1 == count && length >= ICRC_BTH + 8 ? length - 8 : length;

		make_packet(data[i], size, qpn, i);
		packets[i] = in_parts(data[i], size);
	}
	send_all(path, packets, count);
	UNTIL(came.packets == count);
	for (unsigned int i = 0; i < count; i++)
		check_came(i, data[i],
		           i + 1 == count && length >= ICRC_BTH + 8 ? length - 8 : length,
		           path);
	assert_int_equal(counter(COUNT_NET_RCVD), received + count);
	UNTIL(came.settled == count);
}

static void packets_arrive(void **state)
{
	static const size_t lengths[] = { 12, 16, 20, 64, 268, 1040, 4120 };
	static const unsigned int counts[] = { 1, 2, 15, 17, NET_BATCH };
	static const char *const ways[][2] = { { "127.0.0.1", "127.0.0.1" },
		                               { "127.0.0.1", "127.1.2.3" },
		                               { "::1", "::1" } };

	(void)state;
	for (unsigned int way = 0; way < 3; way++) {
		struct net_path path = path_of(ways[way][0], ways[way][1]);

		for (unsigned int i = 0; i < 7; i++)
			for (unsigned int j = 0; j < 5; j++)
				exchange(&path, lengths[i], counts[j]);
	}
	assert_int_equal(counter(COUNT_DROP_ICRC), 0);
}

static void the_way_is_told(void **state)
{
	struct net_path four = path_of("127.0.0.1", "127.0.0.1");
	struct net_path six = path_of("::1", "::1");

	(void)state;
	four.traffic_class = six.traffic_class = 0x68;
	four.hop_limit = six.hop_limit = 7;
	six.flow_label = 0x54321;
	exchange(&four, 64, 3);
	exchange(&six, 64, 3);
}

/* Nobody polls. */
static void the_engine_takes_them(void **state)
{
	struct net_path path = path_of("127.0.0.1", "127.0.0.1");
	uint8_t data[64];
	struct net_packet packet;
	uint64_t deadline = now_ns() + PATIENCE_S * UINT64_C(1000000000);

	(void)state;
	make_packet(data, sizeof(data), qpn, 5);
	packet = in_parts(data, sizeof(data));
	assert_int_equal(net_udp.send(&path, &packet, 1), 1);
	while (!came.packets && now_ns() < deadline)
		usleep(100);
	assert_int_equal(came.packets, 1);
	assert_true(came.in_engine);
}

static void whose_they_are(void **state)
{
	struct net_path path = path_of("127.0.0.1", "127.0.0.1");
	uint64_t unknown = counter(COUNT_DROP_UNKNOWN_QP);
	uint8_t data[4][64];
	struct net_packet packets[4];

	(void)state;
	make_packet(data[0], 64, qpn ^ 1, 0);  /* nobody's */
	make_packet(data[1], 64, 1, 1);        /* the connection manager's */
	make_packet(data[2], 64, 0xffffff, 2); /* a group's */
	make_packet(data[3], 64, qpn, 3);
	for (unsigned int i = 0; i < 4; i++)
		packets[i] = in_parts(data[i], 64);
	send_all(&path, packets, 4);
	UNTIL(came.packets == 2 && came.mads == 1);
	assert_memory_equal(came.data[0], data[2], 64);
	assert_memory_equal(came.data[1], data[3], 64);
	assert_int_equal(counter(COUNT_DROP_UNKNOWN_QP), unknown + 1);
}

static bool is_no_way(int err)
{
	return err == -ENETUNREACH || err == -EADDRNOTAVAIL;
}

static void no_such_way(void **state)
{
	struct net_path nowhere = path_of("127.0.0.1", "192.0.2.1");
	struct net_path not_ours = path_of("192.0.2.1", "127.0.0.1");
	struct net_path six = path_of("2001:db8::1", "::1");
	uint8_t data[64];
	struct net_packet packet;

	(void)state;
	make_packet(data, sizeof(data), qpn, 5);
	packet = in_parts(data, sizeof(data));
	assert_int_equal(net_udp.send(&nowhere, &packet, 1), -ENETUNREACH);
	/* The system may say either of an address that is not ours. */
	assert_true(is_no_way(net_udp.send(&not_ours, &packet, 1)));
	assert_true(is_no_way(net_udp.send(&six, &packet, 1)));
}

/* --- a stranger's packets ------------------------------------------------------------
 */

static void put_icrc(uint8_t *at, uint32_t crc)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(crc >> 8 * i);
}

/* From a raw socket, so that the identification is ours to choose. */
static void send_numbered(const char *from, uint16_t identification, uint32_t psn,
                          unsigned int wrong_bit)
{
	enum { LENGTH = 100, PORT = 50000 };
	struct net_path path = path_of(from, "127.0.0.1");
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t raw[20 + 8 + LENGTH + 4];
	struct headers headers;
	struct grh grh = { .hop_limit = 64, .length = 8 + LENGTH + 4 };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	assert_true(fd >= 0);
	memcpy(grh.sgid, &path.local, 16);
	memcpy(grh.dgid, &path.remote, 16);
	headers_make(&headers, &grh, PORT);
	headers_next(&headers, LENGTH + 4, identification);
	make_packet(raw + 28, LENGTH, qpn, psn);
	put_icrc(raw + 28 + LENGTH, icrc(headers.ip, raw + 28, LENGTH));
	memcpy(raw, headers.ip, 28);
	if (wrong_bit)
		raw[28 + wrong_bit / 8] ^= (uint8_t)(1 << wrong_bit % 8);
	assert_int_equal(sendto(fd, raw, sizeof(raw), 0, (void *)&to, sizeof(to)),
	                 sizeof(raw));
	close(fd);
}

static void identifications(void **state)
{
	uint64_t dropped = counter(COUNT_DROP_ICRC);

	(void)state;
	/* Who counts is believed at once, wherever the count is. */
	for (unsigned int i = 0; i < 20; i++)
		send_numbered("127.0.0.9", (uint16_t)(65530 + i), i, 0);
	UNTIL(came.packets == 20);
	/* Who never does is believed only when it goes on so. */
	for (unsigned int i = 0; i < 20; i++)
		send_numbered("127.0.0.10", 0, i, 0);
	UNTIL(came.packets == 40);
	send_numbered("127.0.0.10", 0x9000, 20, 0);
	send_numbered("127.0.0.10", 0x1000, 21, 0);
	send_numbered("127.0.0.10", 63, 22, 0);
	UNTIL(came.packets == 41);
	assert_int_equal(counter(COUNT_DROP_ICRC), dropped + 2);
	send_numbered("127.0.0.10", 0x1001, 23, 0);
	send_numbered("127.0.0.10", 0x7001, 24, 0);
	UNTIL(came.packets == 43);
	assert_int_equal(counter(COUNT_DROP_ICRC), dropped + 2);
}

static void wrong_bits(void **state)
{
	uint64_t dropped = counter(COUNT_DROP_ICRC);
	unsigned int wrong = 0;

	(void)state;
	for (unsigned int bit = 1; bit < (100 + 4) * 8; bit += 13) {
		/* the BTH's resv8a is not covered */
		if (bit / 8 == 4)
			continue;
		send_numbered("127.0.0.11", (uint16_t)(40000 + bit), bit, bit);
		wrong++;
	}
	send_numbered("127.0.0.11", 41000, 0, 0);
	UNTIL(came.packets == 1);
	assert_int_equal(counter(COUNT_DROP_ICRC), dropped + wrong);
}

static void short_ones(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(ROCE_PORT),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint64_t dropped = counter(COUNT_DROP_TRUNCATED);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t zeros[16] = { 0 };

	(void)state;
	for (size_t length = 0; length < sizeof(zeros); length++)
		sendto(fd, zeros, length, 0, (void *)&to, sizeof(to));
	close(fd);
	send_numbered("127.0.0.12", 1, 0, 0);
	UNTIL(came.packets == 1);
	/* One without anything is not even that. */
	assert_int_equal(counter(COUNT_DROP_TRUNCATED), dropped + sizeof(zeros) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(packets_arrive, clear),
		cmocka_unit_test_setup(the_way_is_told, clear),
		cmocka_unit_test_setup(the_engine_takes_them, clear),
		cmocka_unit_test_setup(whose_they_are, clear),
		cmocka_unit_test_setup(no_such_way, clear),
		cmocka_unit_test_setup(identifications, clear),
		cmocka_unit_test_setup(wrong_bits, clear),
		cmocka_unit_test_setup(short_ones, clear),
	};
	int failed;

	netns_enter();
	mock_dir_make();
	failed = cmocka_run_group_tests(tests, setup, teardown);
	mock_dir_remove();
	return failed;
}
