// SPDX-License-Identifier: BSD-2-Clause
/*
 * The owner's side of a segment. The whole range of addresses is taken at once, far
 * beyond the end of the file; what may be touched grows with the file, and that grows by
 * fallocate(2), which takes real memory or fails, so that nothing that was handed out can
 * ever fault. No descriptor is kept: the file is opened again by its path to grow.
 *
 * Blocks up to 32 KiB come from slabs of one size each; larger ones are runs of pages.
 * The books are private memory, so that a peer's late write cannot break them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "host/bell.h"
#include "host/extent.h"
#include "host/inside.h"
#include "host/segment.h"
#include "host/segment_format.h"
#include "host/settings.h"

#define PAGE         UINT64_C(4096)
#define FIRST_BYTES  UINT64_C(0x40000)
#define GROW_MOST    UINT64_C(0x800000)
#define SLAB_BLOCKS  4 /* in the first slab of a class; then twice as many each time */
#define SLAB_MOST    UINT64_C(0x40000)
#define SMALLEST     UINT64_C(64)
#define LINEAR       16 /* classes 64, 128, .. 1024; above, four for each power of two */
#define CLASSES      36
#define LARGEST_SLAB UINT64_C(32768)

struct size_class {
	seg_off fresh, fresh_end; /* of the newest slab: zero, never handed out */
	seg_off *free;            /* a stack; room for every block of the class */
	size_t frees, room;
	uint32_t slabs;
};

static struct {
	pthread_mutex_t lock;
	char *base;
	uint64_t size;   /* of the mapping */
	uint64_t backed; /* bytes that the file has */
	uint64_t used;   /* end of the pages in use */
	uint64_t dirty;  /* end of the pages that were ever in use */
	uint64_t name;
	bool open;
	struct extents extents;
	struct size_class class[CLASSES];
} seg = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned int class_of(uint64_t size)
{
	unsigned int log2;

	if (size <= LINEAR * SMALLEST)
		return (unsigned int)((size - 1) / SMALLEST);
	log2 = 63U - (unsigned int)__builtin_clzll(size - 1);
	return LINEAR + 4 * (log2 - 10) + (unsigned int)((size - 1) >> (log2 - 2) & 3);
}

static uint64_t class_size(unsigned int class)
{
	if (class < LINEAR)
		return (class + 1) * SMALLEST;
	class -= LINEAR;
	return (UINT64_C(5) + class % 4) << (class / 4 + 8);
}

static int extend_file(int fd, uint64_t from, uint64_t to)
{
	int err;

	if (!file_may_be(to))
		return -EFBIG;
	do {
		err = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
	} while (err == EINTR);
	return -err;
}

/* Has the file reach at least to, if need be exactly; the lock is held. */
static int extend(int fd, uint64_t to)
{
	uint64_t old = seg.backed;
	uint64_t roomy = min_u64(seg.size, old + min_u64(old, GROW_MOST));
	int err = -ENOSPC;

	if (roomy > to)
		err = extend_file(fd, old, roomy);
	if (!err)
		to = roomy;
	else
		err = extend_file(fd, old, to);
	if (err)
		return err;
	if (mprotect(seg.base + old, to - old, PROT_READ | PROT_WRITE))
		return -errno;
	seg.backed = to;
	atomic_store(&segment_head()->backed, to);
	return 0;
}

static int grow_file(uint64_t to)
{
	file_name file;
	int fd, err;

	if (to > seg.size) {
		mock_error("the queues of this process need more than the %" PRIu64
		           " MiB of its segment: raise MOCKRDMA_SEGMENT",
		           seg.size >> 20);
		return -ENOMEM;
	}
	segment_file(seg.name, file);
	fd = directory_open(file, O_RDWR);
	err = fd < 0 ? fd : extend(fd, to);
	if (fd >= 0)
		close(fd);
	if (!err)
		return 0;
	mock_error("no %" PRIu64 " KiB more for queues in %s: %s: %s",
	           (to - seg.backed) >> 10, directory_path(), strerror(-err),
	           remedy_for(err));
	return -ENOMEM;
}

/*
 * Makes room for so many pages. What is left before the old end becomes a free run, and
 * the first page behind it is never used: so no block lies across the old end, and peers
 * that can reach the start of one can reach all of it.
 */
static int grow(uint32_t pages)
{
	uint64_t old = seg.backed;
	int err = grow_file(old + (1 + (uint64_t)pages) * PAGE);

	if (err)
		return err;
	if (seg.used < old)
		extents_give(&seg.extents, (uint32_t)(seg.used / PAGE),
		             (uint32_t)((old - seg.used) / PAGE));
	seg.used = old + PAGE;
	return 0;
}

/* So many pages, zeroed. */
static int take_pages(uint32_t pages, seg_off *off)
{
	uint32_t run = extents_take(&seg.extents, pages);
	uint64_t size = pages * PAGE;
	uint64_t at, end;
	int err;

	if (!run && seg.used + size > seg.backed) {
		err = grow(pages);
		if (err)
			return err;
	}
	at = run ? run * PAGE : seg.used;
	end = at + size;
	if (at < seg.dirty)
		memset(seg.base + at, 0, min_u64(end, seg.dirty) - at);
	if (!run)
		seg.used = end;
	if (end > seg.dirty)
		seg.dirty = end;
	*off = at;
	return 0;
}

/* The last pages in use go back to those that never were. */
static void give_pages(seg_off off, uint32_t pages)
{
	uint32_t first = (uint32_t)(off / PAGE);

	if (off + pages * PAGE != seg.used) {
		extents_give(&seg.extents, first, pages);
		return;
	}
	seg.used = off - extents_take_before(&seg.extents, first) * PAGE;
}

/* Room on the stack for all blocks of one slab more, so that no free can fail. */
static int reserve_frees(struct size_class *class, size_t blocks)
{
	size_t room = class->room + blocks;
	seg_off *stack = realloc(class->free, room * sizeof(*stack));

	if (!stack)
		return -ENOMEM;
	class->free = stack;
	class->room = room;
	return 0;
}

static int add_slab(struct size_class *class, uint64_t size)
{
	uint64_t most = SLAB_MOST > SLAB_BLOCKS * size ? SLAB_MOST : SLAB_BLOCKS * size;
	uint64_t want = (SLAB_BLOCKS * size) << (class->slabs < 16 ? class->slabs : 16);
	uint64_t bytes = round_up(min_u64(want, most), PAGE);
	seg_off off;
	int err = reserve_frees(class, bytes / size);

	if (!err)
		err = take_pages((uint32_t)(bytes / PAGE), &off);
	if (err)
		return err;
	class->slabs++;
	class->fresh = off;
	class->fresh_end = off + bytes / size * size;
	return 0;
}

static int take_block(unsigned int index, seg_off *off)
{
	struct size_class *class = &seg.class[index];
	uint64_t size = class_size(index);
	int err = 0;

	if (class->frees) {
		*off = class->free[--class->frees];
		memset(seg.base + *off, 0, size);
		return 0;
	}
	if (class->fresh == class->fresh_end)
		err = add_slab(class, size);
	if (err)
		return err;
	*off = class->fresh;
	class->fresh += size;
	return 0;
}

static uint32_t pages_of(size_t size)
{
	return (uint32_t)(round_up(size, PAGE) / PAGE);
}

int segment_alloc(size_t size, seg_off *off)
{
	int err;

	pthread_mutex_lock(&seg.lock);
	if (!seg.open || !size || size > seg.size)
		err = -ENOMEM;
	else if (size <= LARGEST_SLAB)
		err = take_block(class_of(size), off);
	else
		err = take_pages(pages_of(size), off);
	pthread_mutex_unlock(&seg.lock);
	return err;
}

void segment_free(seg_off off, size_t size)
{
	struct size_class *class;

	pthread_mutex_lock(&seg.lock);
	if (seg.open && off && size > LARGEST_SLAB) {
		give_pages(off, pages_of(size));
	} else if (seg.open && off && size) {
		class = &seg.class[class_of(size)];
		class->free[class->frees++] = off;
	}
	pthread_mutex_unlock(&seg.lock);
}

void *segment_ptr(seg_off off)
{
	return seg.base + off;
}

struct segment_head *segment_head(void)
{
	return (struct segment_head *)seg.base;
}

void count_net(enum counter counter, uint64_t more)
{
	atomic_fetch_add_explicit(&segment_head()->net[counter - COUNT_NET], more,
	                          memory_order_relaxed);
}

uint64_t segment_size(void)
{
	return seg.size;
}

/* As much of the range of addresses as the limits of this process leave. */
static int map_range(int fd)
{
	uint64_t size = round_up(settings()->segment_size, PAGE);
	void *map;

	for (; size >= 4 * FIRST_BYTES; size = round_up(size / 2, PAGE)) {
		map = mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
		if (map != MAP_FAILED) {
			seg.base = map;
			seg.size = size;
			return 0;
		}
		if (errno != ENOMEM && errno != EAGAIN)
			break;
	}
	return -errno;
}

static int set_up(int fd)
{
	int err = extend_file(fd, 0, FIRST_BYTES);

	if (err)
		return err;
	err = map_range(fd);
	if (err)
		return err;
	if (mprotect(seg.base, FIRST_BYTES, PROT_READ | PROT_WRITE))
		err = -errno;
	else
		err = extents_open(&seg.extents, (uint32_t)(seg.size / PAGE));
	if (err)
		munmap(seg.base, seg.size);
	return err;
}

static void write_head(uint64_t bell)
{
	struct segment_head *head = segment_head();

	head->magic = SEGMENT_MAGIC;
	head->version = SEGMENT_VERSION;
	head->size = seg.size;
	head->backed = seg.backed;
	head->bell = bell;
	owner_lock_init(&head->atomic_lock);
	host_lock_init(&head->inbox.lock);
}

int segment_create(uint64_t name, uint64_t bell)
{
	file_name file;
	int fd, err;

	segment_file(name, file);
	fd = directory_open(file, O_RDWR | O_CREAT | O_EXCL);
	err = fd < 0 ? fd : set_up(fd);
	if (fd >= 0)
		close(fd);
	if (err) {
		mock_error("cannot map a file in %s: %s: %s", directory_path(),
		           strerror(-err), remedy_for(err));
		directory_unlink(file);
		return err;
	}
	seg.name = name;
	seg.backed = FIRST_BYTES;
	seg.used = seg.dirty = round_up(sizeof(struct segment_head), PAGE);
	write_head(bell);
	seg.open = true;
	return 0;
}

/* The books. */
static void forget(void)
{
	if (!seg.open)
		return;
	seg.open = false;
	extents_close(&seg.extents);
	for (unsigned int i = 0; i < CLASSES; i++)
		free(seg.class[i].free);
	memset(seg.class, 0, sizeof(seg.class));
}

void segment_destroy(void)
{
	file_name file;

	pthread_mutex_lock(&seg.lock);
	segment_file(seg.name, file);
	directory_unlink(file);
	forget();
	munmap(seg.base, seg.size);
	seg.base = NULL;
	pthread_mutex_unlock(&seg.lock);
}

/* The mapping stays in a child, for those who look at objects of the parent there. */
void segment_fork(enum fork_stage stage)
{
	if (stage == FORK_BEFORE)
		pthread_mutex_lock(&seg.lock);
	if (stage == FORK_CHILD)
		forget();
	if (stage != FORK_BEFORE)
		pthread_mutex_unlock(&seg.lock);
}
