/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/fabric_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "session/error.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fabric_library library;
static void *handle;

/*
 * With its cache, libfabric (verbs, efa) leaves memory registered that was deregistered,
 * and the peer's key in force: what is revoked has to be out of reach. It reads this as
 * it is loaded.
 */
static void *open_library(void)
{
	setenv("FI_MR_CACHE_MAX_COUNT", "0", true);
	return dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
}

static int load(void)
{
	void *loaded = open_library();
	const struct {
		const char *name;
		void *place;
	} calls[] = {
		{ "fi_getinfo", &library.getinfo },
		{ "fi_freeinfo", &library.freeinfo },
		{ "fi_dupinfo", &library.dupinfo },
		{ "fi_fabric", &library.fabric },
		{ "fi_strerror", &library.strerror },
	};

	if (!loaded)
		return fail(SRDMA_ENODEVICE,
		            "cannot load libfabric: %s: install it (Debian: libfabric1), "
		            "or use the transport 'verbs'",
		            dlerror());
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		*(void **)calls[i].place = dlsym(loaded, calls[i].name);
		if (*(void **)calls[i].place)
			continue;
		dlclose(loaded);
		return fail(SRDMA_ENODEVICE,
		            "libfabric.so.1 has no %s: it is not "
		            "libfabric, or older than version 1.5",
		            calls[i].name);
	}
	handle = loaded;
	return 0;
}

/* It stays: its providers have threads and handlers of their own. */
int fabric_library_load(const struct fabric_library **out)
{
	int error = 0;

	pthread_mutex_lock(&lock);
	if (!handle)
		error = load();
	pthread_mutex_unlock(&lock);
	if (!error)
		*out = &library;
	return error;
}
