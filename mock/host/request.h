/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which process of the host has a connection request of another host's. A request names
 * a listener, but its repetitions are for who took the first one, who may listen no more.
 */
#ifndef MOCK_HOST_REQUEST_H
#define MOCK_HOST_REQUEST_H

#include <stdint.h>
#include "host/registry.h"

/*
 * This process has, or has no more, the request with that communication id of who is at
 * that address. No lock, no failure: when there are thousands, some are forgotten.
 */
void request_note(const uint8_t gid[16], uint32_t remote_id);
void request_forget(const uint8_t gid[16], uint32_t remote_id);
/* Who has it: 0, or -ENOENT. */
int request_owner(const uint8_t gid[16], uint32_t remote_id, struct host_place *place);

#endif
