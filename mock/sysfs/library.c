// SPDX-License-Identifier: BSD-2-Clause
/*
 * dlopen(3) and dlvsym(3), for programs that load libibverbs and librdmacm by name and
 * look for functions in what they loaded (NCCL, bindings of other languages), past what
 * is preloaded. The handle that they get is the program's own: there the functions of
 * this library come first, and then those of the library that was asked for.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

/* Sanitizers call these before they are ready for code that they instrumented. */
#define PLAIN __attribute__((no_sanitize("address", "thread", "undefined")))

/* The rest of the text after the beginning; NULL: it begins otherwise. */
static const char *after(const char *text, const char *beginning)
{
	size_t length = strlen(beginning);

	return strncmp(text, beginning, length) == 0 ? text + length : NULL;
}

/* Of the one version that there is, or of whichever. */
static bool is_library(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *rest;

	rest = after(name, "libibverbs.so");
	if (!rest)
		rest = after(name, "librdmacm.so");
	if (rest && *rest)
		rest = after(rest, ".1");
	return rest && (*rest == '\0' || *rest == '.');
}

/*
 * What the library has beyond our functions (rsockets) is found in the program's handle
 * if it is global. Where it is not installed, ours are enough.
 */
static void *open_ours(__typeof__(&dlopen) next, const char *path, int flags)
{
	void *real = next(path, flags | RTLD_GLOBAL);

	if (!real && (flags & RTLD_NOLOAD))
		return NULL;
	return next(NULL, RTLD_LAZY);
}

/* Anything else goes on as a jump: whose call it is decides where is looked. */
MOCK_API void *dlopen(const char *path, int flags)
{
	__typeof__(&dlopen) next = (__typeof__(&dlopen))dlsym(RTLD_NEXT, "dlopen");

	if (path && is_library(path))
		return open_ours(next, path, flags);
	return next(path, flags);
}

/* The versions of the interface that there is: 1.0 of libibverbs was another. */
static bool is_our_version(const char *version)
{
	const char *minor = after(version, "IBVERBS_1.");

	return minor ? strcmp(minor, "0") != 0 : after(version, "RDMACM_1.") != NULL;
}

static void *find_ours(const char *name, const char *version)
{
	return is_our_version(version) ? dlsym(RTLD_DEFAULT, name) : NULL;
}

/* Our functions have no versions, so that they serve for all. */
PLAIN MOCK_API void *dlvsym(void *handle, const char *name, const char *version)
{
	static _Atomic(void *) known;
	void *next = atomic_load_explicit(&known, memory_order_relaxed), *found = NULL;

	if (!next) {
		next = dlsym(RTLD_NEXT, "dlvsym");
		atomic_store_explicit(&known, next, memory_order_relaxed);
	}
	if (handle != RTLD_NEXT)
		found = find_ours(name, version);
	return found ? found : ((__typeof__(&dlvsym))next)(handle, name, version);
}
