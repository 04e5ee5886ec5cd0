// SPDX-License-Identifier: BSD-2-Clause
/*
 * NULL where an object, attributes or room for an answer are wanted: no exported function
 * crashes, and each says EINVAL in the way of its manual page.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#include "api/private_verbs.h"
#include "lib/check.h"
#include "lib/cm.h"
#include "lib/rcop.h"

enum state { DONE, NOTHING, SYSTEM };

#define REFUSES(error, what) DONE
#define TABLE(...)
#define NEWER(...)
#define BEHIND(...)
#define INLINE(...)
#define EXPORT(library, function, since, state_, text) { #function, state_ },
static const struct export
{
	const char *name;
	enum state state;
}
exports[] = {
#include "api/verbs_list.def"
};

/*
 * More zeros than any function takes. Whoever comes back ends in a way in which no
 * checker of memory has a say: what the call made, nobody has.
 */
static void call_with_zeros(const char *name)
{
	typedef long any(long, long, long, long, long, long, long, long);
	any *function = (any *)dlsym(RTLD_DEFAULT, name);
	int status;
	pid_t pid;

	assert_non_null(function);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		function(0, 0, 0, 0, 0, 0, 0, 0);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s(0, 0, …) ends its process: status %#x", name, status);
}

static void each_function(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
		if (exports[i].state != SYSTEM)
			call_with_zeros(exports[i].name);
}

/* What a zero is that is no pointer makes no difference here. */
static void verbs_body(struct side *side)
{
	struct ibv_port_attr port;
	union ibv_gid gid;
	__be16 pkey;
	int type;

	(void)side;
	CHECK_FAILS(ibv_get_device_index(NULL), EINVAL);
	CHECK_FAILS(ibv_get_device_guid(NULL), EINVAL);
	CHECK_EQ(ibv_query_device(NULL, NULL), EINVAL);
	CHECK_EQ((ibv_query_port)(NULL, RC_PORT, (void *)&port), EINVAL);
	CHECK_FAILS(ibv_query_gid(NULL, RC_PORT, 0, &gid), EINVAL);
	CHECK_FAILS(ibv_query_pkey(NULL, RC_PORT, 0, &pkey), EINVAL);
	CHECK_FAILS(ibv_get_pkey_index(NULL, RC_PORT, 0xffff), EINVAL);
	CHECK_FAILS(ibv_query_gid_type(NULL, RC_PORT, 0, &type), EINVAL);
	CHECK_FAILS(ibv_read_sysfs_file(NULL, NULL, NULL, 0), EINVAL);
}
ALONE(verbs)

static void verbs_of_a_context_body(struct side *side)
{
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ((ibv_query_port)(end.context, RC_PORT, NULL), EINVAL);
	CHECK_FAILS(ibv_query_gid_type(end.context, RC_PORT, 0, NULL), EINVAL);
	CHECK_EQ(ibv_query_gid_table(end.context, NULL, 1, 0), -EINVAL);
	CHECK_FAILS(ibv_open_xrcd(end.context, NULL), EINVAL);
	CHECK_FAILS(ibv_open_qp(end.context, NULL), EINVAL);
	CHECK_EQ(ibv_advise_mr(end.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, 0, NULL, 1),
	         EINVAL);
	CHECK_FAILS(ibv_reg_mr(end.pd, NULL, 4096, 0), EFAULT);
	rc_close(&end);
}
ALONE(verbs_of_a_context)

static void identifiers_body(struct side *side)
{
	struct ibv_qp_attr attr;
	struct rdma_addrinfo *info;
	int mask;

	(void)side;
	rdma_destroy_event_channel(NULL);
	CHECK_FAILS(rdma_create_id(NULL, NULL, NULL, RDMA_PS_TCP), EINVAL);
	CHECK_FAILS(rdma_destroy_id(NULL), EINVAL);
	CHECK_FAILS(rdma_bind_addr(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_resolve_addr(NULL, NULL, NULL, 1), EINVAL);
	CHECK_FAILS(rdma_resolve_route(NULL, 1), EINVAL);
	CHECK_FAILS(rdma_listen(NULL, 1), EINVAL);
	CHECK_FAILS(rdma_connect(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_accept(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_reject(NULL, NULL, 0), EINVAL);
	CHECK_FAILS(rdma_reject_ece(NULL, NULL, 0), EINVAL);
	CHECK_FAILS(rdma_establish(NULL), EINVAL);
	CHECK_FAILS(rdma_disconnect(NULL), EINVAL);
	CHECK_FAILS(rdma_notify(NULL, IBV_EVENT_COMM_EST), EINVAL);
	CHECK_FAILS(rdma_migrate_id(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_set_option(NULL, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, NULL, 0),
	            EINVAL);
	CHECK_FAILS(rdma_create_qp(NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_create_qp_ex(NULL, NULL), EINVAL);
	rdma_destroy_qp(NULL);
	CHECK_FAILS(rdma_init_qp_attr(NULL, &attr, &mask), EINVAL);
	CHECK_FAILS(rdma_create_srq(NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_create_srq_ex(NULL, NULL), EINVAL);
	rdma_destroy_srq(NULL);
	CHECK_FAILS(rdma_create_ep(NULL, NULL, NULL, NULL), EINVAL);
	rdma_destroy_ep(NULL);
	CHECK_FAILS(rdma_get_request(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast(NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast_ex(NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_leave_multicast(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_set_local_ece(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_get_remote_ece(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_get_cm_event(NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_ack_cm_event(NULL), EINVAL);
	CHECK_FAILS(rdma_getaddrinfo(NULL, NULL, NULL, &info), EINVAL);
	CHECK_FAILS(rdma_getaddrinfo("127.0.0.1", NULL, NULL, NULL), EINVAL);
	CHECK_EQ(rdma_get_src_port(NULL), 0);
	CHECK_EQ(rdma_get_dst_port(NULL), 0);
	rdma_freeaddrinfo(NULL);
	rdma_free_devices(NULL);
}
ALONE(identifiers)

static void calls_on(struct rdma_cm_id *id)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT };
	struct ibv_ece ece;

	CHECK_FAILS(rdma_bind_addr(id, NULL), EINVAL);
	CHECK_FAILS(rdma_resolve_addr(id, NULL, NULL, 1), EINVAL);
	CHECK_FAILS(rdma_connect(id, NULL), EINVAL);
	CHECK_FAILS(rdma_accept(id, NULL), EINVAL);
	CHECK_FAILS(rdma_reject(id, NULL, 8), EINVAL);
	CHECK_FAILS(rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, NULL, 1),
	            EINVAL);
	CHECK_FAILS(rdma_create_qp(id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_create_qp_ex(id, NULL), EINVAL);
	CHECK_FAILS(rdma_init_qp_attr(id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_init_qp_attr(id, &attr, NULL), EINVAL);
	CHECK_FAILS(rdma_create_srq(id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_create_srq_ex(id, NULL), EINVAL);
	CHECK_FAILS(rdma_get_request(id, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast(id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast_ex(id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_leave_multicast(id, NULL), EINVAL);
	CHECK_FAILS(rdma_set_local_ece(id, NULL), EINVAL);
	CHECK_FAILS(rdma_get_remote_ece(id, NULL), EINVAL);
	CHECK_CALL(rdma_get_remote_ece(id, &ece));
	CHECK_FAILS(rdma_get_cm_event(id->channel, NULL), EINVAL);
}

/* What is refused changed nothing: the ids are as good as new. */
static void calls_of_an_identifier_body(struct side *side)
{
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct sockaddr_storage addr = cm_address("127.0.0.1", 0);
	struct rdma_cm_id *asynchronous, *synchronous;

	(void)side;
	CHECK_CALL(rdma_create_id(channel, &asynchronous, NULL, RDMA_PS_TCP));
	CHECK_CALL(rdma_create_id(NULL, &synchronous, NULL, RDMA_PS_TCP));
	calls_on(asynchronous);
	calls_on(synchronous);
	CHECK_CALL(rdma_bind_addr(asynchronous, (struct sockaddr *)&addr));
	CHECK_CALL(rdma_bind_addr(synchronous, (struct sockaddr *)&addr));
	calls_on(asynchronous);
	calls_on(synchronous);
	CHECK_CALL(rdma_listen(asynchronous, 1));
	CHECK_CALL(rdma_destroy_id(synchronous));
	CHECK_CALL(rdma_destroy_id(asynchronous));
	rdma_destroy_event_channel(channel);
}
ALONE(calls_of_an_identifier)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_function),          cmocka_unit_test(verbs),
		cmocka_unit_test(verbs_of_a_context),     cmocka_unit_test(identifiers),
		cmocka_unit_test(calls_of_an_identifier),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
