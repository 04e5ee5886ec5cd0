/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/pcap_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include "base/log.h"
#include "base/util.h"

static struct pcap_library library;
static bool loaded;

static bool find(void *handle, const char *name, void **function)
{
	*function = dlsym(handle, name);
	return *function;
}

static void load(void)
{
	void *handle = dlopen("libpcap.so.0.8", RTLD_NOW | RTLD_LOCAL);

#define PCAP_FIND(name) &&find(handle, #name, (void **)&library.name)
	loaded = handle PCAP_FUNCTIONS(PCAP_FIND);
#undef PCAP_FIND
	if (!loaded)
		mock_error("captures need libpcap (%s): install the package libpcap0.8",
		           dlerror());
}

const struct pcap_library *pcap_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return loaded ? &library : NULL;
}
