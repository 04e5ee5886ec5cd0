// SPDX-License-Identifier: BSD-2-Clause
/*
 * ibv_import_*: two parts of a process, of which one has nothing but the descriptor and
 * the handles that the other gave it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

/* What the second part imports of the first one's end. */
struct imported {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
};

static struct ibv_context *import_device(const struct ibv_context *context)
{
	return CHECK_OBJECT(ibv_import_device((int)CHECK_CALL(dup(context->cmd_fd))));
}

static void import_all(struct imported *to, const struct rc_end *from)
{
	to->context = import_device(from->context);
	to->pd = CHECK_OBJECT(ibv_import_pd(to->context, from->pd->handle));
	to->mr = CHECK_OBJECT(ibv_import_mr(to->pd, from->mr->handle));
	CHECK(to->mr->context == to->context && to->mr->pd == to->pd);
	CHECK_EQ(to->mr->lkey, from->mr->lkey);
	CHECK_EQ(to->mr->rkey, from->mr->rkey);
	CHECK_EQ(to->mr->handle, from->mr->handle);
	CHECK_EQ(to->mr->length, from->mr->length);
	CHECK(!to->mr->addr);
}

static void write_one(struct rc_end *end, struct ibv_sge *from,
                      enum ibv_wc_status expected)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                            .id = 1,
	                            .flags = IBV_SEND_SIGNALED,
	                            .sges = from,
	                            .sge_count = 1 });
	rc_expect(end->send_cq, 1, expected);
}

/* Connects both; what a peer writes goes to the region of target. */
static void connect_ends(struct rc_end *a, struct rc_end *b, const struct rc_end *target)
{
	b->self.rkey = target->mr->rkey;
	b->self.buffer = (uintptr_t)target->buffer;
	rc_connect(a, &b->self);
	rc_connect(b, &a->self);
}

/* Queue pairs of the import's domain send from, and are written to in, the memory of the
 * original's. */
static void memory_through_an_import_body(struct side *side)
{
	struct rc_end owner, first, second;
	struct imported import;

	(void)side;
	rc_open(&owner, &rc_default);
	import_all(&import, &owner);
	rc_open_in(&first, &rc_default, import.context, import.pd);
	rc_open_in(&second, &rc_default, import.context, import.pd);
	CHECK(first.qp->context == import.context && first.qp->pd == import.pd);
	connect_ends(&first, &second, &owner);
	rc_fill(owner.buffer + 4096, 4096, 1);
	write_one(&first,
	          &(struct ibv_sge){ (uintptr_t)owner.buffer + 4096, 4096,
	                             import.mr->lkey },
	          IBV_WC_SUCCESS);
	rc_expect_filled(owner.buffer, 4096, 1);
	ibv_unimport_mr(import.mr); /* which ends nothing */
	write_one(
	        &first,
	        &(struct ibv_sge){ (uintptr_t)owner.buffer + 4096, 4096, owner.mr->lkey },
	        IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dealloc_pd(owner.pd), EBUSY);
	CHECK_EQ(ibv_dealloc_pd(import.pd), EBUSY);
	rc_close_in(&first);
	rc_close_in(&second);
	ibv_unimport_pd(import.pd);
	CHECK_EQ(ibv_close_device(import.context), 0);
	rc_close(&owner);
}
ALONE(memory_through_an_import)

/* ibv_dereg_mr() and ibv_dealloc_pd() of an import end what it stands for; the first part
 * has then nothing to do but to unimport. */
static void an_import_that_ends_the_object_body(struct side *side)
{
	struct rc_end owner, first, second;
	struct imported import;

	(void)side;
	rc_open(&owner, &rc_default);
	import_all(&import, &owner);
	rc_open_in(&first, &rc_default, import.context, import.pd);
	rc_open_in(&second, &rc_default, import.context, import.pd);
	connect_ends(&first, &second, &owner);
	CHECK_EQ(ibv_dereg_mr(import.mr), 0);
	write_one(&first, &(struct ibv_sge){ (uintptr_t)first.buffer, 8, first.mr->lkey },
	          IBV_WC_REM_ACCESS_ERR);
	CHECK_FAILS(ibv_import_mr(import.pd, owner.mr->handle), ENOENT);
	ibv_unimport_mr(owner.mr);
	owner.mr = NULL;
	rc_close_in(&first);
	rc_close_in(&second);
	rc_close_in(&owner);
	CHECK_EQ(ibv_dealloc_pd(import.pd), 0);
	CHECK_FAILS(ibv_import_pd(import.context, owner.pd->handle), ENOENT);
	ibv_unimport_pd(owner.pd);
	CHECK_EQ(ibv_close_device(import.context), 0);
	CHECK_EQ(ibv_close_device(owner.context), 0);
}
ALONE(an_import_that_ends_the_object)

/* An import may go before what was made with it. */
static void unimported_in_use_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct imported import;
	struct ibv_srq *srq;
	struct rc_end owner, end;

	(void)side;
	rc_open(&owner, &rc_default);
	import_all(&import, &owner);
	rc_open_in(&end, &rc_default, import.context, import.pd);
	srq = CHECK_OBJECT(ibv_create_srq(import.pd, &init));
	CHECK(srq->context == import.context && srq->pd == import.pd);
	ibv_unimport_pd(import.pd);
	ibv_unimport_mr(import.mr);
	CHECK_EQ(ibv_dealloc_pd(owner.pd), EBUSY);
	CHECK_EQ(ibv_destroy_srq(srq), 0);
	rc_close_in(&end);
	CHECK_EQ(ibv_close_device(import.context), 0);
	rc_close(&owner);
}
ALONE(unimported_in_use)

static void device_memory_body(struct side *side)
{
	struct ibv_alloc_dm_attr attr = { .length = 4096 };
	struct ibv_context *context = rc_open_device();
	struct ibv_dm *dm = CHECK_OBJECT(ibv_alloc_dm(context, &attr)), *import;
	struct ibv_context *other = import_device(context);
	uint64_t put = 0x1122334455667788, got = 0;

	(void)side;
	import = CHECK_OBJECT(ibv_import_dm(other, dm->handle));
	CHECK(import->context == other);
	CHECK_EQ(ibv_memcpy_to_dm(import, 64, &put, sizeof(put)), 0);
	CHECK_EQ(ibv_memcpy_from_dm(&got, dm, 64, sizeof(got)), 0);
	CHECK_EQ(got, put);
	ibv_unimport_dm(import);
	CHECK_EQ(ibv_memcpy_from_dm(&got, dm, 64, sizeof(got)), 0);
	import = CHECK_OBJECT(ibv_import_dm(other, dm->handle));
	CHECK_EQ(ibv_free_dm(import), 0);
	CHECK_EQ(ibv_memcpy_from_dm(&got, dm, 64, sizeof(got)), EINVAL);
	CHECK_FAILS(ibv_import_dm(other, dm->handle), ENOENT);
	ibv_unimport_dm(dm);
	CHECK_EQ(ibv_close_device(other), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(device_memory)

/* Handles are of one opening; regions that were imported are registered as they are. */
static void wrong_handles_body(struct side *side)
{
	struct ibv_context *stranger = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(stranger));
	struct imported import;
	struct rc_end owner;

	(void)side;
	rc_open(&owner, &rc_default);
	import_all(&import, &owner);
	CHECK_FAILS(ibv_import_pd(stranger, owner.pd->handle), ENOENT);
	CHECK_FAILS(ibv_import_mr(pd, owner.mr->handle), ENOENT);
	CHECK_FAILS(ibv_import_pd(import.context, pd->handle), ENOENT);
	CHECK_FAILS(ibv_import_pd(import.context, 0), ENOENT);
	CHECK_FAILS(ibv_import_pd(import.context, UINT32_MAX), ENOENT);
	CHECK_FAILS(ibv_import_mr(import.pd, UINT32_MAX), ENOENT);
	CHECK_FAILS(ibv_import_dm(import.context, 1), ENOENT);
	CHECK_EQ(ibv_rereg_mr(import.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
	                      IBV_ACCESS_LOCAL_WRITE),
	         IBV_REREG_MR_ERR_INPUT);
	ibv_unimport_pd(owner.pd); /* not gone elsewhere: nothing */
	ibv_unimport_mr(owner.mr);
	ibv_unimport_mr(import.mr);
	ibv_unimport_pd(import.pd);
	CHECK_EQ(ibv_close_device(import.context), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(stranger), 0);
	rc_close(&owner);
}
ALONE(wrong_handles)

/* By SCM_RIGHTS, as the manual page has it. */
static void pass(struct side *side, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
		                  .cmsg_level = SOL_SOCKET,
		                  .cmsg_type = SCM_RIGHTS } };
	char byte = 0;
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one,
		                  .msg_iovlen = 1,
		                  .msg_control = &control,
		                  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(side->socket, &message, 0), 1);
}

static int take(struct side *side)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control;
	char byte;
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one,
		                  .msg_iovlen = 1,
		                  .msg_control = &control,
		                  .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(side->socket, &message, MSG_CMSG_CLOEXEC), 1);
	CHECK(message.msg_controllen >= CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static void give_device(struct side *side)
{
	struct ibv_context *context = rc_open_device();

	pass(side, context->cmd_fd);
	side_meet(side);
	CHECK_EQ(ibv_close_device(context), 0);
}

static void get_device(struct side *side)
{
	int fd = take(side);

	CHECK_FAILS(ibv_import_device(fd), EOPNOTSUPP);
	CHECK_CALL(close(fd)); /* it is still the caller's */
	side_meet(side);
}

static void device_of_another_process(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, give_device, get_device, NULL);
}

static void wrong_descriptors_body(struct side *side)
{
	int null = (int)CHECK_CALL(open("/dev/null", O_RDWR | O_CLOEXEC));
	struct ibv_context *context;

	(void)side;
	CHECK_FAILS(ibv_import_device(-1), EBADF);
	CHECK_FAILS(ibv_import_device(null), EINVAL);
	CHECK_FAILS(ibv_import_device(STDOUT_FILENO), EINVAL);
	close(null);
	context = rc_open_device();
	CHECK_FAILS(ibv_import_device(context->async_fd), EINVAL);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(wrong_descriptors)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_through_an_import),
		cmocka_unit_test(an_import_that_ends_the_object),
		cmocka_unit_test(unimported_in_use),
		cmocka_unit_test(device_memory),
		cmocka_unit_test(wrong_handles),
		cmocka_unit_test(wrong_descriptors),
		cmocka_unit_test(device_of_another_process),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
