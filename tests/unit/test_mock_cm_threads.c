// SPDX-License-Identifier: BSD-2-Clause
/* Events that one thread takes, of ids that another one has. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/sides.h"

enum { ROUNDS = 60 };

struct common {
	struct cm_listener listener;
	struct rdma_event_channel *channel; /* whose events the second thread takes */
	_Atomic int accepted;
	_Atomic bool done;
};

static void *accept_all(void *argument)
{
	struct common *common = argument;
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end end;

	for (int i = 0; i < ROUNDS; i++) {
		cm_take_request(&common->listener, &end);
		CHECK_CALL(rdma_accept(end.id, &param));
		atomic_fetch_add(&common->accepted, 1);
		cm_close(&end);
	}
	return NULL;
}

static void *take_events(void *argument)
{
	struct common *common = argument;
	struct pollfd ready = { .fd = common->channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;

	while (!atomic_load(&common->done)) {
		poll(&ready, 1, 1);
		/* It may have gone with its id since. */
		if (!rdma_get_cm_event(common->channel, &event))
			rdma_ack_cm_event(event);
	}
	return NULL;
}

/* What an event means for the queue pair on an id is done by whoever takes the event: not
 * to one that goes meanwhile. */
static void queue_pair_goes_body(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct common common = { 0 };
	pthread_t accepts, takes;
	struct cm_end end;

	(void)side;
	cm_listen(&common.listener, "127.0.0.1", 0);
	common.channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_EQ(fcntl(common.channel->fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(pthread_create(&accepts, NULL, accept_all, &common), 0);
	CHECK_EQ(pthread_create(&takes, NULL, take_events, &common), 0);
	for (int i = 0; i < ROUNDS; i++) {
		cm_resolve(&end, "127.0.0.1", common.listener.port);
		CHECK_CALL(rdma_migrate_id(end.id, common.channel));
		CHECK_CALL(rdma_connect(end.id, &param));
		while (atomic_load(&common.accepted) <= i)
			sched_yield();
		rdma_destroy_qp(end.id);
		cm_close(&end);
	}
	pthread_join(accepts, NULL);
	atomic_store(&common.done, true);
	pthread_join(takes, NULL);
	rdma_destroy_event_channel(common.channel);
	cm_listener_close(&common.listener);
}
ALONE(queue_pair_goes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_pair_goes),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
