// SPDX-License-Identifier: BSD-2-Clause
/*
 * Programs that load libibverbs and librdmacm by name, and look in what they loaded for
 * functions by name or by name and version, get those of the device.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rdma/rdma_cma.h>

#include "lib/check.h"
#include "lib/sides.h"

/* ISO C has no conversion from an object's pointer to a function's. */
#define SET_FUNCTION(function, symbol)                           \
	do {                                                     \
		void *symbol_ = CHECK_OBJECT(symbol);            \
		memcpy(&(function), &symbol_, sizeof(function)); \
	} while (0)

static void use_verbs(struct ibv_device **(*get_list)(int *),
                      void (*free_list)(struct ibv_device **),
                      struct ibv_context *(*open_device)(struct ibv_device *),
                      int (*close_device)(struct ibv_context *))
{
	int count = 0;
	struct ibv_device **list = CHECK_OBJECT(get_list(&count));
	struct ibv_context *context;

	CHECK(count >= 1);
	context = CHECK_OBJECT(open_device(list[0]));
	CHECK_EQ(close_device(context), 0);
	free_list(list);
}

static void looked_up_in(void *handle, const char *version)
{
	__typeof__(&ibv_get_device_list) get_list;
	__typeof__(&ibv_free_device_list) free_list;
	__typeof__(&ibv_open_device) open_device;
	__typeof__(&ibv_close_device) close_device;

#define LOOK_UP(function, name) \
	SET_FUNCTION(function,  \
	             version ? dlvsym(handle, name, version) : dlsym(handle, name))
	LOOK_UP(get_list, "ibv_get_device_list");
	LOOK_UP(free_list, "ibv_free_device_list");
	LOOK_UP(open_device, "ibv_open_device");
	LOOK_UP(close_device, "ibv_close_device");
	use_verbs(get_list, free_list, open_device, close_device);
}

/* The development package's name, and a path, may not be there; that is no matter. */
static void verbs_by_name_body(struct side *side)
{
	static const char *const names[] = { "libibverbs.so.1", "libibverbs.so",
		                             "/usr/lib/libibverbs.so.1",
		                             "libibverbs.so.1.99.99" };

	(void)side;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *handle = CHECK_OBJECT(dlopen(names[i], RTLD_NOW | RTLD_LOCAL));

		looked_up_in(handle, NULL);
		looked_up_in(handle, "IBVERBS_1.1");
		CHECK(!dlsym(handle, "ibv_no_such_function"));
		CHECK_EQ(dlclose(handle), 0);
	}
}
ALONE(verbs_by_name)

/* The event channel is the device's, the socket the library's own. */
static void connections_by_name_body(struct side *side)
{
	void *handle = CHECK_OBJECT(dlopen("librdmacm.so.1", RTLD_LAZY));
	__typeof__(&rdma_create_event_channel) create;
	__typeof__(&rdma_destroy_event_channel) destroy;

	(void)side;
	SET_FUNCTION(create, dlvsym(handle, "rdma_create_event_channel", "RDMACM_1.0"));
	SET_FUNCTION(destroy, dlsym(handle, "rdma_destroy_event_channel"));
	CHECK(create == rdma_create_event_channel);
	destroy(CHECK_OBJECT(create()));
	CHECK_OBJECT(dlsym(handle, "rsocket"));
	CHECK_OBJECT(dlvsym(handle, "rsocket", "RDMACM_1.0"));
	CHECK_EQ(dlclose(handle), 0);
}
ALONE(connections_by_name)

/* Whatever else is loaded, or looked for, is as without the device. */
static void others_body(struct side *side)
{
	void *libm = CHECK_OBJECT(dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL));

	(void)side;
	CHECK_OBJECT(dlsym(libm, "cos"));
	CHECK(!dlsym(libm, "ibv_open_device"));
	CHECK(!dlvsym(libm, "cos", "GLIBC_0.1"));
	CHECK_EQ(dlclose(libm), 0);
	CHECK(!dlopen("libibverbs.so.2", RTLD_NOW));
	CHECK(strstr(dlerror(), "libibverbs.so.2"));
	CHECK(!dlopen("libibverbs.sox", RTLD_NOW));
	CHECK(!dlopen("librdmacm.so.1.99", RTLD_NOW | RTLD_NOLOAD));
	CHECK_OBJECT(dlopen(NULL, RTLD_NOW));
}
ALONE(others)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_by_name),
		cmocka_unit_test(connections_by_name),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
