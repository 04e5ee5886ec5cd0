// SPDX-License-Identifier: BSD-2-Clause
#include "object/crypto_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include "base/log.h"

static struct crypto_library library;
static bool loaded;

static bool find(void *handle, const char *name, void **function)
{
	*function = dlsym(handle, name);
	return *function;
}

static void load(void)
{
	void *handle = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

#define CRYPTO_FIND(name) &&find(handle, #name, (void **)&library.name)
	loaded = handle CRYPTO_FUNCTIONS(CRYPTO_FIND);
#undef CRYPTO_FIND
	if (!loaded)
		mock_error(
		        "protected packets need libcrypto.so.3 (%s): install the package "
		        "libssl3",
		        dlerror());
}

const struct crypto_library *crypto_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return loaded ? &library : NULL;
}
