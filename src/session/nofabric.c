/* SPDX-License-Identifier: BSD-2-Clause */
/* The transport by libfabric, in a library that was built without it. */
#include "session/error.h"
#include "session/transport.h"

static int check(struct srdma_worker *worker)
{
	(void)worker;
	return fail(SRDMA_ENODEVICE, "this libsrdma was built without libfabric: use the "
	                             "transport 'verbs', or build it where pkg-config "
	                             "finds libfabric (Debian: libfabric-dev)");
}

static void end(struct srdma_worker *worker)
{
	(void)worker;
}

/* No worker gets beyond check(). */
const struct transport transport_fabric = {
	.name = "fabric",
	.number = SRDMA_TRANSPORT_FABRIC,
	.check = check,
	.end = end,
};
