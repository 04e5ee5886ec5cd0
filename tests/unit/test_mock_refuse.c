// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the device refuses as a whole: capabilities that it does not say it has, objects
 * beyond its means, and settings that make no sense.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

static bool refused(int error)
{
	return error == EOPNOTSUPP || error == ENOSYS;
}

/* A device whose max_mw is 0 has no windows, and so on: each pair must agree. */
static void absent_capabilities_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	if (device.max_mw == 0) {
		errno = 0;
		CHECK(!ibv_alloc_mw(end.pd, IBV_MW_TYPE_1) && refused(errno));
	}
	if (device.max_ah == 0) {
		struct ibv_ah_attr path = { .is_global = 1, .port_num = RC_PORT };

		errno = 0;
		CHECK(!ibv_create_ah(end.pd, &path) && refused(errno));
	}
	if (device.max_mcast_grp == 0)
		CHECK(refused(ibv_attach_mcast(end.qp, &end.self.gid, 0)));
	if (!(device.device_cap_flags & IBV_DEVICE_SRQ_RESIZE)) {
		struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
		struct ibv_srq_attr attr = { .max_wr = 8 };
		struct ibv_srq *srq = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
		int err = ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR);

		CHECK(refused(err) || err == EINVAL);
		CHECK_EQ(ibv_destroy_srq(srq), 0);
	}
	rc_close(&end);
}
ALONE(absent_capabilities)

static void unknown_queue_pair_types_body(struct side *side)
{
	static const int types[] = { 0, IBV_QPT_RAW_PACKET, IBV_QPT_DRIVER, 77 };
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct ibv_qp_init_attr init = { .send_cq = end.send_cq,
			                         .recv_cq = end.recv_cq,
			                         .cap = { 1, 1, 1, 1, 0 },
			                         .qp_type = (enum ibv_qp_type)types[i] };

		errno = 0;
		CHECK(!ibv_create_qp(end.pd, &init));
		CHECK(errno == EINVAL || refused(errno));
	}
	rc_close(&end);
}
ALONE(unknown_queue_pair_types)

static void queue_pair_without_queues_body(struct side *side)
{
	struct ibv_qp_init_attr init = { .cap = { 1, 1, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_FAILS(ibv_create_qp(end.pd, &init), EINVAL);
	init.send_cq = end.send_cq;
	CHECK_FAILS(ibv_create_qp(end.pd, &init), EINVAL);
	rc_close(&end);
}
ALONE(queue_pair_without_queues)

/* IBA 11.6.3.1: a queue that overflows fails those who complete into it, and only those.
 */
static void overflowing_queue_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair, other;
	uint32_t capacity;
	struct ibv_wc wc;

	(void)side;
	rc_pair_open(&other, &rc_default);
	config.cq_depth = 4;
	rc_pair_open(&pair, &config);
	capacity = (uint32_t)pair.a.send_cq->cqe;
	CHECK(capacity >= 4 && capacity < config.send_depth);
	for (uint32_t i = 0; i < capacity + 1; i++)
		rc_post(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                  .id = i,
		                                  .flags = IBV_SEND_SIGNALED,
		                                  .length = 8 });
	rc_expect_state(&pair.a, IBV_QPS_ERR);
	for (uint32_t i = 0; i < capacity + 8; i++)
		if (ibv_poll_cq(pair.a.send_cq, 1, &wc) <= 0)
			break;
	rc_do(&other.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                 .id = 1,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = 8 });
	rc_sent(&other.a, 1);
	rc_pair_close(&pair);
	rc_pair_close(&other);
}
ALONE(overflowing_queue)

/* --- settings
 * ------------------------------------------------------------------------------- */

struct setting {
	const char *name, *value;
};

static void use_device(struct side *side)
{
	const struct setting *setting = side->argument;
	struct rc_pair pair;

	CHECK_CALL(setenv(setting->name, setting->value, 1));
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.b, 1, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}

/* A value that cannot be read is said, and the default is used. */
static void senseless_settings(void **state)
{
	static const struct setting settings[] = {
		{ "MOCKRDMA_SEGMENT", "lots" },
		{ "MOCKRDMA_SEGMENT", "-1" },
		{ "MOCKRDMA_SEGMENT", "" },
		{ "MOCKRDMA_CM_TIMEOUT", "99999999999999999999" },
		{ "MOCKRDMA_LOG", "shout" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		alone_run(use_device, &settings[i]);
}

static void open_in_vain(struct side *side)
{
	struct ibv_device **list;

	CHECK_CALL(setenv("MOCKRDMA_DIR", side->argument, 1));
	/* Either there is no device, or it cannot be opened; never a crash. */
	list = ibv_get_device_list(NULL);
	if (!list || !list[0])
		return;
	CHECK(!ibv_open_device(list[0]));
	CHECK(errno != 0);
	ibv_free_device_list(list);
}

static void directory_that_is_none(void **state)
{
	(void)state;
	alone_run(open_in_vain, "/nonexistent/directory");
	alone_run(open_in_vain, "/dev/null");
}

/* Two directories are two hosts: what is in one cannot be reached from the other. */
static void on_another_host(struct side *side)
{
	struct rc_config config = rc_default;
	char directory[] = "/dev/shm/mockrdma-test.XXXXXX";
	struct rc_end end;

	config.timeout = 10;
	config.retries = 1;
	if (side->name[0] == 's') {
		CHECK(mkdtemp(directory));
		CHECK_CALL(setenv("MOCKRDMA_DIR", directory, 1));
	}
	rc_side_open(side, &end, &config);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .id = 1, .length = 8 });
	rc_expect(end.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	rc_side_close(side, &end);
	if (side->name[0] == 's')
		CHECK_CALL(rmdir(directory));
}

static void directories_are_hosts(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, on_another_host, on_another_host, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_capabilities),
		cmocka_unit_test(unknown_queue_pair_types),
		cmocka_unit_test(queue_pair_without_queues),
		cmocka_unit_test(overflowing_queue),
		cmocka_unit_test(senseless_settings),
		cmocka_unit_test(directory_that_is_none),
		cmocka_unit_test(directories_are_hosts),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
