/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory registered with a domain. */
#include "session/fabric_endpoint.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "session/objects.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define DRAWS 8 /* keys that may be taken before it is somebody's fault */

/*
 * Providers that copy do not look whether memory can be written, and would find out by a
 * fault of ours. A kernel before 5.14 knows neither question.
 */
static bool is_writable(void *address, size_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)address & ~(page - 1);
	size_t size = ((uintptr_t)address + length - from + page - 1) & ~(page - 1);

	if (!madvise((void *)from, size, MADV_POPULATE_WRITE))
		return true;
	return madvise((void *)from, size, MADV_POPULATE_READ) != 0;
}

static uint64_t draw_key(const struct fi_info *info)
{
	size_t size = info->domain_attr->mr_key_size;
	uint64_t key = 0;

	if (RAND_bytes((uint8_t *)&key, sizeof(key)) != 1)
		return 0;
	return size < sizeof(key) ? key & ((1ull << 8 * size) - 1) : key;
}

static uint64_t access_of(unsigned rights)
{
	uint64_t access = FI_SEND | FI_WRITE;

	if (rights & REGION_LOCAL_WRITE)
		access |= FI_RECV | FI_READ;
	if (rights & REGION_REMOTE_READ)
		access |= FI_REMOTE_READ;
	if (rights & REGION_REMOTE_WRITE)
		access |= FI_REMOTE_WRITE;
	return access;
}

/* Without RMA a domain knows of no remote rights, and of no one-sided operations. */
static uint64_t possible(const struct fabric_domain *domain)
{
	return domain->info->caps & FI_RMA ? ~0ull : FI_SEND | FI_RECV;
}

static int reg_with_key(struct fabric_domain *domain, void *address, size_t length,
                        uint64_t access, struct fid_mr **out)
{
	int code = -FI_ENOKEY;

	for (int i = 0; i < DRAWS && code == -FI_ENOKEY; i++) {
		uint64_t key = draw_key(domain->info);

		if (!key)
			return EIO;
		code = fi_mr_reg(domain->fid, address, length, access, 0, key, 0, out,
		                 NULL);
	}
	return -code;
}

int fabric_reg(struct fabric_domain *domain, void *address, size_t length,
               unsigned rights, struct region *out)
{
	bool by_address = domain->info->domain_attr->mr_mode & FI_MR_VIRT_ADDR;
	struct fid_mr *mr = NULL;
	int error;

	if (rights & (REGION_LOCAL_WRITE | REGION_REMOTE_WRITE) &&
	    !is_writable(address, length))
		return EACCES;
	error = reg_with_key(domain, address, length,
	                     access_of(rights) & possible(domain), &mr);
	if (error)
		return error;
	object_made(OBJECT_MR);
	*out = (struct region){
		.handle = mr,
		.descriptor = fi_mr_desc(mr),
		.key = fi_mr_key(mr),
		.address = by_address ? (uintptr_t)address : 0,
	};
	return 0;
}

void fabric_dereg(struct region *region)
{
	struct fid_mr *mr = region->handle;

	if (!mr)
		return;
	if (fi_close(&mr->fid))
		log_error("libfabric cannot give a memory region back");
	else
		object_gone(OBJECT_MR);
	region->handle = NULL;
}

/*
 * Receive buffers
 */

static struct fabric_endpoint *owner_of(struct pool *pool)
{
	return container_of(pool, struct fabric_endpoint, pool);
}

static int pool_reg(struct pool *pool, void *address, size_t length, struct region *out)
{
	return fabric_reg(&owner_of(pool)->domain, address, length, REGION_LOCAL_WRITE,
	                  out);
}

static int pool_post_one(struct pool *pool, struct srdma_message *message)
{
	return fabric_post(owner_of(pool), message);
}

void fabric_pool_init(struct fabric_endpoint *endpoint, size_t message)
{
	static const struct pool_ops ops = { pool_reg, fabric_dereg, pool_post_one };

	endpoint->pool = (struct pool){ .ops = &ops,
		                        .headroom = FABRIC_HEAD,
		                        .stride = message + FABRIC_HEAD };
}
