/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Communication ids of the connection manager (IBA 12.6). All processes of a host share
 * one address, so an id says which of them drew it; but only to those who have the
 * host's registry: to all others it is as random as it looks.
 */
#ifndef MOCK_HOST_COMM_ID_H
#define MOCK_HOST_COMM_ID_H

#include <stdint.h>
#include "host/registry.h"

/* An id of this process, other than 0. It may be one that is in use. */
uint32_t comm_id_draw(void);
/* Who would have drawn this one: 0, or -ESRCH when it is no living process. No lock. */
int comm_id_owner(uint32_t id, struct host_place *place);

#endif
