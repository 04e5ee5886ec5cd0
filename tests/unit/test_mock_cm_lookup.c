// SPDX-License-Identifier: BSD-2-Clause
/* rdma_resolve_addrinfo(3), rdma_query_addrinfo(3): names are looked up while the program
 * does something else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

/* Of rdma-core 60, which the headers may be older than. */
enum {
	RESOLVED = RDMA_CM_EVENT_TIMEWAIT_EXIT + 1,
	ERROR,
	FLAG_SA = 0x10,
	FLAG_DNS = 0x20,
};
int rdma_resolve_addrinfo(struct rdma_cm_id *id, const char *node, const char *service,
                          const struct rdma_addrinfo *hints);
int rdma_query_addrinfo(struct rdma_cm_id *id, struct rdma_addrinfo **info);

static const struct rdma_addrinfo by_name = { .ai_flags = FLAG_DNS | RAI_NUMERICHOST,
	                                      .ai_port_space = RDMA_PS_TCP };

static void expect(struct rdma_event_channel *channel, int event, int status)
{
	cn_expect(channel, (enum rdma_cm_event_type)event, status);
}

static void check_found(struct rdma_cm_id *id)
{
	struct rdma_addrinfo *info = NULL, *again = NULL;

	CHECK_CALL(rdma_query_addrinfo(id, &info));
	CHECK_EQ(info->ai_port_space, RDMA_PS_TCP);
	CHECK_EQ(info->ai_qp_type, IBV_QPT_RC);
	CHECK_EQ(info->ai_dst_len, sizeof(struct sockaddr_in));
	CHECK_BYTES(info->ai_dst_addr, cn_loopback(AF_INET, 7471), info->ai_dst_len);
	rdma_freeaddrinfo(info);
	CHECK_FAILS(rdma_query_addrinfo(id, &again), ENODATA);
	CHECK(!again);
}

/* What was found is where the connection goes. */
static void found_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_addrinfo *info = NULL;
	struct rdma_cm_id *id = cn_id(channel);
	char node[] = "127.0.0.1", service[] = "7471";

	(void)side;
	CHECK_FAILS(rdma_query_addrinfo(id, &info), ENODATA);
	CHECK_CALL(rdma_resolve_addrinfo(id, node, service, &by_name));
	/* They need not stay as they were. */
	memset(node, '?', sizeof(node) - 1);
	memset(service, '?', sizeof(service) - 1);
	expect(channel, RESOLVED, 0);
	check_found(id);

	CHECK_CALL(rdma_resolve_addrinfo(id, "127.0.0.1", "7471", NULL));
	expect(channel, RESOLVED, 0);
	CHECK_CALL(rdma_query_addrinfo(id, &info));
	CHECK_CALL(rdma_resolve_addr(id, NULL, info->ai_dst_addr, 1));
	cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	rdma_freeaddrinfo(info);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(found)

/* One that fails leaves nothing of the one before. */
static void not_found_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = cn_id(channel);
	struct rdma_addrinfo *info;

	(void)side;
	CHECK_CALL(rdma_resolve_addrinfo(id, "127.0.0.1", "7471", &by_name));
	expect(channel, RESOLVED, 0);
	CHECK_CALL(rdma_resolve_addrinfo(id, "no address", "7471", &by_name));
	expect(channel, ERROR, -ENOENT);
	CHECK_FAILS(rdma_query_addrinfo(id, &info), ENODATA);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(not_found)

static void refuse(struct rdma_cm_id *id, struct rdma_addrinfo hints, int error)
{
	CHECK_FAILS(rdma_resolve_addrinfo(id, "127.0.0.1", "7471", &hints), error);
}

/* What is refused brings no event. */
static void refused_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = cn_id(channel);

	(void)side;
	refuse(id, (struct rdma_addrinfo){ .ai_flags = FLAG_SA }, EOPNOTSUPP);
	refuse(id, (struct rdma_addrinfo){ .ai_flags = FLAG_SA | FLAG_DNS }, EINVAL);
	refuse(id, (struct rdma_addrinfo){ .ai_flags = 0x4000 }, EINVAL);
	refuse(id,
	       (struct rdma_addrinfo){ .ai_qp_type = IBV_QPT_UD,
	                               .ai_port_space = RDMA_PS_TCP },
	       EINVAL);
	refuse(id,
	       (struct rdma_addrinfo){ .ai_dst_len =
	                                       sizeof(struct sockaddr_storage) + 1 },
	       EAFNOSUPPORT);
	CHECK_FAILS(rdma_resolve_addrinfo(id, NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_resolve_addrinfo(NULL, "::1", NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_query_addrinfo(id, NULL), EINVAL);
	CHECK_FAILS(rdma_query_addrinfo(NULL, NULL), EINVAL);
	cn_expect_none(channel);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(refused)

/* The call itself says what became of it. */
static void synchronous_body(struct side *side)
{
	struct rdma_cm_id *id = cn_sync_id();

	(void)side;
	CHECK_CALL(rdma_resolve_addrinfo(id, "127.0.0.1", "7471", &by_name));
	check_found(id);
	CHECK_FAILS(rdma_resolve_addrinfo(id, "no address", "7471", &by_name), ENOENT);
	cn_destroy(id);
}
ALONE(synchronous)

/* Ids that go while their lookup is under way, and others that take their place; each id
 * hears of its own, once. */
static void abandoned_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();

	(void)side;
	for (int i = 0; i < 50; i++) {
		struct rdma_cm_id *gone = cn_id(channel), *id;

		CHECK_CALL(rdma_resolve_addrinfo(gone, "no address", "1", &by_name));
		cn_destroy(gone);
		id = cn_id(channel);
		CHECK_CALL(rdma_resolve_addrinfo(id, "127.0.0.1", "7471", &by_name));
		expect(channel, RESOLVED, 0);
		check_found(id);
		cn_destroy(id);
	}
	cn_expect_none(channel);
	rdma_destroy_event_channel(channel);
}
ALONE(abandoned)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),     cmocka_unit_test(not_found),
		cmocka_unit_test(refused),   cmocka_unit_test(synchronous),
		cmocka_unit_test(abandoned),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
