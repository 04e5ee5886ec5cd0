// SPDX-License-Identifier: BSD-2-Clause
/*
 * The runtime directory. It is made by the first process and removed by the last, each
 * under a flock of the directory itself, so that nobody joins what another removes: who
 * waited for the lock looks whether the path still leads to what it locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "host/inside.h"
#include "host/settings.h"

#define EXIT_PATIENCE_MS 1000

/* Written under the attach lock, before anyone else can ask for it. */
static char path[PATH_MAX];

static uint64_t namespace_of(const char *file)
{
	struct stat st;

	return stat(file, &st) ? 0 : st.st_ino;
}

/*
 * One directory for each set of processes that can reach each other: abstract sockets
 * end at the network namespace, process ids at the pid namespace, memory at the user.
 */
int directory_name(char *out, size_t size)
{
	const char *parent = settings()->dir ? settings()->dir : "/dev/shm";
	int length = snprintf(out, size, "%s/mockrdma.%u.%" PRIu64 ".%" PRIu64, parent,
	                      (unsigned int)geteuid(),
	                      namespace_of("/proc/thread-self/ns/net"),
	                      namespace_of("/proc/self/ns/pid"));

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int directory_choose(void)
{
	int err = directory_name(path, sizeof(path) - sizeof(file_name));

	if (err)
		mock_error("the path of MOCKRDMA_DIR is too long: choose a shorter one");
	return err;
}

const char *directory_path(void)
{
	return path;
}

static int cannot(const char *what)
{
	int err = -errno;

	mock_error(
	        "cannot %s %s: %s: set MOCKRDMA_DIR to a directory of yours where files "
	        "can be made and mapped",
	        what, path, strerror(-err));
	return err;
}

static int check_owner(int dir)
{
	struct stat st;

	if (fstat(dir, &st))
		return cannot("examine");
	if (st.st_uid == geteuid() && !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	mock_error(
	        "%s belongs to user %u with mode %04o, but must be yours and closed to "
	        "others: remove it, or set MOCKRDMA_DIR to another directory",
	        path, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777U);
	return -EPERM;
}

static int open_directory(void)
{
	int dir, err;

	if (mkdir(path, S_IRWXU) && errno != EEXIST)
		return cannot("make");
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -EAGAIN : cannot("open");
	err = check_owner(dir);
	if (err) {
		close(dir);
		return err;
	}
	return dir;
}

static int lock_waiting(int dir)
{
	while (flock(dir, LOCK_EX)) {
		if (errno != EINTR)
			return cannot("lock");
	}
	return 0;
}

static int lock_briefly(int dir)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	for (int waited = 0; flock(dir, LOCK_EX | LOCK_NB); waited++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= EXIT_PATIENCE_MS)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static bool still_there(int dir)
{
	struct stat held, found;

	return fstat(dir, &held) == 0 && lstat(path, &found) == 0 &&
	       held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

int directory_lock(void)
{
	int dir, err = 0;

	while (!err) {
		dir = open_directory();
		if (dir == -EAGAIN)
			continue;
		if (dir < 0)
			return dir;
		err = lock_waiting(dir);
		if (!err && still_there(dir))
			return dir;
		close(dir);
	}
	return err;
}

int directory_lock_at_exit(void)
{
	int err, dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	err = lock_briefly(dir);
	if (!err)
		return dir;
	close(dir);
	return err;
}

/* Unlocked explicitly: a child forked meanwhile holds the same open file. */
void directory_unlock(int dir)
{
	flock(dir, LOCK_UN);
	close(dir);
}

void directory_remove(int dir)
{
	unlinkat(dir, "registry.new", 0);
	if (still_there(dir))
		rmdir(path);
}

static void path_of(const char *file, char *out, size_t size)
{
	if (snprintf(out, size, "%s/%s", path, file) >= (int)size)
		out[0] = '\0'; /* cannot be: directory_choose() left room for it */
}

int directory_open(const char *file, int flags)
{
	char full[PATH_MAX + sizeof(file_name)];
	int fd;

	path_of(file, full, sizeof(full));
	fd = open(full, flags | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	return fd < 0 ? -errno : fd;
}

void directory_unlink(const char *file)
{
	char full[PATH_MAX + sizeof(file_name)];

	path_of(file, full, sizeof(full));
	unlink(full);
}

void segment_file(uint64_t segment, file_name file)
{
	snprintf(file, sizeof(file_name), "segment.%016" PRIx64, segment);
}

bool file_may_be(uint64_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	       size <= limit.rlim_cur;
}

const char *remedy_for(int err)
{
	switch (-err) {
	case ENOSPC:
	case EDQUOT: return "free memory there, or set MOCKRDMA_DIR to another place";
	case EFBIG: return "raise ulimit -f";
	case EMFILE: return "raise ulimit -n";
	case ENFILE: return "raise the system's fs.file-max";
	case ENOMEM: return "raise ulimit -v, or lower MOCKRDMA_SEGMENT";
	case EAGAIN: return "raise ulimit -u or -l";
	default:
		return "set MOCKRDMA_DIR to a directory of yours where files can be "
		       "mapped";
	}
}
