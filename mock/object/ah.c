/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/ah.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/pd.h"
#include "wire/grh.h"

_Static_assert(sizeof(struct ibv_grh) == GRH_LENGTH, "the room that programs leave");

bool ah_attr_is_valid(const struct device *device, const struct ibv_ah_attr *attr)
{
	struct gid_entry entry;
	static const union ibv_gid none;

	return attr->is_global && attr->port_num == DEVICE_PORT &&
	       !device_gid(device, attr->grh.sgid_index, &entry) &&
	       memcmp(&entry.gid, &none, sizeof(none));
}

bool ah_attr_is_loopback(struct ibv_pd *pd, const struct ibv_ah_attr *attr)
{
	return to_pd(pd)->of_cm && !attr->is_global && !attr->dlid &&
	       attr->port_num == DEVICE_PORT;
}

int ah_attr_from_loopback(const struct device *device, struct ibv_ah_attr *attr)
{
	static const union ibv_gid none;
	struct gid_entry entry;

	for (unsigned int i = 0; !device_gid(device, i, &entry); i++) {
		if (!memcmp(&entry.gid, &none, sizeof(none)))
			continue;
		*attr = (struct ibv_ah_attr){
			.grh = { .dgid = entry.gid, .sgid_index = (uint8_t)i },
			.is_global = 1,
			.port_num = DEVICE_PORT,
		};
		return 0;
	}
	return -EADDRNOTAVAIL;
}

static _Atomic uint64_t handles; /* that there are */

static bool count_one(void)
{
	if (atomic_fetch_add(&handles, 1) < settings()->max_ah)
		return true;
	atomic_fetch_sub(&handles, 1);
	return false;
}

static void prepare_header(struct ah *ah)
{
	struct grh grh = {
		.flow_label = ah->av.flow_label,
		.traffic_class = ah->av.traffic_class,
		.hop_limit = ah->av.hop_limit,
	};

	memcpy(grh.sgid, ah->av.sgid.raw, sizeof(grh.sgid));
	memcpy(grh.dgid, ah->av.dgid.raw, sizeof(grh.dgid));
	grh_encode(&grh, ah->header);
}

int ah_create(struct ibv_pd *pd, const struct ibv_ah_attr *attr,
              const struct link_ops *link, struct ah **ah)
{
	struct gid_entry source;
	struct ah *made;

	if (device_gid(device_of(pd->context), attr->grh.sgid_index, &source))
		return -EINVAL;
	if (!count_one())
		return -ENOMEM;
	made = calloc(1, sizeof(*made));
	if (!made) {
		atomic_fetch_sub(&handles, 1);
		return -ENOMEM;
	}
	made->ibv.context = pd->context;
	made->ibv.pd = pd;
	made->av = (struct av){
		.sgid = source.gid,
		.dgid = attr->grh.dgid,
		.link = link,
		.flow_label = attr->grh.flow_label,
		.traffic_class = attr->grh.traffic_class,
		.hop_limit = attr->grh.hop_limit,
		.multicast = gid_is_multicast(&attr->grh.dgid),
	};
	prepare_header(made);
	pd_use(pd);
	*ah = made;
	return 0;
}

void ah_destroy(struct ah *ah)
{
	pd_unuse(ah->ibv.pd);
	free(ah);
	atomic_fetch_sub(&handles, 1);
}

int ah_attr_from_wc(const struct device *device, const struct ibv_wc *wc,
                    const struct ibv_grh *grh, uint8_t port, struct ibv_ah_attr *attr)
{
	struct gid_entry entry;
	struct grh header;
	union ibv_gid us;

	memset(attr, 0, sizeof(*attr));
	attr->port_num = port;
	attr->sl = wc->sl;
	attr->dlid = wc->slid;
	attr->src_path_bits = wc->dlid_path_bits;
	if (!(wc->wc_flags & IBV_WC_GRH))
		return 0;
	if (grh_decode((const uint8_t *)grh, &header))
		return -EINVAL;
	memcpy(us.raw, header.dgid, sizeof(us.raw));
	if (gid_is_multicast(&us) || gid_find(&us, &entry))
		return -EINVAL;
	attr->is_global = 1;
	memcpy(attr->grh.dgid.raw, header.sgid, sizeof(header.sgid));
	attr->grh.sgid_index = device_gid_index(device, &entry);
	attr->grh.flow_label = header.flow_label;
	attr->grh.traffic_class = header.traffic_class;
	attr->grh.hop_limit = header.hop_limit;
	return 0;
}
