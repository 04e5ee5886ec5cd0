// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registry's file and its table of processes.
 *
 * Whether a process lives is asked of its life lock, a robust mutex that its engine
 * holds: held is alive, anything else on a PROCESS_LIVE entry is dead. The kernel lets
 * go of it however the process ends, exec included, and the test is one
 * compare-and-swap.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "host/inside.h"
#include "host/inspect.h"
#include "host/random.h"
#include "host/registry.h"
#include "host/table.h"

#define REGISTRY     "registry"
#define REGISTRY_NEW "registry.new"

static struct table *map;
static struct registry_self self;
static _Atomic bool joined;

struct table *table(void)
{
	return map;
}

uint32_t table_self(void)
{
	return self.slot;
}

uint64_t table_generation(void)
{
	return self.generation;
}

int table_back(const void *from, size_t size)
{
	uint64_t first = (uint64_t)((const char *)from - (const char *)map);
	uint64_t begin = first / TABLE_PAGE * TABLE_PAGE;
	int fd = directory_open(REGISTRY, O_RDWR);
	int err;

	if (fd < 0)
		return -ENOMEM;
	do {
		err = posix_fallocate(fd, (off_t)begin, (off_t)(first + size - begin));
	} while (err == EINTR);
	close(fd);
	if (!err)
		return 0;
	mock_error("no room for the registry in %s: %s: %s", directory_path(),
	           strerror(err), remedy_for(-err));
	return -ENOMEM;
}

/*
 * The order of every change leaves the tables whole at each step, but for the lists of
 * bindings, which are made anew.
 */
static void lock_always(void)
{
	if (host_lock(&map->lock) == -EOWNERDEAD)
		binding_repair();
}

bool table_lock(void)
{
	if (!map || !atomic_load(&joined))
		return false;
	lock_always();
	if (atomic_load(&joined))
		return true;
	host_unlock(&map->lock);
	return false;
}

void table_unlock(void)
{
	host_unlock(&map->lock);
}

/*
 * Whether someone holds the life lock of a PROCESS_LIVE entry. The kernel marks the
 * lock's word when its holder dies (FUTEX_OWNER_DIED, futex(2)): while a thread's id is
 * in it unmarked, that thread lives. A look is enough on the data path, where the lock
 * itself would be an atomic operation for each message.
 */
static bool life_held(struct process_entry *entry)
{
#ifdef __GLIBC__
	uint32_t word = __atomic_load_n((uint32_t *)&entry->life.mutex.__data.__lock,
	                                __ATOMIC_RELAXED);

	if ((word & FUTEX_TID_MASK) && !(word & FUTEX_OWNER_DIED))
		return true;
#endif
	if (host_trylock(&entry->life) == -EBUSY)
		return true;
	host_unlock(&entry->life);
	return false;
}

/* The state goes last: whoever dies in here leaves the rest to the next. */
static void remove_process(uint32_t slot)
{
	struct process_entry *entry = &map->process[slot];
	file_name file;

	qpn_remove_all(slot, entry->generation);
	binding_remove_all(slot, entry->generation);
	group_remove_all(slot, entry->generation);
	domain_remove_all(slot, entry->generation);
	port_remove_all(slot);
	request_remove_all(slot);
	segment_file(entry->segment, file);
	inspect_gone(file, &map->gone);
	directory_unlink(file);
	atomic_store(&entry->state, PROCESS_FREE);
}

static bool entry_is(const struct process_entry *entry, uint64_t generation)
{
	return atomic_load(&entry->state) == PROCESS_LIVE &&
	       atomic_load(&entry->generation) == generation;
}

int table_place_of(uint32_t slot, struct host_place *place)
{
	const struct process_entry *entry = &map->process[slot];

	if (slot >= map->processes || atomic_load(&entry->state) != PROCESS_LIVE)
		return -ESRCH;
	*place = (struct host_place){
		.slot = slot,
		.generation = atomic_load(&entry->generation),
	};
	return 0;
}

bool table_owner_lives(uint32_t slot, uint64_t generation)
{
	struct process_entry *entry = &map->process[slot];

	if (slot >= map->processes || !entry_is(entry, generation))
		return false;
	if (slot == self.slot || life_held(entry))
		return true;
	mock_info("process %u is gone: its queue pairs and listeners are removed",
	          entry->pid);
	remove_process(slot);
	return false;
}

void registry_bury(uint32_t slot, uint64_t generation)
{
	if (!table_lock())
		return;
	table_owner_lives(slot, generation);
	table_unlock();
}

bool registry_alive(uint32_t slot, uint64_t generation)
{
	struct process_entry *entry;

	if (!map)
		return false;
	entry = &map->process[slot];
	return entry_is(entry, generation) && life_held(entry);
}

int registry_process(uint32_t slot, uint64_t generation, struct process_info *info)
{
	struct process_entry *entry;
	int err = -ESRCH;

	if (!table_lock())
		return -ESRCH;
	if (slot < PROCESSES && table_owner_lives(slot, generation)) {
		entry = &map->process[slot];
		info->pid = (pid_t)entry->pid;
		info->segment = entry->segment;
		info->size = entry->segment_size;
		err = 0;
	}
	table_unlock();
	return err;
}

struct host_lock *registry_life_lock(void)
{
	return &map->process[self.slot].life;
}

static int write_new(int fd)
{
	struct table *fresh;

	if (!file_may_be(sizeof(*fresh)))
		return -EFBIG;
	if (ftruncate(fd, sizeof(*fresh)))
		return -errno;
	if (posix_fallocate(fd, 0, offsetof(struct table, process)))
		return -ENOSPC;
	fresh = mmap(NULL, offsetof(struct table, process), PROT_READ | PROT_WRITE,
	             MAP_SHARED, fd, 0);
	if (fresh == MAP_FAILED)
		return -errno;
	fresh->magic = TABLE_MAGIC;
	fresh->version = TABLE_VERSION;
	fresh->bindings = 1;
	/* Not those of a registry before this one; owner_lock.h has room for 51 bits. */
	fresh->generations = random_u64() >> 16;
	fresh->secret = random_u64();
	host_lock_init(&fresh->lock);
	munmap(fresh, offsetof(struct table, process));
	return 0;
}

/* Appears under its name only when whole. */
static int create(int dir)
{
	int err, fd = directory_open(REGISTRY_NEW, O_RDWR | O_CREAT | O_TRUNC);

	if (fd < 0)
		return fd;
	err = write_new(fd);
	if (!err && renameat(dir, REGISTRY_NEW, dir, REGISTRY))
		err = -errno;
	if (!err)
		return fd;
	directory_unlink(REGISTRY_NEW);
	close(fd);
	return err;
}

static int map_file(int fd)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != sizeof(struct table))
		return -EPROTO;
	at = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
	          MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	map = at;
	if (map->magic == TABLE_MAGIC && map->version == TABLE_VERSION)
		return 0;
	registry_close();
	return -EPROTO;
}

static int open_or_create(int dir)
{
	int err, fd = directory_open(REGISTRY, O_RDWR);

	if (fd == -ENOENT)
		fd = create(dir);
	err = fd < 0 ? fd : map_file(fd);
	if (fd >= 0)
		close(fd);
	if (err == -EPROTO)
		mock_error("%s was made by another version of mockrdma: end its "
		           "programs and remove it, or set MOCKRDMA_DIR to another "
		           "directory",
		           directory_path());
	else if (err)
		mock_error("cannot make or map a file in %s: %s: %s", directory_path(),
		           strerror(-err), remedy_for(err));
	return err;
}

/* Nobody else joins now, so an entry that is joining is of a process that died at it. */
static void remove_dead(void)
{
	for (uint32_t slot = 0; slot < map->processes; slot++) {
		struct process_entry *entry = &map->process[slot];
		uint32_t state = atomic_load(&entry->state);

		if (state == PROCESS_JOINING ||
		    (state == PROCESS_LIVE && !life_held(entry)))
			remove_process(slot);
	}
}

static int new_entry(uint32_t *slot)
{
	struct process_entry *entry = &map->process[map->processes];

	if (map->processes == PROCESSES) {
		mock_error(
		        "%u processes use the mock on this host already, and there is no "
		        "room for more: end some, or set MOCKRDMA_DIR to another "
		        "directory",
		        PROCESSES);
		return -EUSERS;
	}
	if (table_back(entry, sizeof(*entry)))
		return -ENOMEM;
	host_lock_init(&entry->life);
	*slot = map->processes++;
	return 0;
}

static int find_free(uint32_t *slot)
{
	for (uint32_t i = 0; i < map->processes; i++) {
		if (atomic_load(&map->process[i].state) == PROCESS_FREE) {
			*slot = i;
			return 0;
		}
	}
	return new_entry(slot);
}

static void read_program_name(char name[16])
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, name, 15);

	if (fd >= 0)
		close(fd);
	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static void fill_entry(uint32_t slot, uint64_t segment, uint64_t bell)
{
	struct process_entry *entry = &map->process[slot];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	entry->pid = (uint32_t)getpid();
	entry->segment = segment;
	entry->segment_size = 0;
	entry->bell = bell;
	entry->since = (uint64_t)now.tv_sec;
	read_program_name(entry->program);
	atomic_store(&entry->generation, ++map->generations);
	atomic_store(&entry->state, PROCESS_JOINING);
	self.slot = slot;
	self.generation = entry->generation;
}

int registry_open(int dir, uint64_t segment, uint64_t bell, struct registry_self *me)
{
	int err = open_or_create(dir);
	uint32_t slot;

	if (err)
		return err;
	lock_always();
	remove_dead();
	err = find_free(&slot);
	if (!err) {
		fill_entry(slot, segment, bell);
		*me = self;
		atomic_store(&joined, true);
	}
	host_unlock(&map->lock);
	if (err)
		registry_close();
	return err;
}

void registry_announce(uint64_t size)
{
	struct process_entry *entry = &map->process[self.slot];

	entry->segment_size = size;
	atomic_store(&entry->state, PROCESS_LIVE);
}

static bool is_last(void)
{
	for (uint32_t slot = 0; slot < map->processes; slot++) {
		if (atomic_load(&map->process[slot].state) != PROCESS_FREE)
			return false;
	}
	return true;
}

static int lock_to_leave(bool exiting)
{
	struct timespec deadline;
	int err;

	if (exiting) {
		clock_gettime(CLOCK_REALTIME, &deadline);
		deadline.tv_sec++;
		err = host_lock_until(&map->lock, &deadline);
	} else {
		err = host_lock(&map->lock);
	}
	if (err != -EOWNERDEAD)
		return err;
	binding_repair();
	return 0;
}

int registry_leave(int dir, bool exiting)
{
	int err = lock_to_leave(exiting);

	if (err)
		return err;
	atomic_store(&joined, false);
	remove_process(self.slot);
	remove_dead();
	if (is_last()) {
		directory_unlink(REGISTRY);
		directory_remove(dir);
	}
	host_unlock(&map->lock);
	return 0;
}

void registry_close(void)
{
	munmap(map, sizeof(*map));
	map = NULL;
}

void registry_fork(enum fork_stage stage)
{
	if (stage != FORK_CHILD || !map)
		return;
	atomic_store(&joined, false);
	registry_close();
}
