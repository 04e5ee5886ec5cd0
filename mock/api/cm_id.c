/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_create_event_channel(3), rdma_get_cm_event(3), rdma_create_id(3),
 * rdma_getaddrinfo(3). */
#include <rdma/rdma_cma.h>
#include <stdlib.h>
#include "api/api.h"
#include "api/tables.h"
#include "base/util.h"
#include "cm/addr.h"
#include "cm/call.h"
#include "cm/device.h"
#include "object/device.h"

/* The connection manager opens contexts with our operation tables. */
__attribute__((constructor)) static void connect_layers(void)
{
	cm_open_context = open_context;
}

MOCK_API struct rdma_event_channel *rdma_create_event_channel(void)
{
	struct cm_channel *channel;
	int err = channel_open(&channel);

	return err ? null_result(err) : &channel->rdma;
}

MOCK_API void rdma_destroy_event_channel(struct rdma_event_channel *channel)
{
	if (channel)
		channel_close(to_cm_channel(channel));
}

MOCK_API int rdma_get_cm_event(struct rdma_event_channel *channel,
                               struct rdma_cm_event **event)
{
	struct cm_event *got;
	int err =
	        channel && event ? event_deliver(to_cm_channel(channel), &got) : -EINVAL;

	if (!err)
		*event = &got->rdma;
	return errno_result(err);
}

MOCK_API int rdma_ack_cm_event(struct rdma_cm_event *event)
{
	if (!event)
		return errno_result(-EINVAL);
	event_ack(to_cm_event(event));
	return 0;
}

MOCK_API int rdma_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id,
                            void *context, enum rdma_port_space ps)
{
	bool datagram = ps == RDMA_PS_UDP || ps == RDMA_PS_IPOIB;
	struct cm_id *made;
	int err = -EINVAL;

	if (id)
		err = id_create(channel, context, ps, datagram ? IBV_QPT_UD : IBV_QPT_RC,
		                &made);
	if (!err)
		*id = &made->rdma;
	return errno_result(err);
}

MOCK_API int rdma_destroy_id(struct rdma_cm_id *id)
{
	if (!id)
		return errno_result(-EINVAL);
	id_destroy(to_cm_id(id));
	return 0;
}

MOCK_API int rdma_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel)
{
	return errno_result(id ? id_migrate(to_cm_id(id), channel) : -EINVAL);
}

MOCK_API int rdma_set_option(struct rdma_cm_id *id, int level, int optname, void *optval,
                             size_t optlen)
{
	return errno_result(
	        id ? id_set_option(to_cm_id(id), level, optname, optval, optlen)
	           : -EINVAL);
}

MOCK_API int rdma_set_local_ece(struct rdma_cm_id *id, struct ibv_ece *ece)
{
	return errno_result(id && ece ? id_set_local_ece(to_cm_id(id), ece) : -EINVAL);
}

MOCK_API int rdma_get_remote_ece(struct rdma_cm_id *id, struct ibv_ece *ece)
{
	return errno_result(id && ece ? id_get_remote_ece(to_cm_id(id), ece) : -EINVAL);
}

MOCK_API __be16 rdma_get_src_port(struct rdma_cm_id *id)
{
	return id ? htobe16(addr_port(&id->route.addr.src_addr)) : 0;
}

MOCK_API __be16 rdma_get_dst_port(struct rdma_cm_id *id)
{
	return id ? htobe16(addr_port(&id->route.addr.dst_addr)) : 0;
}

MOCK_API struct ibv_context **rdma_get_devices(int *num_devices)
{
	struct ibv_context **list;
	int err = cm_device_open();

	if (err)
		return null_result(err);
	list = calloc(device_count() + 1, sizeof(struct ibv_context *));
	if (!list)
		return null_result(-ENOMEM);
	for (unsigned int i = 0; i < device_count(); i++)
		list[i] = cm_device_context(device_at(i));
	if (num_devices)
		*num_devices = (int)device_count();
	return list;
}

MOCK_API void rdma_free_devices(struct ibv_context **list)
{
	free(list);
}

/* What getaddrinfo(3) says is answered as it is: programs have gai_strerror(3) for it. */
MOCK_API int rdma_getaddrinfo(const char *node, const char *service,
                              const struct rdma_addrinfo *hints,
                              struct rdma_addrinfo **res)
{
	int code = 0, err = -EINVAL;

	if (res)
		err = addrinfo_get(node, service, hints, res, &code);
	err = errno_result(err);
	return code ? code : err;
}

MOCK_API void rdma_freeaddrinfo(struct rdma_addrinfo *res)
{
	addrinfo_free(res);
}
