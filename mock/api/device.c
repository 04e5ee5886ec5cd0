/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_get_device_list(3), ibv_open_device(3), ibv_query_device(3), ibv_query_port(3),
 * ibv_query_gid(3). */
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>
#include "api/api.h"
#include "api/private_verbs.h"
#include "api/tables.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/import.h"
#include "transport/transport.h"

#undef ibv_query_port

MOCK_API struct ibv_device **ibv_get_device_list(int *num_devices)
{
	struct ibv_device **list = calloc(device_count() + 1, sizeof(*list));

	if (!list)
		return null_result(-ENOMEM);
	for (unsigned int i = 0; i < device_count(); i++)
		list[i] = &device_at(i)->ibv;
	if (num_devices)
		*num_devices = (int)device_count();
	return list;
}

MOCK_API void ibv_free_device_list(struct ibv_device **list)
{
	free(list);
}

MOCK_API const char *ibv_get_device_name(struct ibv_device *device)
{
	return device ? device->name : NULL;
}

MOCK_API int ibv_get_device_index(struct ibv_device *device)
{
	return device ? (int)to_device(device)->index : errno_result(-EINVAL);
}

MOCK_API __be64 ibv_get_device_guid(struct ibv_device *device)
{
	if (device)
		return device_guid(to_device(device));
	errno_result(-EINVAL);
	return 0;
}

int open_context(struct device *device, struct context **context)
{
	int err;

	transport_init();
	err = context_open(device, context);
	if (!err)
		tables_fill(*context);
	return err;
}

MOCK_API struct ibv_context *ibv_open_device(struct ibv_device *device)
{
	struct context *context;
	int err = device ? open_context(to_device(device), &context) : -EINVAL;

	return err ? null_result(err) : &context->vctx.context;
}

MOCK_API struct ibv_context *ibv_import_device(int cmd_fd)
{
	struct context *context;
	int err;

	transport_init();
	err = context_import(cmd_fd, &context);
	if (err)
		return null_result(err);
	tables_fill(context);
	return &context->vctx.context;
}

MOCK_API int ibv_close_device(struct ibv_context *context)
{
	if (!context)
		return errno_result(-EINVAL);
	context_close(to_context(context));
	return 0;
}

MOCK_API int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attr)
{
	if (!context || !attr)
		return EINVAL;
	device_query(device_of(context), attr);
	return 0;
}

int table_query_device_ex(struct ibv_context *context,
                          const struct ibv_query_device_ex_input *input,
                          struct ibv_device_attr_ex *attr, size_t size)
{
	struct ibv_device_attr_ex full;

	if (!attr || (input && input->comp_mask))
		return EINVAL;
	device_query_ex(device_of(context), &full);
	memset(attr, 0, size);
	memcpy(attr, &full, size < sizeof(full) ? size : sizeof(full));
	return 0;
}

/* Before rdma-core grew the struct, it ended with link_layer: no more is written for such
 * a caller. */
MOCK_API int ibv_query_port(struct ibv_context *context, uint8_t port_num,
                            struct _compat_ibv_port_attr *port_attr)
{
	struct ibv_port_attr attr;

	if (!context || port_num != DEVICE_PORT || !port_attr)
		return EINVAL;
	device_query_port(device_of(context), &attr);
	memcpy(port_attr, &attr, offsetof(struct ibv_port_attr, port_cap_flags2));
	return 0;
}

int table_query_port(struct ibv_context *context, uint8_t port,
                     struct ibv_port_attr *attr, size_t size)
{
	struct ibv_port_attr full;

	if (port != DEVICE_PORT || !attr)
		return EINVAL;
	device_query_port(device_of(context), &full);
	memset(attr, 0, size);
	memcpy(attr, &full, size < sizeof(full) ? size : sizeof(full));
	return 0;
}

MOCK_API int ibv_query_gid(struct ibv_context *context, uint8_t port, int index,
                           union ibv_gid *gid)
{
	struct gid_entry entry;

	if (!context || port != DEVICE_PORT || index < 0 || !gid)
		return errno_result(-EINVAL);
	gid_refresh_old();
	if (device_gid(device_of(context), index, &entry))
		return errno_result(-EINVAL);
	*gid = entry.gid;
	return 0;
}

/* What ibv_devinfo(1) asks, of rdma-core's private interface: RoCE v2 is 1 there, RoCE v1
 * and InfiniBand 0. */
MOCK_API int ibv_query_gid_type(struct ibv_context *context, uint8_t port,
                                unsigned int index, int *type)
{
	enum { GID_TYPE_ROCE_V2 = 1 };

	if (!context || port != DEVICE_PORT || index >= GID_TABLE_SIZE || !type)
		return errno_result(-EINVAL);
	*type = GID_TYPE_ROCE_V2;
	return 0;
}

static int is_empty(const struct gid_entry *entry)
{
	static const union ibv_gid none;

	return !memcmp(&entry->gid, &none, sizeof(none));
}

static void fill_gid_entry(struct ibv_gid_entry *to, const struct gid_entry *from,
                           uint32_t index)
{
	*to = (struct ibv_gid_entry){
		.gid = from->gid,
		.gid_index = index,
		.port_num = DEVICE_PORT,
		.gid_type = IBV_GID_TYPE_ROCE_V2,
		.ndev_ifindex = from->ifindex,
	};
}

MOCK_API int _ibv_query_gid_ex(struct ibv_context *context, uint32_t port, uint32_t index,
                               struct ibv_gid_entry *entry, uint32_t flags, size_t size)
{
	struct ibv_gid_entry full;
	struct gid_entry found;

	if (!context || port != DEVICE_PORT || flags || !entry)
		return EINVAL;
	gid_refresh_old();
	if (device_gid(device_of(context), index, &found))
		return EINVAL;
	if (is_empty(&found))
		return ENODATA;
	fill_gid_entry(&full, &found, index);
	memcpy(entry, &full, size < sizeof(full) ? size : sizeof(full));
	return 0;
}

MOCK_API ssize_t _ibv_query_gid_table(struct ibv_context *context,
                                      struct ibv_gid_entry *entries, size_t max,
                                      uint32_t flags, size_t size)
{
	struct gid_entry found;
	size_t count = 0;

	if (!context || flags || size < sizeof(*entries) || (!entries && max))
		return -EINVAL;
	gid_refresh_old();
	for (unsigned int i = 0; i < GID_TABLE_SIZE; i++) {
		if (device_gid(device_of(context), i, &found) || is_empty(&found))
			continue;
		if (count == max)
			return -EINVAL; /* as the kernel answers: all of them or none */
		fill_gid_entry((void *)((char *)entries + size * count++), &found, i);
	}
	return count;
}

MOCK_API int ibv_query_pkey(struct ibv_context *context, uint8_t port, int index,
                            __be16 *pkey)
{
	if (!context || port != DEVICE_PORT || index || !pkey)
		return errno_result(-EINVAL);
	*pkey = htobe16(0xffff); /* the default partition (IBA 10.9.1.2) */
	return 0;
}

MOCK_API int ibv_get_pkey_index(struct ibv_context *context, uint8_t port, __be16 pkey)
{
	return context && port == DEVICE_PORT && pkey == htobe16(0xffff)
	               ? 0
	               : errno_result(-EINVAL);
}
