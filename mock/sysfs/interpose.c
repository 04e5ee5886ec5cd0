// SPDX-License-Identifier: BSD-2-Clause
/*
 * The C library's functions that take a path, for programs that look at
 * /sys/class/infiniband: there they find the device of the mock. So do those (UCX) that
 * look whether the device node is there that ibv_device.dev_name tells of, uverbs-mock0:
 * it is, and cannot be opened. For any other path the
 * next definition is called as it was asked for (a sanitizer's, or the C library's): all
 * that is added is a look at the path's first bytes.
 */
/* Before any header: the inline definitions would stand in the way of ours. */
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 0

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/util.h"
#include "sysfs/tree.h"

/* What programs of older C libraries, and fortified ones, call. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat(int version, const char *path, struct stat *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);
int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags);
char *__realpath_chk(const char *path, char *resolved, size_t size);
ssize_t __readlink_chk(const char *path, char *to, size_t size, size_t room);
ssize_t __readlinkat_chk(int dir, const char *path, char *to, size_t size, size_t room);

/* clang-format off */
#define FUNCTIONS(X) \
	X(open) X(open64) X(openat) X(openat64) X(__open_2) X(__open64_2) X(__openat_2) X(__openat64_2) \
	X(fopen) X(fopen64) X(opendir) X(scandir) X(scandir64) X(glob) X(glob64) \
	X(stat) X(stat64) X(lstat) X(lstat64) X(fstatat) X(fstatat64) X(statx) \
	X(__xstat) X(__xstat64) X(__lxstat) X(__lxstat64) X(__fxstatat) X(__fxstatat64) \
	X(access) X(faccessat) X(euidaccess) X(eaccess) X(chdir) \
	X(readlink) X(readlinkat) X(__readlink_chk) X(__readlinkat_chk) \
	X(realpath) X(__realpath_chk) X(canonicalize_file_name) \
	X(getxattr) X(lgetxattr) X(listxattr) X(llistxattr)
/* clang-format on */

enum function {
#define AS_ENUM(name) F_##name,
	FUNCTIONS(AS_ENUM) FUNCTION_COUNT
};

static const char *const names[] = {
#define AS_NAME(name) #name,
	FUNCTIONS(AS_NAME)
};

static _Atomic(void *) found[FUNCTION_COUNT];

static void *look_up(enum function function)
{
	void *next = dlsym(RTLD_NEXT, names[function]);

	atomic_store_explicit(&found[function], next, memory_order_release);
	return next;
}

/* Also from constructors that run before ours. */
static inline void *next_of(enum function function)
{
	void *next = atomic_load_explicit(&found[function], memory_order_acquire);

	return likely(next) ? next : look_up(function);
}

#define NEXT(name) ((__typeof__(&(name)))next_of(F_##name))

/* dlsym() takes locks, which a signal handler or the child of a fork must not wait for.
 */
__attribute__((constructor)) static void look_up_all(void)
{
	for (unsigned int i = 0; i < FUNCTION_COUNT; i++)
		look_up((enum function)i);
}

static bool ends_name(const char *end)
{
	return *end == '/' || *end == '\0';
}

static bool is_class(const char *path)
{
	static const char class[] = SYSFS_CLASS, verbs[] = "_verbs";
	const char *rest = path + sizeof(class) - 1;

	if (strncmp(path, class, sizeof(class) - 1) != 0)
		return false;
	if (strncmp(rest, verbs, sizeof(verbs) - 1) == 0)
		rest += sizeof(verbs) - 1;
	return ends_name(rest) && !strstr(rest, "/..");
}

/* Callers may pass NULL, whatever the declarations promise. */
static inline bool is_ours(const char *path)
{
	__asm__("" : "+r"(path));
	return path && path[0] == '/' && path[1] == 's' && unlikely(is_class(path));
}

/* The system's own nodes are called uverbs0 and so on. */
static bool is_node(const char *path)
{
	static const char node[] = SYSFS_NODE;

	return strncmp(path, node, sizeof(node) - 1) == 0;
}

static inline bool is_ours_or_node(const char *path)
{
	__asm__("" : "+r"(path));
	return path && path[0] == '/' &&
	       ((path[1] == 's' && unlikely(is_class(path))) ||
	        (path[1] == 'd' && unlikely(is_node(path))));
}

/* The path to go on with: the caller's own, or that of our file, in `room`. NULL: errno.
 */
static const char *resolve(const char *path, char room[PATH_MAX])
{
	int err = tree_path(path, room, PATH_MAX);

	if (!err)
		return room;
	errno = -err;
	return NULL;
}

/* Nothing in there can be written to, and behind the node there is no kernel's device. */
static const char *resolve_to_open(const char *path, int flags, char room[PATH_MAX])
{
	if (is_node(path)) {
		errno = resolve(path, room) ? ENXIO : ENOENT;
		return NULL;
	}
	if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC)))
		return resolve(path, room);
	errno = EACCES;
	return NULL;
}

static bool has_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define TAKE_MODE(flags)                          \
	mode_t mode = 0;                          \
	if (has_mode(flags)) {                    \
		va_list args;                     \
		va_start(args, flags);            \
		mode = (mode_t)va_arg(args, int); \
		va_end(args);                     \
	}

#define DEFINE_OPEN(name)                                         \
	MOCK_API int name(const char *path, int flags, ...)       \
	{                                                         \
		char room[PATH_MAX];                              \
		TAKE_MODE(flags)                                  \
		if (!is_ours_or_node(path))                       \
			return NEXT(name)(path, flags, mode);     \
		path = resolve_to_open(path, flags, room);        \
		return path ? NEXT(name)(path, flags, mode) : -1; \
	}
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name)                                            \
	MOCK_API int name(int dir, const char *path, int flags, ...)   \
	{                                                              \
		char room[PATH_MAX];                                   \
		TAKE_MODE(flags)                                       \
		if (!is_ours_or_node(path))                            \
			return NEXT(name)(dir, path, flags, mode);     \
		path = resolve_to_open(path, flags, room);             \
		return path ? NEXT(name)(dir, path, flags, mode) : -1; \
	}
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

#define DEFINE_OPEN_2(name)                                 \
	MOCK_API int name(const char *path, int flags)      \
	{                                                   \
		char room[PATH_MAX];                        \
		if (!is_ours_or_node(path))                 \
			return NEXT(name)(path, flags);     \
		path = resolve_to_open(path, flags, room);  \
		return path ? NEXT(name)(path, flags) : -1; \
	}
DEFINE_OPEN_2(__open_2)
DEFINE_OPEN_2(__open64_2)

#define DEFINE_OPENAT_2(name)                                    \
	MOCK_API int name(int dir, const char *path, int flags)  \
	{                                                        \
		char room[PATH_MAX];                             \
		if (!is_ours_or_node(path))                      \
			return NEXT(name)(dir, path, flags);     \
		path = resolve_to_open(path, flags, room);       \
		return path ? NEXT(name)(dir, path, flags) : -1; \
	}
DEFINE_OPENAT_2(__openat_2)
DEFINE_OPENAT_2(__openat64_2)

#define DEFINE_FOPEN(name)                                                              \
	MOCK_API FILE *name(const char *path, const char *mode)                         \
	{                                                                               \
		char room[PATH_MAX];                                                    \
		if (!is_ours_or_node(path))                                             \
			return NEXT(name)(path, mode);                                  \
		path = resolve_to_open(                                                 \
		        path, mode[0] == 'r' && !strchr(mode, '+') ? O_RDONLY : O_RDWR, \
		        room);                                                          \
		return path ? NEXT(name)(path, mode) : NULL;                            \
	}
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)

MOCK_API DIR *opendir(const char *path)
{
	char room[PATH_MAX];

	if (!is_ours(path))
		return NEXT(opendir)(path);
	path = resolve(path, room);
	return path ? NEXT(opendir)(path) : NULL;
}

/* The C library's own do not come by our opendir(). */
#define DEFINE_SCANDIR(name, entry)                                                      \
	MOCK_API int name(const char *path, entry ***list, int (*filter)(const entry *), \
	                  int (*compare)(const entry **, const entry **))                \
	{                                                                                \
		char room[PATH_MAX];                                                     \
		if (!is_ours(path))                                                      \
			return NEXT(name)(path, list, filter, compare);                  \
		path = resolve(path, room);                                              \
		return path ? NEXT(name)(path, list, filter, compare) : -1;              \
	}
DEFINE_SCANDIR(scandir, struct dirent)
DEFINE_SCANDIR(scandir64, struct dirent64)

#define DEFINE_GLOB(name, result)                                                       \
	MOCK_API int name(const char *pattern, int flags,                               \
	                  int (*failed)(const char *, int), result *into)               \
	{                                                                               \
		char room[PATH_MAX];                                                    \
		size_t before;                                                          \
		int got;                                                                \
		if (!is_ours(pattern))                                                  \
			return NEXT(name)(pattern, flags, failed, into);                \
		pattern = resolve(pattern, room);                                       \
		if (!pattern)                                                           \
			return GLOB_NOMATCH;                                            \
		before = flags & GLOB_APPEND ? into->gl_pathc : 0;                      \
		got = NEXT(name)(pattern, flags, failed, into);                         \
		for (size_t i = before; !got && i < into->gl_pathc; i++)                \
			tree_unpath(                                                    \
			        into->gl_pathv[i + (flags & GLOB_DOOFFS ? into->gl_offs \
			                                                : 0)]);         \
		return got;                                                             \
	}
DEFINE_GLOB(glob, glob_t)
DEFINE_GLOB(glob64, glob64_t)

/* A function whose first argument is the path, and that returns `failure`. */
#define DEFINE_1(type, name, failure, declared, passed)      \
	MOCK_API type name declared                          \
	{                                                    \
		char room[PATH_MAX];                         \
		if (!is_ours_or_node(path))                  \
			return NEXT(name) passed;            \
		path = resolve(path, room);                  \
		return path ? NEXT(name) passed : (failure); \
	}

DEFINE_1(int, stat, -1, (const char *path, struct stat *st), (path, st))
DEFINE_1(int, stat64, -1, (const char *path, struct stat64 *st), (path, st))
DEFINE_1(int, lstat, -1, (const char *path, struct stat *st), (path, st))
DEFINE_1(int, lstat64, -1, (const char *path, struct stat64 *st), (path, st))
DEFINE_1(int, fstatat, -1, (int dir, const char *path, struct stat *st, int flags),
         (dir, path, st, flags))
DEFINE_1(int, fstatat64, -1, (int dir, const char *path, struct stat64 *st, int flags),
         (dir, path, st, flags))
DEFINE_1(int, statx, -1,
         (int dir, const char *path, int flags, unsigned int mask, struct statx *st),
         (dir, path, flags, mask, st))
DEFINE_1(int, __xstat, -1, (int version, const char *path, struct stat *st),
         (version, path, st))
DEFINE_1(int, __xstat64, -1, (int version, const char *path, struct stat64 *st),
         (version, path, st))
DEFINE_1(int, __lxstat, -1, (int version, const char *path, struct stat *st),
         (version, path, st))
DEFINE_1(int, __lxstat64, -1, (int version, const char *path, struct stat64 *st),
         (version, path, st))
DEFINE_1(int, __fxstatat, -1,
         (int version, int dir, const char *path, struct stat *st, int flags),
         (version, dir, path, st, flags))
DEFINE_1(int, __fxstatat64, -1,
         (int version, int dir, const char *path, struct stat64 *st, int flags),
         (version, dir, path, st, flags))
DEFINE_1(int, access, -1, (const char *path, int mode), (path, mode))
DEFINE_1(int, euidaccess, -1, (const char *path, int mode), (path, mode))
DEFINE_1(int, eaccess, -1, (const char *path, int mode), (path, mode))
DEFINE_1(int, faccessat, -1, (int dir, const char *path, int mode, int flags),
         (dir, path, mode, flags))
DEFINE_1(int, chdir, -1, (const char *path), (path))
DEFINE_1(ssize_t, readlink, -1, (const char *path, char *to, size_t size),
         (path, to, size))
DEFINE_1(ssize_t, readlinkat, -1, (int dir, const char *path, char *to, size_t size),
         (dir, path, to, size))
DEFINE_1(ssize_t, __readlink_chk, -1,
         (const char *path, char *to, size_t size, size_t room_of_to),
         (path, to, size, room_of_to))
DEFINE_1(ssize_t, __readlinkat_chk, -1,
         (int dir, const char *path, char *to, size_t size, size_t room_of_to),
         (dir, path, to, size, room_of_to))
DEFINE_1(ssize_t, getxattr, -1,
         (const char *path, const char *name, void *value, size_t size),
         (path, name, value, size))
DEFINE_1(ssize_t, lgetxattr, -1,
         (const char *path, const char *name, void *value, size_t size),
         (path, name, value, size))
DEFINE_1(ssize_t, listxattr, -1, (const char *path, char *list, size_t size),
         (path, list, size))
DEFINE_1(ssize_t, llistxattr, -1, (const char *path, char *list, size_t size),
         (path, list, size))

static char *as_known(char *path)
{
	if (path)
		tree_unpath(path);
	return path;
}

#define DEFINE_REALPATH(name, declared, passed)                   \
	MOCK_API char *name declared                              \
	{                                                         \
		char room[PATH_MAX];                              \
		if (!is_ours(path))                               \
			return NEXT(name) passed;                 \
		path = resolve(path, room);                       \
		return path ? as_known(NEXT(name) passed) : NULL; \
	}
DEFINE_REALPATH(realpath, (const char *path, char *resolved), (path, resolved))
DEFINE_REALPATH(__realpath_chk, (const char *path, char *resolved, size_t size),
                (path, resolved, size))
DEFINE_REALPATH(canonicalize_file_name, (const char *path), (path))
