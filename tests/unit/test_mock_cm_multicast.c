// SPDX-License-Identifier: BSD-2-Clause
/* Ids in multicast groups. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <infiniband/ib.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

#define GROUP       "239.1.2.3"
#define OTHER_GROUP "239.1.2.4"

enum { GRH = 40, ROOM = 64, GROUP_QPN = 0xffffff };

static struct rdma_event_channel *channel;

/* One id in groups, with a receive that is waited for. */
struct member {
	struct rdma_cm_id *id;
	struct ibv_ah *ah; /* to the group that was joined last */
	struct ibv_mr *mr;
	uint8_t room[ROOM];
};

static struct rdma_cm_id *bound_id(void)
{
	struct rdma_cm_id *id;

	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_UDP));
	CHECK_CALL(rdma_bind_addr(id, cn_address("127.0.0.1", 0)));
	return id;
}

static void open_member(struct member *member)
{
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 },
		                         .qp_type = IBV_QPT_UD,
		                         .sq_sig_all = 1 };

	*member = (struct member){ .id = bound_id() };
	CHECK_CALL(rdma_create_qp(member->id, NULL, &attr));
	member->mr = CHECK_OBJECT(rdma_reg_msgs(member->id, member->room, ROOM));
	CHECK_CALL(rdma_post_recv(member->id, NULL, member->room, ROOM, member->mr));
}

static void close_member(struct member *member)
{
	if (member->ah)
		CHECK_EQ(ibv_destroy_ah(member->ah), 0);
	CHECK_CALL(rdma_dereg_mr(member->mr));
	cn_destroy(member->id);
}

static int join(struct member *member, const char *group, uint32_t flag)
{
	struct rdma_cm_join_mc_attr_ex attr = {
		.comp_mask =
		        RDMA_CM_JOIN_MC_ATTR_ADDRESS | RDMA_CM_JOIN_MC_ATTR_JOIN_FLAGS,
		.join_flags = flag,
		.addr = cn_address(group, 0),
	};

	return rdma_join_multicast_ex(member->id, &attr, member);
}

static void expect_joined(struct member *member, const char *group)
{
	struct sockaddr_in *address = (struct sockaddr_in *)cn_address(group, 0);
	uint8_t mgid[16] = { [10] = 0xff, [11] = 0xff };
	struct rdma_cm_event *event = cn_next(channel);
	const struct rdma_ud_param *param = &event->param.ud;

	memcpy(mgid + 12, &address->sin_addr, 4);
	CHECK_EQ(event->event, RDMA_CM_EVENT_MULTICAST_JOIN);
	CHECK_EQ(event->status, 0);
	CHECK(event->id == member->id);
	CHECK(param->private_data == member);
	CHECK_EQ(param->qp_num, GROUP_QPN);
	CHECK_EQ(param->qkey, RDMA_UDP_QKEY);
	CHECK(param->ah_attr.is_global);
	CHECK_BYTES(param->ah_attr.grh.dgid.raw, mgid, sizeof(mgid));
	if (member->ah)
		CHECK_EQ(ibv_destroy_ah(member->ah), 0);
	member->ah =
	        CHECK_OBJECT(ibv_create_ah(member->id->pd, &event->param.ud.ah_attr));
	CHECK_CALL(rdma_ack_cm_event(event));
}

static void join_fully(struct member *member, const char *group)
{
	CHECK_CALL(join(member, group, RDMA_MC_JOIN_FLAG_FULLMEMBER));
	expect_joined(member, group);
}

static void send_to_group(struct member *member, uint8_t value)
{
	struct ibv_mr *mr = CHECK_OBJECT(rdma_reg_msgs(member->id, &value, 1));
	struct ibv_wc wc;

	CHECK_CALL(rdma_post_ud_send(member->id, NULL, &value, 1, mr, 0, member->ah,
	                             GROUP_QPN));
	CHECK_EQ(rdma_get_send_comp(member->id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_CALL(rdma_dereg_mr(mr));
}

static void take_value(struct member *member, uint8_t value)
{
	struct ibv_wc wc;

	CHECK_EQ(rdma_get_recv_comp(member->id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_EQ(member->room[GRH], value);
	CHECK_CALL(rdma_post_recv(member->id, NULL, member->room, ROOM, member->mr));
}

/* Sending is delivering inside a host, so what has not come will not. */
static void expect_nothing(struct member *member)
{
	struct ibv_wc wc;

	CHECK_EQ(ibv_poll_cq(member->id->recv_cq, 1, &wc), 0);
}

static void members_body(struct side *side)
{
	struct member one, two, sender;

	(void)side;
	channel = cn_channel();
	open_member(&one);
	open_member(&two);
	open_member(&sender);
	join_fully(&one, GROUP);
	join_fully(&two, GROUP);
	CHECK_CALL(join(&sender, GROUP, RDMA_MC_JOIN_FLAG_SENDONLY_FULLMEMBER));
	expect_joined(&sender, GROUP);
	send_to_group(&sender, 11);
	take_value(&one, 11);
	take_value(&two, 11);
	expect_nothing(&sender);
	/* A member hears itself. */
	send_to_group(&one, 12);
	take_value(&one, 12);
	take_value(&two, 12);
	/* Two groups at once, and leaving one of them. */
	join_fully(&two, OTHER_GROUP);
	send_to_group(&two, 13);
	take_value(&two, 13);
	expect_nothing(&one);
	CHECK_CALL(rdma_leave_multicast(two.id, cn_address(GROUP, 0)));
	CHECK_FAILS(rdma_leave_multicast(two.id, cn_address(GROUP, 0)), EADDRNOTAVAIL);
	send_to_group(&one, 14);
	take_value(&one, 14);
	expect_nothing(&two);
	send_to_group(&two, 15);
	take_value(&two, 15);
	/* A queue pair that goes is in no group any more, an id that goes neither. */
	close_member(&two);
	close_member(&sender);
	send_to_group(&one, 16);
	take_value(&one, 16);
	close_member(&one);
	cn_expect_none(channel);
	rdma_destroy_event_channel(channel);
}
ALONE(members)

/* Without a queue pair on the id, attaching is the program's own affair. */
static void own_queue_pair_body(struct side *side)
{
	struct member plain = { 0 }, listener;
	union ibv_gid mgid;

	(void)side;
	channel = cn_channel();
	open_member(&listener);
	plain.id = bound_id();
	join_fully(&plain, GROUP);
	memcpy(&mgid, &(uint8_t[16]){ [10] = 0xff, [11] = 0xff, 239, 1, 2, 3 }, 16);
	CHECK_EQ(ibv_attach_mcast(listener.id->qp, &mgid, 0), 0);
	CHECK_CALL(join(&listener, OTHER_GROUP, RDMA_MC_JOIN_FLAG_SENDONLY_FULLMEMBER));
	expect_joined(&listener, OTHER_GROUP);
	send_to_group(&listener, 21);
	expect_nothing(&listener);
	CHECK_EQ(ibv_detach_mcast(listener.id->qp, &mgid, 0), 0);
	CHECK_CALL(rdma_leave_multicast(plain.id, cn_address(GROUP, 0)));
	CHECK_EQ(ibv_destroy_ah(plain.ah), 0);
	cn_destroy(plain.id);
	close_member(&listener);
	rdma_destroy_event_channel(channel);
}
ALONE(own_queue_pair)

/* As mckey does: where the group is reached is what IP routing says. */
static void resolved_body(struct side *side)
{
	struct rdma_cm_id *id;

	(void)side;
	channel = cn_channel();
	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_UDP));
	CHECK_CALL(rdma_bind_addr(id, cn_address("127.0.0.1", 0)));
	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_address(GROUP, 0), 1));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0) == id);
	CHECK_CALL(rdma_join_multicast(id, cn_address(GROUP, 0), NULL));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_MULTICAST_JOIN, 0) == id);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(resolved)

static void refused_body(struct side *side)
{
	struct rdma_cm_join_mc_attr_ex attr = { .comp_mask = 4 };
	struct rdma_cm_id *id;
	struct member member;

	(void)side;
	channel = cn_channel();
	id = cn_id(channel);
	CHECK_CALL(rdma_bind_addr(id, cn_address("127.0.0.1", 0)));
	CHECK_FAILS(rdma_join_multicast(id, cn_address(GROUP, 0), NULL), EINVAL);
	cn_destroy(id);
	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_UDP));
	CHECK_FAILS(rdma_join_multicast(id, cn_address(GROUP, 0), NULL), EINVAL);
	CHECK_FAILS(rdma_leave_multicast(id, cn_address(GROUP, 0)), EADDRNOTAVAIL);
	cn_destroy(id);
	open_member(&member);
	CHECK_FAILS(rdma_join_multicast(member.id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_leave_multicast(member.id, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast_ex(member.id, NULL, NULL), EINVAL);
	CHECK_FAILS(rdma_join_multicast_ex(member.id, &attr, NULL), ENOTSUP);
	attr.comp_mask = RDMA_CM_JOIN_MC_ATTR_ADDRESS;
	attr.addr = cn_address(GROUP, 0);
	CHECK_FAILS(rdma_join_multicast_ex(member.id, &attr, NULL), EINVAL);
	CHECK_FAILS(join(&member, GROUP, RDMA_MC_JOIN_FLAG_RESERVED), EINVAL);
	/* Not a group: asked for, but never joined. */
	CHECK_CALL(rdma_join_multicast(member.id, cn_address("127.0.0.1", 0), NULL));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_MULTICAST_ERROR, -EINVAL) == member.id);
	close_member(&member);
	rdma_destroy_event_channel(channel);
}
ALONE(refused)

static _Atomic bool left;

static void *leave(void *argument)
{
	CHECK_CALL(rdma_leave_multicast(argument, cn_address(GROUP, 0)));
	atomic_store(&left, true);
	return NULL;
}

/* Leaving waits for those who look at the group's event, and takes back what nobody saw.
 */
static void leaving_waits_body(struct side *side)
{
	struct rdma_cm_event *event;
	struct member member;
	pthread_t thread;

	(void)side;
	channel = cn_channel();
	open_member(&member);
	CHECK_CALL(join(&member, GROUP, RDMA_MC_JOIN_FLAG_FULLMEMBER));
	event = cn_next(channel);
	CHECK_EQ(pthread_create(&thread, NULL, leave, member.id), 0);
	CHECK(!atomic_load(&left));
	CHECK_CALL(rdma_ack_cm_event(event));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(atomic_load(&left));
	CHECK_CALL(join(&member, GROUP, RDMA_MC_JOIN_FLAG_FULLMEMBER));
	CHECK_CALL(rdma_leave_multicast(member.id, cn_address(GROUP, 0)));
	cn_expect_none(channel);
	close_member(&member);
	rdma_destroy_event_channel(channel);
}
ALONE(leaving_waits)

/* Without a channel the calls are done when they return. */
static void synchronous_body(struct side *side)
{
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 },
		                         .qp_type = IBV_QPT_UD };
	struct rdma_cm_id *id;

	(void)side;
	CHECK_CALL(rdma_create_id(NULL, &id, NULL, RDMA_PS_UDP));
	CHECK_CALL(rdma_bind_addr(id, cn_address("127.0.0.1", 0)));
	CHECK_CALL(rdma_create_qp(id, NULL, &attr));
	CHECK_CALL(rdma_join_multicast(id, cn_address(GROUP, 0), &attr));
	CHECK_EQ(id->event->event, RDMA_CM_EVENT_MULTICAST_JOIN);
	CHECK(id->event->param.ud.private_data == &attr);
	CHECK_CALL(rdma_leave_multicast(id, cn_address(GROUP, 0)));
	CHECK_FAILS(rdma_join_multicast(id, cn_address("10.0.0.1", 0), NULL), EINVAL);
	cn_destroy(id);
}
ALONE(synchronous)

/* By its GID instead of an IP address (mckey -M): it is the same group. */
static void named_by_gid_body(struct side *side)
{
	struct sockaddr_ib group = { .sib_family = AF_IB };
	uint8_t mgid[16] = { [10] = 0xff, [11] = 0xff, 239, 1, 2, 3 };
	struct sockaddr *addr = (struct sockaddr *)&group;
	struct member by_gid, by_address;

	(void)side;
	channel = cn_channel();
	open_member(&by_gid);
	open_member(&by_address);
	memcpy(&group.sib_addr, mgid, sizeof(mgid));
	CHECK_CALL(rdma_join_multicast(by_gid.id, addr, &by_gid));
	expect_joined(&by_gid, GROUP);
	join_fully(&by_address, GROUP);
	send_to_group(&by_address, 21);
	take_value(&by_gid, 21);
	take_value(&by_address, 21);
	CHECK_CALL(rdma_leave_multicast(by_gid.id, addr));
	CHECK_FAILS(rdma_leave_multicast(by_gid.id, addr), EADDRNOTAVAIL);
	send_to_group(&by_address, 22);
	take_value(&by_address, 22);
	expect_nothing(&by_gid);
	/* Of no group. */
	memset(&group.sib_addr, 1, sizeof(group.sib_addr));
	CHECK_CALL(rdma_join_multicast(by_gid.id, addr, NULL));
	cn_expect(channel, RDMA_CM_EVENT_MULTICAST_ERROR, -EINVAL);
	close_member(&by_gid);
	close_member(&by_address);
	rdma_destroy_event_channel(channel);
}

ALONE(named_by_gid)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members),       cmocka_unit_test(own_queue_pair),
		cmocka_unit_test(resolved),      cmocka_unit_test(refused),
		cmocka_unit_test(leaving_waits), cmocka_unit_test(synchronous),
		cmocka_unit_test(named_by_gid),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
