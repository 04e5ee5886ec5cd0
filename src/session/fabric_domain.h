/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfabric as one worker uses it. Each session has a domain of its own, as a queue pair
 * has a protection domain: a key of its memory opens nothing to the peers of others.
 *
 * It has a completion queue of its own, too, since libfabric (1.17) goes on looking
 * at endpoints that were closed when it is asked whether a queue can be waited for. Those
 * that may have something are on a list, and only those are polled: from when its
 * descriptor is readable, or something was started on it, until libfabric says that it
 * can be waited for.
 */
#ifndef SESSION_FABRIC_DOMAIN_H
#define SESSION_FABRIC_DOMAIN_H

#include "session/fabric_library.h"

#include <rdma/fi_domain.h>

#include "session/transport.h"
#include "session/worker.h"

struct fabric {
	const struct fabric_library *library;
	struct srdma_worker *worker;
	struct fi_info *offers[2]; /* NULL until needed; [1]: with RMA */
	struct list active;        /* endpoints to poll */
	struct list graves;        /* endpoints to free when no stack refers to them */
	struct timer look;         /* where nothing wakes us: when to look next */
	uint64_t pause_us;
	bool has_timer;
};

struct fabric_domain {
	struct fabric *fabric;
	struct fi_info *info; /* of the fabric */
	struct fid_fabric *fid_fabric;
	struct fid_domain *fid;
};

/* For a session as planned. On failure nothing is left. SRDMA_ENODEVICE, SRDMA_ESYSTEM.
 */
int fabric_domain_open(struct fabric_domain *domain, struct fabric *fabric,
                       const struct endpoint_plan *plan);
/* When what was opened in it is closed. */
void fabric_domain_close(struct fabric_domain *domain);

/* "tcp;ofi_rxm" */
const char *fabric_provider(const struct fabric_domain *domain);

/* "libfabric's provider PROVIDER cannot WHAT: why"; `code` as libfabric returns it. */
int fabric_failed(const struct fabric_domain *domain, const char *what, int code);

/* fi_close(), or NULL; a failure is logged. */
void fabric_close(const struct fabric_domain *domain, struct fid *fid, const char *what);

#endif
