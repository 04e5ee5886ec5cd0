/* SPDX-License-Identifier: BSD-2-Clause */
/* What libfabric's providers offer, and the one offer that fits a session. */
#ifndef SESSION_FABRIC_OFFER_H
#define SESSION_FABRIC_OFFER_H

#include "session/fabric_domain.h"

/* Ask the library, once for each kind. SRDMA_ENODEVICE. */
int fabric_ask(struct fabric *fabric, bool rma);

/* Of the first provider: what has this local address, or addresses of another kind than
 * IP's. SRDMA_ENODEVICE, SRDMA_ELIMIT. */
int fabric_choose(struct fabric *fabric, const struct endpoint_plan *plan,
                  struct fi_info **out);

/* Whether addresses of this format are sockaddrs of IP; whether two of those have the
 * same address, as seen by IPv6. */
bool fabric_is_ip(uint32_t format);
bool fabric_same_ip(const struct sockaddr *a, const struct sockaddr *b);

#endif
