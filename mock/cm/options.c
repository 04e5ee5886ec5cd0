/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include "cm/id.h"

enum { ACK_TIMEOUT_MAX = 31 }; /* a 5-bit field (IBA 12.7.34) */

static int set_byte(const void *value, size_t length, uint8_t max, uint8_t *to)
{
	uint8_t byte;

	if (length != sizeof(byte))
		return -EINVAL;
	memcpy(&byte, value, sizeof(byte));
	if (byte > max)
		return -EINVAL;
	*to = byte;
	return 0;
}

/* What a binding to a port was made with, it keeps. */
static int set_flag(const struct cm_id *id, const void *value, size_t length, bool *to)
{
	int flag;

	if (length != sizeof(flag) || id->stage != ID_IDLE)
		return -EINVAL;
	memcpy(&flag, value, sizeof(flag));
	*to = flag != 0;
	return 0;
}

static int set(struct cm_id *id, int option, const void *value, size_t length)
{
	switch (option) {
	case RDMA_OPTION_ID_TOS:
		return set_byte(value, length, UINT8_MAX, &id->options.tos);
	case RDMA_OPTION_ID_REUSEADDR:
		return set_flag(id, value, length, &id->options.reuse_addr);
	case RDMA_OPTION_ID_AFONLY:
		return set_flag(id, value, length, &id->options.af_only);
	case RDMA_OPTION_ID_ACK_TIMEOUT:
		return set_byte(value, length, ACK_TIMEOUT_MAX, &id->options.ack_timeout);
	}
	return -ENOSYS;
}

int id_set_option(struct cm_id *id, int level, int option, const void *value,
                  size_t length)
{
	uint64_t copy = 0;
	int err;

	if (level != RDMA_OPTION_ID)
		return -ENOSYS;
	if (!value || length > sizeof(copy))
		return -EINVAL;
	memcpy(&copy, value, length);
	err = id_lock(id);
	if (err)
		return err;
	err = set(id, option, &copy, length);
	cm_leave();
	return err;
}
