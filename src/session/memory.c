/* SPDX-License-Identifier: BSD-2-Clause */
/* The caller's memory: registered for our own use, and granted to the peer. */
#include "session/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "session/device.h"
#include "session/error.h"

struct srdma_grant {
	struct list node;
	struct srdma_session *session;
	struct srdma_buffer *buffer;
	size_t offset; /* in the buffer */
	size_t length;
	unsigned rights;
	bool in_force;     /* else the peer has still to confirm */
	struct ibv_mr *mr; /* NULL where the peer's access comes by messages */
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

void memory_use(struct srdma_buffer *buffer, size_t offset, size_t length,
                struct ibv_sge *sge)
{
	*sge = (struct ibv_sge){ (uintptr_t)buffer->address + offset, (uint32_t)length,
		                 buffer->mr->lkey };
	buffer->uses++;
}

void memory_unuse(struct srdma_buffer *buffer)
{
	buffer->uses--;
}

int srdma_buffer_register(struct srdma_session *session, void *address, size_t length,
                          struct srdma_buffer **out)
{
	struct srdma_buffer *buffer;
	struct ibv_mr *mr;
	bool writable = true;

	if (!address || !length)
		return fail(SRDMA_EINVAL, "there is no memory to register");
	if (session->phase < PHASE_PROOF || session->failure ||
	    session->phase == PHASE_CLOSED)
		return fail(SRDMA_ESTATE, "the session with %s is not established",
		            session->name);
	mr = device_reg_mr(session->endpoint.pd, address, length, IBV_ACCESS_LOCAL_WRITE);
	if (!mr && (errno == EFAULT || errno == EACCES || errno == EPERM)) {
		/* Memory that may only be read, a mapped file say, can still be sent. */
		mr = device_reg_mr(session->endpoint.pd, address, length, 0);
		writable = false;
	}
	if (!mr)
		return fail(errno == ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
		            "cannot register %zu bytes on %s: %s (see the limit of "
		            "locked memory, "
		            "ulimit -l)",
		            length, adapter_name(session->endpoint.adapter),
		            errno_text(errno));
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer) {
		device_dereg_mr(mr);
		return fail(SRDMA_ENOMEM, "out of memory for a buffer");
	}
	*buffer = (struct srdma_buffer){ .session = session,
		                         .address = address,
		                         .length = length,
		                         .mr = mr,
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

static void deregister(struct ibv_mr **mr)
{
	device_dereg_mr(*mr);
	*mr = NULL;
}

int srdma_buffer_unregister(struct srdma_buffer *buffer)
{
	if (buffer->uses || buffer->grants)
		return fail(SRDMA_EBLOCKED,
		            "a buffer is in use by %u operations and %u grants",
		            buffer->uses, buffer->grants);
	deregister(&buffer->mr);
	list_remove(&buffer->node);
	free(buffer);
	return 0;
}

/*
 * Grants
 */

static void free_grant(struct srdma_grant *grant)
{
	worker_drop_timer(grant->session->worker, &grant->timer);
	list_remove(&grant->node);
	grant->session->grant_count--;
	free(grant);
}

static void put_out_of_force(struct srdma_grant *grant)
{
	if (!grant->in_force)
		return;
	grant->in_force = false;
	deregister(&grant->mr);
	grant->buffer->grants--;
}

/* The peer had its time to end what it had under way. */
static void revoke_by_force(struct timer *timer)
{
	struct srdma_grant *grant = container_of(timer, struct srdma_grant, timer);
	struct srdma_session *session = grant->session;

	put_out_of_force(grant);
	if (session->handlers->on_released)
		session->handlers->on_released(session, grant->tag, session->user);
}

/*
 * By RDMA, the peer addresses the range from its offset in the first page: it learns
 * nothing of where our memory lies, and devices get the alignment that they need.
 */
static int register_for_peer(struct srdma_session *session, struct srdma_grant *grant,
                             struct frame_grant *frame)
{
	uint8_t *start = (uint8_t *)grant->buffer->address + grant->offset;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned access = 0;

	if (grant->rights & SRDMA_RIGHT_WRITE)
		access |= IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	if (grant->rights & SRDMA_RIGHT_READ)
		access |= IBV_ACCESS_REMOTE_READ;
	frame->address = (uintptr_t)start & (page - 1);
	grant->mr = device_reg_mr_at(session->endpoint.pd, start, grant->length,
	                             frame->address, access);
	if (!grant->mr)
		return fail(errno == ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
		            "cannot register %zu bytes for %s: %s", grant->length,
		            session->name, errno_text(errno));
	frame->rkey = grant->mr->rkey;
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
	list_append(&session->grants, &grant->node);
	session->grant_count++;
	*out = grant;
	return 0;
}

int srdma_grant(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
                size_t length, unsigned rights, uint64_t tag, struct srdma_grant **out)
{
	int error = check_grant(session, buffer, offset, length, rights);
	struct frame frame = { .type = FRAME_GRANT };
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
	frame.grant = (struct frame_grant){
		.id = grant->id, .rights = (uint8_t)rights, .tag = tag, .length = length
	};
	if (!sealing_is_on(session))
		error = register_for_peer(session, grant, &frame.grant);
	if (error) {
		free_grant(grant);
		return error;
	}
	grant->in_force = true;
	buffer->grants++;
	session_send(session, &frame);
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
	struct srdma_session *session = grant->session;

	if (grant->revoked)
		return fail(SRDMA_ESTATE, "the grant is revoked already");
	grant->revoked = true;
	if (session->failure)
		return 0; /* all of it ends with the session */
	session_send(session, &(struct frame){ .type = FRAME_REVOKE, .id = grant->id });
	return 0;
}

int srdma_grant_revoke(struct srdma_grant *grant)
{
	struct srdma_worker *worker = grant->session->worker;
	int error = start_revoke(grant);

	if (!error)
		worker_set_timer(worker, &grant->timer,
		                 worker->options.number[SRDMA_OPT_CLOSE_TIMEOUT] * 1000);
	return error;
}

int srdma_grant_revoke_now(struct srdma_grant *grant)
{
	int error = start_revoke(grant);

	if (!error)
		put_out_of_force(grant);
	return error;
}

void memory_revoked(struct srdma_session *session, uint32_t id)
{
	list_for_each_safe (node, &session->grants) {
		struct srdma_grant *grant = container_of(node, struct srdma_grant, node);
		bool in_force = grant->in_force;
		uint64_t tag = grant->tag;

		if (grant->id != id || !grant->revoked)
			continue;
		put_out_of_force(grant);
		free_grant(grant);
		if (in_force && session->handlers->on_released)
			session->handlers->on_released(session, tag, session->user);
		return;
	}
	session_fail(session, fail(SRDMA_EPROTOCOL,
	                           "%s confirmed a revocation that was not asked for",
	                           session->name));
}

void memory_end(struct srdma_session *session)
{
	list_for_each (node, &session->grants)
		put_out_of_force(container_of(node, struct srdma_grant, node));
	list_for_each (node, &session->buffers)
		deregister(&container_of(node, struct srdma_buffer, node)->mr);
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
