/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { PAGES_AT_ONCE = 4096 };

static int is_mapped(uintptr_t from, uintptr_t to, size_t page)
{
	unsigned char resident[PAGES_AT_ONCE]; /* asked for, and not looked at */

	while (from < to) {
		size_t part = min_u64(to - from, PAGES_AT_ONCE * page);

		if (mincore((void *)from, part, resident) && errno == ENOMEM)
			return -EFAULT;
		from += part;
	}
	return 0;
}

static int populate(uintptr_t at, size_t page)
{
	return madvise((void *)at, page, MADV_POPULATE_WRITE) ? -errno : 0;
}

/*
 * EINVAL is what a kernel says that does not know the advice, and one that does of a
 * read-only mapping: a page of our stack tells the two apart.
 */
static int is_writable(uintptr_t at, size_t page)
{
	int err = populate(at, page);

	if (err == -EINVAL && populate((uintptr_t)&err / page * page, page))
		return 0;
	return err == -EINVAL || err == -EFAULT ? -EFAULT : 0;
}

int memory_check(const void *addr, size_t length, bool write)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)addr / page * page;
	uintptr_t to = round_up((uintptr_t)addr + length, page);
	int err;

	if (!length)
		return 0;
	err = is_mapped(from, to, page);
	if (!err && write)
		err = is_writable(from, page);
	if (!err && write)
		err = is_writable(to - page, page);
	return err;
}

/* For a kernel that does not know how, what is mapped is good enough. */
int memory_fetch(const void *addr, size_t length, bool write)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)addr / page * page;
	uintptr_t to = round_up((uintptr_t)addr + length, page);
	int err = memory_check(addr, length, write);

	if (!err && length &&
	    madvise((void *)from, to - from,
	            write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) &&
	    errno == EFAULT)
		err = -EFAULT;
	return err;
}
