// SPDX-License-Identifier: BSD-2-Clause
#include "sysfs/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/random.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"
#include "sysfs/content.h"
#include "sysfs/files.h"

#define NAME "mockrdma-sys"

static struct {
	pthread_mutex_t lock;
	char root[200]; /* empty: there is none */
	int fd;         /* of the root: its lock says that we live; closed by exec */
	uint64_t gids;  /* as of which version of the table */
	pid_t maker;
} tree = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static const char *parent_directory(void)
{
	return settings()->dir ? settings()->dir : "/dev/shm";
}

/* Those of processes that were killed: nobody holds their lock. */
static void remove_stale(const char *parent)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), NAME ".%u.", (unsigned int)geteuid());
	files_each(parent, prefix, files_remove_unlocked);
}

static int make_directory(const char *parent)
{
	int length =
	        snprintf(tree.root, sizeof(tree.root), "%s/" NAME ".%u.%016llx", parent,
	                 (unsigned int)geteuid(), (unsigned long long)random_u64());

	if (length < 0 || (size_t)length >= sizeof(tree.root))
		return -ENAMETOOLONG;
	if (mkdir(tree.root, S_IRWXU))
		return -errno;
	tree.fd = open(tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree.fd < 0 || flock(tree.fd, LOCK_SH))
		return -errno;
	return access(tree.root, F_OK) ? -EAGAIN : 0;
}

/* Until it is locked, another process may take it for a dead one's. */
static int make_root(void)
{
	const char *parent = parent_directory();
	int err = -EAGAIN;

	remove_stale(parent);
	for (int tries = 0; tries < 8 && (err == -EAGAIN || err == -ENOENT); tries++) {
		if (tree.fd >= 0)
			close(tree.fd);
		tree.fd = -1;
		err = make_directory(parent);
	}
	return err;
}

static void unmake(void)
{
	if (!tree.root[0])
		return;
	files_remove(tree.root);
	if (tree.fd >= 0)
		close(tree.fd);
	tree.fd = -1;
	tree.root[0] = '\0';
}

static int make(void)
{
	int err = make_root();

	if (!err)
		err = content_make(tree.fd);
	if (err) {
		unmake();
		return err;
	}
	tree.gids = gid_version();
	tree.maker = getpid();
	return 0;
}

/* The child of a fork makes its own when it asks: its parent removes this one. */
static void before_fork(void)
{
	pthread_mutex_lock(&tree.lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&tree.lock);
}

static void after_fork_in_child(void)
{
	if (tree.fd >= 0)
		close(tree.fd);
	tree.fd = -1;
	tree.root[0] = '\0';
	pthread_mutex_unlock(&tree.lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static int update_locked(const char *path)
{
	int err = 0;

	gid_refresh_old();
	if (!tree.root[0])
		err = make();
	else if (tree.gids != gid_version())
		err = content_update_gids(tree.fd);
	if (!err)
		tree.gids = gid_version();
	if (!err && strstr(path, "counters"))
		err = content_update_counters(tree.fd);
	if (!err)
		err = content_update_state(tree.fd);
	return err;
}

static int path_locked(const char *path, char *out, size_t size)
{
	int err = update_locked(path), length;

	if (err)
		return -ENOENT;
	length = snprintf(out, size, "%s%s", tree.root, path + strlen("/sys"));
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int node_path(const char *path, char *out, size_t size)
{
	const char *name = path + strlen("/dev/infiniband/");

	for (unsigned int i = 0; i < device_count(); i++)
		if (strcmp(device_at(i)->ibv.dev_name, name) == 0)
			return (size_t)snprintf(out, size, "/dev/null") < size
			               ? 0
			               : -ENAMETOOLONG;
	return -ENOENT;
}

int tree_path(const char *path, char *out, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno, cancel, err;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&tree.lock);
	if (strncmp(path, SYSFS_NODE, strlen(SYSFS_NODE)) == 0)
		err = node_path(path, out, size);
	else
		err = path_locked(path, out, size);
	pthread_mutex_unlock(&tree.lock);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return err;
}

void tree_unpath(char *path)
{
	size_t length;

	pthread_mutex_lock(&tree.lock);
	length = strlen(tree.root);
	if (length && strncmp(path, tree.root, length) == 0 &&
	    (path[length] == '/' || path[length] == '\0')) {
		memmove(path + strlen("/sys"), path + length, strlen(path + length) + 1);
		memcpy(path, "/sys", strlen("/sys"));
	}
	pthread_mutex_unlock(&tree.lock);
}

/* A thread may be in here for ever, or have died in here: then the next one removes it.
 */
__attribute__((destructor)) static void remove_at_exit(void)
{
	if (pthread_mutex_trylock(&tree.lock))
		return;
	if (tree.maker == getpid())
		unmake();
	pthread_mutex_unlock(&tree.lock);
}
