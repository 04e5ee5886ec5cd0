/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/device.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/log.h"
#include "mockrdma.h"
#include "session/error.h"
#include "session/objects.h"
#include "session/transport.h"

static void *made(void *object, enum object_kind kind)
{
	if (object)
		object_made(kind);
	return object;
}

/* Verbs return an errno value, librdmacm -1 and errno. */
static void destroyed(int result, enum object_kind kind, const char *what)
{
	if (!result)
		object_gone(kind);
	else
		log_error("cannot give a %s back: %s", what,
		          errno_text(result < 0 ? errno : result));
}

struct ibv_context *device_open(struct ibv_device *device)
{
	return made(ibv_open_device(device), OBJECT_CONTEXT);
}

void device_close(struct ibv_context *verbs)
{
	if (verbs)
		destroyed(ibv_close_device(verbs), OBJECT_CONTEXT, "device context");
}

struct ibv_pd *device_alloc_pd(struct ibv_context *verbs)
{
	return made(ibv_alloc_pd(verbs), OBJECT_PD);
}

void device_dealloc_pd(struct ibv_pd *pd)
{
	if (pd)
		destroyed(ibv_dealloc_pd(pd), OBJECT_PD, "protection domain");
}

struct ibv_mr *device_reg_mr(struct ibv_pd *pd, void *address, size_t length,
                             unsigned access)
{
	return made(ibv_reg_mr(pd, address, length, (int)access), OBJECT_MR);
}

struct ibv_mr *device_reg_mr_at(struct ibv_pd *pd, void *address, size_t length,
                                uint64_t iova, unsigned access)
{
	return made(ibv_reg_mr_iova(pd, address, length, iova, (int)access), OBJECT_MR);
}

void device_dereg_mr(struct ibv_mr *mr)
{
	if (mr)
		destroyed(ibv_dereg_mr(mr), OBJECT_MR, "memory region");
}

struct ibv_mw *device_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type)
{
	return made(ibv_alloc_mw(pd, type), OBJECT_MW);
}

void device_dealloc_mw(struct ibv_mw *mw)
{
	if (mw)
		destroyed(ibv_dealloc_mw(mw), OBJECT_MW, "memory window");
}

struct ibv_cq *device_create_cq(struct ibv_context *verbs, int size,
                                struct ibv_comp_channel *channel)
{
	return made(ibv_create_cq(verbs, size, NULL, channel, 0), OBJECT_CQ);
}

void device_destroy_cq(struct ibv_cq *cq)
{
	if (cq)
		destroyed(ibv_destroy_cq(cq), OBJECT_CQ, "completion queue");
}

struct ibv_srq *device_create_srq(struct ibv_pd *pd, uint32_t size)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = size, .max_sge = 1 } };

	return made(ibv_create_srq(pd, &init), OBJECT_SRQ);
}

void device_destroy_srq(struct ibv_srq *srq)
{
	if (srq)
		destroyed(ibv_destroy_srq(srq), OBJECT_SRQ, "shared receive queue");
}

struct ibv_qp *device_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *init)
{
	return made(ibv_create_qp(pd, init), OBJECT_QP);
}

void device_destroy_qp(struct ibv_qp *qp)
{
	if (qp)
		destroyed(ibv_destroy_qp(qp), OBJECT_QP, "queue pair");
}

struct rdma_cm_id *device_create_id(struct rdma_event_channel *channel, void *context)
{
	struct rdma_cm_id *id = NULL;

	if (rdma_create_id(channel, &id, context, RDMA_PS_TCP))
		return NULL;
	return made(id, OBJECT_CM_ID);
}

void device_adopt_id(struct rdma_cm_id *id)
{
	made(id, OBJECT_CM_ID);
}

void device_destroy_id(struct rdma_cm_id *id)
{
	if (id)
		destroyed(rdma_destroy_id(id), OBJECT_CM_ID, "connection manager's id");
}

/*
 * What only mockrdma has
 */

_Static_assert(sizeof(struct packet_key) == sizeof(struct mockrdma_packet_key) &&
                       sizeof(struct packet_keys) == sizeof(struct mockrdma_protection),
               "the device's keys are those of the session");

/* It takes the place of the system's library, or is linked: nobody names it here. */
static mockrdma_qp_protect_function *protector(void)
{
	mockrdma_qp_protect_function *function;
	void *symbol = dlsym(RTLD_DEFAULT, "mockrdma_qp_protect");

	memcpy(&function, &symbol, sizeof(function));
	return function;
}

bool device_can_protect(void)
{
	return protector();
}

int device_protect(struct ibv_qp *qp, const struct packet_keys *keys)
{
	mockrdma_qp_protect_function *protect = protector();
	struct mockrdma_protection copy;
	int error;

	if (!protect)
		return EOPNOTSUPP;
	memcpy(&copy, keys, sizeof(copy));
	error = protect(qp, &copy);
	OPENSSL_cleanse(&copy, sizeof(copy));
	return error;
}
