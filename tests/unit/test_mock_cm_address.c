// SPDX-License-Identifier: BSD-2-Clause
/* Binding and resolving: ports, wildcards, conflicts between processes, IPv6, channels.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/deadline.h"
#include "lib/rc.h"

/* One process, both ends; the connection carries a number and ends in good order. */
static void connect_to(struct cm_listener *listener, const char *address)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end client, server;

	cm_resolve(&client, address, listener->port);
	CHECK_CALL(rdma_connect(client.id, &param));
	cm_take_request(listener, &server);
	cm_post_receive(&server);
	CHECK_CALL(rdma_accept(server.id, &param));
	/* The client's taking of its event is what tells the server. */
	cm_expect(client.channel, RDMA_CM_EVENT_ESTABLISHED);
	cm_expect(listener->channel, RDMA_CM_EVENT_ESTABLISHED);
	cm_send(&client, 5);
	cm_expect_receive(&server, 5);
	CHECK_CALL(rdma_disconnect(client.id));
	cm_expect(listener->channel, RDMA_CM_EVENT_DISCONNECTED);
	CHECK_CALL(rdma_disconnect(server.id));
	cm_close(&server);
	cm_close(&client);
}

static void expect_rejected(const char *address, uint16_t port)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end client;

	cm_resolve(&client, address, port);
	CHECK_CALL(rdma_connect(client.id, &param));
	CHECK_EQ(cm_expect(client.channel, RDMA_CM_EVENT_REJECTED).status, 8);
	cm_close(&client);
}

static struct rdma_cm_id *new_id(struct rdma_event_channel *channel)
{
	struct rdma_cm_id *id;

	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_TCP));
	return id;
}

/* Binds and lets go again; answers the error, or 0. */
static int try_bind(const char *address, uint16_t port)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct sockaddr_storage at = cm_address(address, port);
	struct rdma_cm_id *id = new_id(channel);
	int err = rdma_bind_addr(id, (struct sockaddr *)&at) ? errno : 0;

	CHECK_CALL(rdma_destroy_id(id));
	rdma_destroy_event_channel(channel);
	return err;
}

static void expect_bind(const char *address, uint16_t port, int error)
{
	CHECK_EQ(try_bind(address, port), error);
}

/* Linux says EADDRNOTAVAIL where one of the two in conflict is a wildcard. */
static void expect_wildcard_conflict(const char *address, uint16_t port)
{
	int err = try_bind(address, port);

	CHECK(err == EADDRNOTAVAIL || err == EADDRINUSE);
}

static void wildcard_body(struct side *side)
{
	struct cm_listener listener;

	(void)side;
	cm_listen(&listener, "0.0.0.0", 0);
	connect_to(&listener, "127.0.0.1");
	cm_listener_close(&listener);
	cm_listen(&listener, "127.0.0.1", 0);
	connect_to(&listener, "127.0.0.1");
	cm_listener_close(&listener);
}
ALONE(wildcard)

/* An IPv4 address of this host that is not loopback, if there is one. */
static bool other_address(char *text)
{
	struct ifaddrs *all;
	bool found = false;

	CHECK_CALL(getifaddrs(&all));
	for (struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
		const struct sockaddr_in *in = (struct sockaddr_in *)one->ifa_addr;

		if (!in || in->sin_family != AF_INET ||
		    ntohl(in->sin_addr.s_addr) == INADDR_LOOPBACK)
			continue;
		found = inet_ntop(AF_INET, &in->sin_addr, text, INET_ADDRSTRLEN);
	}
	freeifaddrs(all);
	return found;
}

/* Who listens at one address is not there at another. */
static void specific_body(struct side *side)
{
	char other[INET_ADDRSTRLEN];
	struct cm_listener listener;

	(void)side;
	if (!other_address(other))
		exit(EXIT_SUCCESS);
	cm_listen(&listener, other, 0);
	connect_to(&listener, other);
	expect_rejected("127.0.0.1", listener.port);
	/* The same port at the other address is free. */
	expect_bind("127.0.0.1", listener.port, 0);
	expect_wildcard_conflict("0.0.0.0", listener.port);
	cm_listener_close(&listener);
	cm_listen(&listener, "0.0.0.0", 0);
	connect_to(&listener, other);
	cm_listener_close(&listener);
}
ALONE(specific)

static void conflicts_body(struct side *side)
{
	struct cm_listener listener;

	(void)side;
	cm_listen(&listener, "127.0.0.1", 0);
	expect_bind("127.0.0.1", listener.port, EADDRINUSE);
	expect_wildcard_conflict("0.0.0.0", listener.port);
	cm_listener_close(&listener);
	expect_bind("127.0.0.1", listener.port, 0);
	expect_bind("192.0.2.77", 0, EADDRNOTAVAIL);
}
ALONE(conflicts)

static void holder(struct side *side)
{
	struct cm_listener listener;

	cm_listen(&listener, "0.0.0.0", 0);
	side_put(side, &listener.port, sizeof(listener.port));
	side_meet(side);
	cm_listener_close(&listener);
	side_meet(side);
}

static void contender(struct side *side)
{
	uint16_t port;

	side_get(side, &port, sizeof(port));
	expect_wildcard_conflict("127.0.0.1", port);
	expect_wildcard_conflict("0.0.0.0", port);
	side_meet(side);
	side_meet(side);
	expect_bind("127.0.0.1", port, 0);
}

static void conflicts_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, holder, contender, NULL);
}

static void ephemeral_ports_body(struct side *side)
{
	struct cm_listener listeners[10];

	(void)side;
	for (int i = 0; i < 10; i++) {
		cm_listen(&listeners[i], "127.0.0.1", 0);
		for (int j = 0; j < i; j++)
			CHECK(listeners[i].port != listeners[j].port);
	}
	for (int i = 0; i < 10; i++)
		cm_listener_close(&listeners[i]);
}
ALONE(ephemeral_ports)

static void ipv6_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	bool has_loopback = rc_find_gid(context, "::1") >= 0;
	struct cm_listener listener;

	(void)side;
	CHECK_EQ(ibv_close_device(context), 0);
	if (!has_loopback)
		exit(EXIT_SUCCESS);
	cm_listen(&listener, "::1", 0);
	connect_to(&listener, "::1");
	cm_listener_close(&listener);
	cm_listen(&listener, "::", 0);
	connect_to(&listener, "::1");
	/* A wildcard of IPv6 takes IPv4 too, unless it was told otherwise. */
	connect_to(&listener, "127.0.0.1");
	cm_listener_close(&listener);
}
ALONE(ipv6)

/* A source is bound by the way, and must be an address of this host. */
static void source_address_body(struct side *side)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct sockaddr_storage from = cm_address("127.0.0.1", 0);
	struct sockaddr_storage to = cm_address("127.0.0.1", 7471);
	struct rdma_cm_id *id = new_id(channel);

	(void)side;
	CHECK_CALL(rdma_resolve_addr(id, (struct sockaddr *)&from, (struct sockaddr *)&to,
	                             1000));
	cm_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK(id->verbs && id->port_num == RC_PORT && rdma_get_src_port(id) != 0);
	CHECK_CALL(rdma_destroy_id(id));
	id = new_id(channel);
	from = cm_address("192.0.2.77", 0);
	CHECK_FAILS(rdma_resolve_addr(id, (struct sockaddr *)&from,
	                              (struct sockaddr *)&to, 1000),
	            EADDRNOTAVAIL);
	CHECK_CALL(rdma_destroy_id(id));
	rdma_destroy_event_channel(channel);
}
ALONE(source_address)

/* --- channels
 * ------------------------------------------------------------------------------- */

static void nonblocking_channel_body(struct side *side)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct rdma_cm_event *event;
	int flags = fcntl(channel->fd, F_GETFL);

	(void)side;
	CHECK_CALL(fcntl(channel->fd, F_SETFL, flags | O_NONBLOCK));
	CHECK_FAILS(rdma_get_cm_event(channel, &event), EAGAIN);
	cm_expect_nothing(channel, 0);
	rdma_destroy_event_channel(channel);
}
ALONE(nonblocking_channel)

struct waiting {
	struct rdma_event_channel *channel;
	enum rdma_cm_event_type type;
};

static void *wait_for_event(void *argument)
{
	struct waiting *waiting = argument;
	struct rdma_cm_event *event;

	CHECK_CALL(rdma_get_cm_event(waiting->channel, &event));
	waiting->type = event->event;
	CHECK_CALL(rdma_ack_cm_event(event));
	return NULL;
}

static void blocking_channel_body(struct side *side)
{
	struct sockaddr_storage to = cm_address("127.0.0.1", 7471);
	struct waiting waiting = { CHECK_OBJECT(rdma_create_event_channel()),
		                   RDMA_CM_EVENT_DEVICE_REMOVAL };
	struct rdma_cm_id *id = new_id(waiting.channel);
	pthread_t thread;

	(void)side;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_event, &waiting), 0);
	CHECK_CALL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(waiting.type, RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_CALL(rdma_destroy_id(id));
	rdma_destroy_event_channel(waiting.channel);
}
ALONE(blocking_channel)

struct destroyer {
	struct rdma_cm_id *id;
	int result;
	bool done;
};

static void *destroy(void *argument)
{
	struct destroyer *self = argument;

	self->result = rdma_destroy_id(self->id);
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* rdma_ack_cm_event(3): destroying an id waits for its events to be acknowledged. */
static void destroying_waits_for_acknowledgement_body(struct side *side)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct sockaddr_storage to = cm_address("127.0.0.1", 7471);
	struct destroyer destroyer = { .id = new_id(channel) };
	struct rdma_cm_event *event;
	pthread_t thread;

	(void)side;
	CHECK_CALL(rdma_resolve_addr(destroyer.id, NULL, (struct sockaddr *)&to, 1000));
	CHECK_CALL(rdma_get_cm_event(channel, &event));
	CHECK_EQ(pthread_create(&thread, NULL, destroy, &destroyer), 0);
	pass_ms(100);
	CHECK(!__atomic_load_n(&destroyer.done, __ATOMIC_ACQUIRE));
	CHECK_CALL(rdma_ack_cm_event(event));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(destroyer.result, 0);
	rdma_destroy_event_channel(channel);
}
ALONE(destroying_waits_for_acknowledgement)

/* Events that nobody took go with the id. */
static void untaken_events_vanish_body(struct side *side)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct sockaddr_storage to = cm_address("127.0.0.1", 7471);
	struct rdma_cm_id *id = new_id(channel);

	(void)side;
	CHECK_CALL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000));
	CHECK_CALL(rdma_destroy_id(id));
	cm_expect_nothing(channel, 20);
	rdma_destroy_event_channel(channel);
}
ALONE(untaken_events_vanish)

static void device_list_body(struct side *side)
{
	struct ibv_context **list;
	int count = 0;

	(void)side;
	list = CHECK_OBJECT(rdma_get_devices(&count));
	CHECK_EQ(count, 1);
	CHECK(strcmp(ibv_get_device_name(list[0]->device), "mock0") == 0 && !list[1]);
	rdma_free_devices(list);
}
ALONE(device_list)

static void event_names_body(struct side *side)
{
	(void)side;
	CHECK(strcmp(rdma_event_str(RDMA_CM_EVENT_ESTABLISHED),
	             "RDMA_CM_EVENT_ESTABLISHED") == 0);
	CHECK(strcmp(rdma_event_str(RDMA_CM_EVENT_TIMEWAIT_EXIT),
	             "RDMA_CM_EVENT_TIMEWAIT_EXIT") == 0);
	CHECK(rdma_event_str((enum rdma_cm_event_type)999) != NULL);
}
ALONE(event_names)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wildcard),
		cmocka_unit_test(specific),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(conflicts_between_processes),
		cmocka_unit_test(ephemeral_ports),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(source_address),
		cmocka_unit_test(nonblocking_channel),
		cmocka_unit_test(blocking_channel),
		cmocka_unit_test(destroying_waits_for_acknowledgement),
		cmocka_unit_test(untaken_events_vanish),
		cmocka_unit_test(device_list),
		cmocka_unit_test(event_names),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
