/* SPDX-License-Identifier: BSD-2-Clause */
/* The caller's memory: registered for our own use, and granted to the peer. */
#include "session/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "session/error.h"

/* A window takes an operation to come into force, and one to go out of it. */
enum progress {
	GRANT_WAITS,   /* for room to bind its window: the peer knows nothing of it */
	GRANT_BINDS,   /* under way: likewise */
	GRANT_TOLD,    /* the peer has the key */
	GRANT_UNBINDS, /* the peer has let go, the device has still to */
};

struct srdma_grant {
	struct list node;
	struct srdma_session *session;
	struct srdma_buffer *buffer;
	size_t offset; /* in the buffer */
	size_t length;
	unsigned rights;
	bool in_force; /* else the peer has still to confirm */
	enum progress progress;
	struct exposure exposure; /* none where the peer's access comes by messages */
	struct timer timer;
	uint64_t tag;
	uint32_t id;
	bool revoked;
};

/*
 * Buffers
 */

int memory_check_range(const struct srdma_buffer *buffer, size_t offset, size_t length)
{
	if (offset > buffer->length || length > buffer->length - offset)
		return fail(SRDMA_EINVAL, "%zu bytes from %zu are not in a buffer of %zu",
		            length, offset, buffer->length);
	return 0;
}

uint8_t *memory_use(struct srdma_buffer *buffer, size_t offset)
{
	buffer->uses++;
	return (uint8_t *)buffer->address + offset;
}

void memory_unuse(struct srdma_buffer *buffer)
{
	buffer->uses--;
}

int srdma_buffer_register(struct srdma_session *session, void *address, size_t length,
                          struct srdma_buffer **out)
{
	struct endpoint *endpoint = session->endpoint;
	struct srdma_buffer *buffer;
	struct region region = { 0 };
	bool writable = true;
	int error;

	if (!address || !length)
		return fail(SRDMA_EINVAL, "there is no memory to register");
	if (session->phase < PHASE_PROOF || session->failure ||
	    session->phase == PHASE_CLOSED)
		return fail(SRDMA_ESTATE, "the session with %s is not established",
		            session->name);
	error = endpoint->transport->reg(endpoint, address, length, REGION_LOCAL_WRITE,
	                                 &region);
	if (error == EFAULT || error == EACCES || error == EPERM) {
		/* Memory that may only be read, a mapped file say, can still be sent. */
		error = endpoint->transport->reg(endpoint, address, length, 0, &region);
		writable = false;
	}
	if (error)
		return fail(error == ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
		            "cannot register %zu bytes on %s: %s (see the limit of "
		            "locked memory, "
		            "ulimit -l)",
		            length, endpoint->transport->device(endpoint),
		            errno_text(error));
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer) {
		endpoint->transport->dereg(&region);
		return fail(SRDMA_ENOMEM, "out of memory for a buffer");
	}
	*buffer = (struct srdma_buffer){ .session = session,
		                         .address = address,
		                         .length = length,
		                         .region = region,
		                         .writable = writable };
	list_append(&session->buffers, &buffer->node);
	*out = buffer;
	return 0;
}

void *srdma_buffer_address(const struct srdma_buffer *buffer)
{
	return buffer->address;
}

size_t srdma_buffer_length(const struct srdma_buffer *buffer)
{
	return buffer->length;
}

static void deregister(const struct srdma_session *session, struct region *region)
{
	if (region->handle)
		session->endpoint->transport->dereg(region);
}

int srdma_buffer_unregister(struct srdma_buffer *buffer)
{
	if (buffer->uses || buffer->grants)
		return fail(SRDMA_EBLOCKED,
		            "a buffer is in use by %u operations and %u grants",
		            buffer->uses, buffer->grants);
	deregister(buffer->session, &buffer->region);
	list_remove(&buffer->node);
	free(buffer);
	return 0;
}

/*
 * Grants
 */

static void free_grant(struct srdma_grant *grant)
{
	struct srdma_session *session = grant->session;

	worker_drop_timer(session->worker, &grant->timer);
	list_remove(&grant->node);
	session->grant_count--;
	session->grants_waiting -= grant->progress == GRANT_WAITS;
	free(grant);
}

static void conceal(struct srdma_grant *grant)
{
	struct endpoint *endpoint = grant->session->endpoint;

	if (grant->exposure.region.handle)
		endpoint->transport->conceal(endpoint, &grant->exposure);
}

static void put_out_of_force(struct srdma_grant *grant)
{
	if (!grant->in_force)
		return;
	grant->in_force = false;
	grant->buffer->grants--;
	/* The device may be at work on a window that binds, whose key nobody has. */
	if (grant->progress != GRANT_BINDS)
		conceal(grant);
}

/* The peer had its time to end what it had under way, and our device for its part. */
static void revoke_by_force(struct timer *timer)
{
	struct srdma_grant *grant = container_of(timer, struct srdma_grant, timer);
	struct srdma_session *session = grant->session;

	if (grant->progress != GRANT_TOLD) {
		session_fail(session,
		             fail(SRDMA_ETIMEOUT,
		                  "the queue pair to %s does not get on: a memory window "
		                  "could not be bound or taken back in time",
		                  session->name));
		return;
	}
	put_out_of_force(grant);
	if (session->handlers->on_released)
		session->handlers->on_released(session, grant->tag, session->user);
}

static int expose(struct srdma_grant *grant)
{
	uint8_t *start = (uint8_t *)grant->buffer->address + grant->offset;
	struct endpoint *endpoint = grant->session->endpoint;
	unsigned rights = 0;
	int error;

	if (grant->rights & SRDMA_RIGHT_WRITE)
		rights |= REGION_REMOTE_WRITE;
	if (grant->rights & SRDMA_RIGHT_READ)
		rights |= REGION_REMOTE_READ;
	error = endpoint->transport->expose(endpoint, start, grant->length, rights,
	                                    &grant->exposure);
	if (error)
		return fail(error == ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
		            "cannot register %zu bytes for %s: %s", grant->length,
		            grant->session->name, errno_text(error));
	return 0;
}

static int check_grant(struct srdma_session *session, const struct srdma_buffer *buffer,
                       size_t offset, size_t length, unsigned rights)
{
	int error = session_check_open(session);

	if (!error && buffer->session != session)
		error = fail(SRDMA_EINVAL, "the buffer belongs to another session");
	if (!error)
		error = memory_check_range(buffer, offset, length);
	if (!error && (!length || !rights ||
	               rights & ~(unsigned)(SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE)))
		error = fail(SRDMA_EINVAL, "a grant needs a length and valid rights");
	if (!error && rights & SRDMA_RIGHT_WRITE && !buffer->writable)
		error = fail(SRDMA_EINVAL, "the buffer's memory cannot be written to");
	if (!error && session->grant_count >= session->max_grants)
		error = fail(SRDMA_ELIMIT, "%s takes at most %u grants", session->name,
		             session->max_grants);
	return error;
}

static int make_grant(struct srdma_session *session, struct srdma_grant **out)
{
	struct srdma_grant *grant = calloc(1, sizeof(*grant));

	if (!grant)
		return fail(SRDMA_ENOMEM, "out of memory for a grant");
	if (worker_add_timer(session->worker)) {
		free(grant);
		return SRDMA_ENOMEM;
	}
	grant->session = session;
	grant->timer.expired = revoke_by_force;
	grant->id = ++session->next_grant;
	grant->progress = GRANT_WAITS;
	list_append(&session->grants, &grant->node);
	session->grant_count++;
	session->grants_waiting++;
	*out = grant;
	return 0;
}

static void set_progress(struct srdma_grant *grant, enum progress progress)
{
	grant->session->grants_waiting -= grant->progress == GRANT_WAITS;
	grant->progress = progress;
}

static void tell_revoked(const struct srdma_grant *grant)
{
	session_send(grant->session,
	             &(struct frame){ .type = FRAME_REVOKE, .id = grant->id });
}

/* Its key, if it has one, is in force. */
static void tell(struct srdma_grant *grant)
{
	const struct region *region = &grant->exposure.region;
	struct frame frame = {
		.type = FRAME_GRANT,
		.grant = { .id = grant->id,
		           .rights = (uint8_t)grant->rights,
		           .tag = grant->tag,
		           .address = region->address,
		           .length = grant->length,
		           .key = region->key },
	};

	set_progress(grant, GRANT_TOLD);
	session_send(grant->session, &frame);
	if (grant->revoked)
		tell_revoked(grant);
}

/* False: it waits on. */
static bool begin(struct srdma_grant *grant)
{
	if (!grant->exposure.window) {
		tell(grant);
		return true;
	}
	if (data_bind(grant->session, grant, &grant->exposure))
		return false;
	set_progress(grant, GRANT_BINDS);
	return true;
}

void memory_advance(struct srdma_session *session)
{
	if (!session->grants_waiting)
		return;
	list_for_each (node, &session->grants) {
		struct srdma_grant *grant = container_of(node, struct srdma_grant, node);

		if (grant->progress == GRANT_WAITS && !begin(grant))
			return;
	}
}

int srdma_grant(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
                size_t length, unsigned rights, uint64_t tag, struct srdma_grant **out)
{
	int error = check_grant(session, buffer, offset, length, rights);
	struct srdma_grant *grant = NULL;

	if (!error)
		error = make_grant(session, &grant);
	if (error)
		return error;
	grant->buffer = buffer;
	grant->offset = offset;
	grant->length = length;
	grant->rights = rights;
	grant->tag = tag;
	if (!sealing_is_on(session))
		error = expose(grant);
	if (error) {
		free_grant(grant);
		return error;
	}
	grant->in_force = true;
	buffer->grants++;
	begin(grant);
	*out = grant;
	return 0;
}

static struct srdma_grant *find_grant(const struct srdma_session *session, uint32_t id)
{
	list_for_each (node, &session->grants) {
		struct srdma_grant *grant = container_of(node, struct srdma_grant, node);

		if (grant->id == id)
			return grant;
	}
	return NULL;
}

uint8_t *memory_granted(struct srdma_session *session, uint32_t id, uint64_t offset,
                        size_t length, unsigned right)
{
	const struct srdma_grant *grant = find_grant(session, id);

	if (grant && grant->in_force && grant->rights & right &&
	    offset <= grant->length && length <= grant->length - offset)
		return (uint8_t *)grant->buffer->address + grant->offset + offset;
	fail(SRDMA_EPROTOCOL,
	     "%s asked for an access that it is not granted, or not any more",
	     session->name);
	return NULL;
}

static int start_revoke(struct srdma_grant *grant)
{
	if (grant->revoked)
		return fail(SRDMA_ESTATE, "the grant is revoked already");
	grant->revoked = true;
	/* With a failure all of it ends; what the peer does not know of is told later. */
	if (!grant->session->failure && grant->progress == GRANT_TOLD)
		tell_revoked(grant);
	return 0;
}

static void give_time(struct srdma_grant *grant)
{
	struct srdma_worker *worker = grant->session->worker;

	worker_set_timer(worker, &grant->timer,
	                 worker->options.number[SRDMA_OPT_CLOSE_TIMEOUT] * 1000);
}

int srdma_grant_revoke(struct srdma_grant *grant)
{
	int error = start_revoke(grant);

	if (!error)
		give_time(grant);
	return error;
}

int srdma_grant_revoke_now(struct srdma_grant *grant)
{
	int error = start_revoke(grant);

	if (error)
		return error;
	put_out_of_force(grant);
	if (grant->progress == GRANT_WAITS)
		free_grant(grant);
	return 0;
}

static void release(struct srdma_grant *grant)
{
	struct srdma_session *session = grant->session;
	bool in_force = grant->in_force;
	uint64_t tag = grant->tag;

	put_out_of_force(grant);
	free_grant(grant);
	if (in_force && session->handlers->on_released)
		session->handlers->on_released(session, tag, session->user);
}

/* Where there is no room for an operation the window is given up instead. */
static void revoked(struct srdma_grant *grant)
{
	if (!grant->exposure.window ||
	    data_unbind(grant->session, grant, &grant->exposure)) {
		release(grant);
		return;
	}
	set_progress(grant, GRANT_UNBINDS);
	give_time(grant); /* the device, too: the peer may have used up its own */
}

void memory_revoked(struct srdma_session *session, uint32_t id)
{
	struct srdma_grant *grant = find_grant(session, id);

	if (grant && grant->revoked && grant->progress == GRANT_TOLD)
		revoked(grant);
	else
		session_fail(session, fail(SRDMA_EPROTOCOL,
		                           "%s confirmed a revocation that was not asked "
		                           "for",
		                           session->name));
}

void memory_window_moved(struct srdma_grant *grant, int status)
{
	if (status)
		return;
	if (grant->progress == GRANT_UNBINDS) {
		release(grant);
	} else if (grant->in_force) {
		tell(grant);
	} else { /* revoked at once, before the peer knew of it */
		conceal(grant);
		free_grant(grant);
	}
}

void memory_end(struct srdma_session *session)
{
	list_for_each (node, &session->grants) {
		struct srdma_grant *grant = container_of(node, struct srdma_grant, node);

		put_out_of_force(grant);
		conceal(grant);
	}
	list_for_each (node, &session->buffers)
		deregister(session,
		           &container_of(node, struct srdma_buffer, node)->region);
}

void memory_free(struct srdma_session *session)
{
	list_for_each_safe (node, &session->grants)
		free_grant(container_of(node, struct srdma_grant, node));
	list_for_each_safe (node, &session->buffers) {
		list_remove(node);
		free(container_of(node, struct srdma_buffer, node));
	}
}
