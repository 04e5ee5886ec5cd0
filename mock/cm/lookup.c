/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cm/call.h"
#include "cm/id.h"
#include "host/thread.h"

/* Of rdma-core 57 and later, which the headers may not have. */
enum { FLAG_SA = 0x10, FLAG_DNS = 0x20 };

/* Belongs to its thread: the id, which may be destroyed meanwhile, only names it. */
struct lookup {
	uint32_t id; /* its handle */
	char *node, *service;
	struct rdma_addrinfo *hints;
};

static void discard(struct lookup *lookup)
{
	free(lookup->node);
	free(lookup->service);
	addrinfo_free(lookup->hints);
	free(lookup);
}

static int copy_string(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int make(const struct cm_id *id, const char *node, const char *service,
                const struct rdma_addrinfo *hints, struct lookup **lookup)
{
	struct lookup *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->id = id->handle;
	err = copy_string(node, &made->node);
	if (!err)
		err = copy_string(service, &made->service);
	if (!err && hints)
		err = addrinfo_copy_hints(hints, ~FLAG_DNS, &made->hints);
	if (err) {
		discard(made);
		return err;
	}
	*lookup = made;
	return 0;
}

/* Under the lock: the id, if it is still the one that began this. */
static struct cm_id *asker(const struct lookup *lookup)
{
	struct cm_id *id = id_find(lookup->id);

	return id && id->lookup == lookup ? id : NULL;
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;
	struct rdma_addrinfo *found = NULL;
	struct cm_id *id;
	int code, err;

	err = addrinfo_get(lookup->node, lookup->service, lookup->hints, &found, &code);
	cm_enter();
	id = asker(lookup);
	if (id) {
		struct rdma_addrinfo *before = id->found;

		id->lookup = NULL;
		id->found = found;
		found = before;
		event_raise(id,
		            (enum rdma_cm_event_type)(err ? CM_EVENT_ADDRINFO_ERROR
		                                          : CM_EVENT_ADDRINFO_RESOLVED),
		            err);
	}
	cm_leave();
	addrinfo_free(found);
	discard(lookup);
	return NULL;
}

/* Under the lock. From here on the lookup is the thread's. */
static int begin(struct cm_id *id, struct lookup *lookup)
{
	pthread_t thread;
	int err;

	if (id->lookup)
		return -EBUSY;
	err = thread_start(&thread, NULL, run, lookup);
	if (err)
		return err;
	pthread_detach(thread);
	id->lookup = lookup;
	return 0;
}

static int check_flags(const struct rdma_addrinfo *hints)
{
	int how = hints ? hints->ai_flags & (FLAG_SA | FLAG_DNS) : 0;

	if (how == (FLAG_SA | FLAG_DNS))
		return -EINVAL;
	return how == FLAG_SA ? -EOPNOTSUPP : 0;
}

int lookup_start(struct cm_id *id, const char *node, const char *service,
                 const struct rdma_addrinfo *hints)
{
	struct lookup *lookup;
	int err = node || service || hints ? check_flags(hints) : -EINVAL;

	if (!err)
		err = make(id, node, service, hints, &lookup);
	if (err)
		return err;
	err = id_lock(id);
	if (!err) {
		err = begin(id, lookup);
		cm_leave();
	}
	if (err)
		discard(lookup);
	return err;
}

int lookup_take(struct cm_id *id, struct rdma_addrinfo **info)
{
	int err = id_lock(id);

	if (err)
		return err;
	if (id->found)
		*info = id->found;
	else
		err = -ENODATA;
	id->found = NULL;
	cm_leave();
	return err;
}
