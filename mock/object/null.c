/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/null.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include "object/device.h"

/* The sink is the same few pages again and again, so that what is dropped takes none. */
enum { SINK_PART = 4 << 20 };

static struct {
	pthread_mutex_t lock;
	void *zeros, *sink;
} null = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *map(int protection)
{
	void *at = mmap(NULL, DEVICE_MAX_MSG, protection,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int fill_sink(char *at, int fd)
{
	if (ftruncate(fd, SINK_PART))
		return -ENOMEM;
	for (size_t done = 0; done < DEVICE_MAX_MSG; done += SINK_PART)
		if (mmap(at + done, SINK_PART, PROT_READ | PROT_WRITE,
		         MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return -ENOMEM;
	return 0;
}

static void *map_sink(void)
{
	int fd = memfd_create("mockrdma-null", MFD_CLOEXEC);
	char *at = fd < 0 ? NULL : map(PROT_NONE);

	if (at && fill_sink(at, fd)) {
		munmap(at, DEVICE_MAX_MSG);
		at = NULL;
	}
	if (fd >= 0)
		close(fd);
	return at;
}

int null_prepare(void)
{
	int err;

	pthread_mutex_lock(&null.lock);
	if (!null.zeros)
		null.zeros = map(PROT_READ); /* the kernel's page of zeros, everywhere */
	if (!null.sink)
		null.sink = map_sink();
	err = null.zeros && null.sink ? 0 : -ENOMEM;
	pthread_mutex_unlock(&null.lock);
	return err;
}

uint64_t null_zeros(void)
{
	return (uintptr_t)null.zeros;
}

uint64_t null_sink(void)
{
	return (uintptr_t)null.sink;
}
