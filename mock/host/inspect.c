// SPDX-License-Identifier: BSD-2-Clause
#include "host/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/inside.h"
#include "host/segment_format.h"
#include "host/table.h"

void (*segment_count)(int segment, struct counters *sum);

static int read_at(int fd, uint64_t at, void *to, size_t size)
{
	ssize_t got;

	do
		got = pread(fd, to, size, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)size ? 0 : -EIO;
}

int segment_read(int segment, seg_off off, void *to, size_t size)
{
	return off > INT64_MAX ? -EIO : read_at(segment, off, to, size);
}

static int open_file(const struct host_view *view, const char *file)
{
	char path[sizeof(view->directory) + sizeof(file_name)];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", view->directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int read_table(struct host_view *view)
{
	struct {
		uint64_t magic;
		uint32_t version;
		uint32_t processes;
	} head;
	int err = read_at(view->registry, 0, &head, sizeof(head));

	_Static_assert(offsetof(struct table, processes) == 12, "as in struct table");
	if (!err && (head.magic != TABLE_MAGIC || head.version != TABLE_VERSION))
		err = -EPROTO;
	if (!err)
		err = read_at(view->registry, offsetof(struct table, bindings),
		              &view->bindings, sizeof(view->bindings));
	if (!err)
		err = read_at(view->registry, offsetof(struct table, gone), &view->gone,
		              sizeof(view->gone));
	view->processes = head.processes < PROCESSES ? head.processes : PROCESSES;
	if (view->bindings > BINDINGS)
		view->bindings = BINDINGS;
	return err;
}

int host_view_open(struct host_view *view)
{
	int err = directory_name(view->directory, sizeof(view->directory));

	if (err)
		return err;
	view->registry = open_file(view, "registry");
	if (view->registry < 0)
		return view->registry;
	err = read_table(view);
	if (err)
		close(view->registry);
	return err;
}

void host_view_close(struct host_view *view)
{
	close(view->registry);
}

/* As life_held() of registry.c, for a copy of the entry. */
static bool lives(const struct process_entry *entry)
{
	if (entry->state != PROCESS_LIVE)
		return false;
#ifdef __GLIBC__
	uint32_t word = (uint32_t)entry->life.mutex.__data.__lock;

	return (word & FUTEX_TID_MASK) && !(word & FUTEX_OWNER_DIED);
#else
	return kill((pid_t)entry->pid, 0) == 0 || errno == EPERM;
#endif
}

static int read_entry(const struct host_view *view, uint32_t slot,
                      struct process_entry *entry)
{
	if (slot >= view->processes ||
	    read_at(view->registry,
	            offsetof(struct table, process) + slot * sizeof(*entry), entry,
	            sizeof(*entry)) ||
	    !lives(entry))
		return -ENOENT;
	return 0;
}

static int open_segment(const char *file, const struct host_view *view)
{
	struct {
		uint32_t magic, version;
	} head;
	int fd = view ? open_file(view, file) : directory_open(file, O_RDONLY);

	if (fd < 0)
		return fd;
	if (!read_at(fd, 0, &head, sizeof(head)) && head.magic == SEGMENT_MAGIC &&
	    head.version == SEGMENT_VERSION)
		return fd;
	close(fd);
	return -EPROTO;
}

int process_view_open(const struct host_view *view, uint32_t slot,
                      struct process_view *process)
{
	struct process_entry entry;
	struct stat st;
	file_name file;

	if (read_entry(view, slot, &entry))
		return -ENOENT;
	segment_file(entry.segment, file);
	process->segment = open_segment(file, view);
	if (process->segment < 0 || fstat(process->segment, &st))
		return -ENOENT;
	process->slot = slot;
	process->generation = entry.generation;
	process->pid = (pid_t)entry.pid;
	process->since = entry.since;
	process->shared = (uint64_t)st.st_size;
	memcpy(process->program, entry.program, sizeof(process->program));
	process->program[sizeof(process->program) - 1] = '\0';
	return 0;
}

void process_view_close(struct process_view *process)
{
	close(process->segment);
}

int binding_view(const struct host_view *view, uint32_t index,
                 struct binding_view *binding)
{
	struct process_entry entry;
	struct binding found;

	if (read_at(view->registry,
	            offsetof(struct table, binding) + index * sizeof(found), &found,
	            sizeof(found)) ||
	    !found.owner_generation || read_entry(view, found.owner, &entry) ||
	    entry.generation != found.owner_generation)
		return -ENOENT;
	binding->slot = found.owner;
	binding->addr = found.addr;
	binding->port_space = found.port_space;
	binding->listening = found.listening;
	return 0;
}

void block_walk(struct block_walk *walk, int segment, size_t list, size_t size)
{
	struct stat st;

	*walk = (struct block_walk){ .segment = segment };
	if (fstat(segment, &st) ||
	    segment_read(segment, list, &walk->next, sizeof(seg_off)))
		return;
	walk->left = (uint64_t)st.st_size / size;
}

bool block_next(struct block_walk *walk, void *block, size_t size)
{
	if (!walk->next || !walk->left--)
		return false;
	if (segment_read(walk->segment, walk->next, block, size))
		return false;
	memcpy(&walk->next, block, sizeof(walk->next));
	return true;
}

void inspect_gone(const char *file, struct counters *sum)
{
	struct counters counted = { { 0 } };
	int segment;

	if (!segment_count)
		return;
	segment = open_segment(file, NULL);
	if (segment < 0)
		return;
	segment_count(segment, &counted);
	counters_add(sum, &counted);
	close(segment);
}
