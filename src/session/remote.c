/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions that the peer granted, and one-sided operations on them. */
#include <stdlib.h>

#include "session/error.h"
#include "session/memory.h"

struct srdma_remote {
	struct list node;
	uint64_t tag;
	uint64_t address;
	size_t length;
	uint32_t id;
	uint64_t key;
	unsigned rights;
	unsigned uses; /* operations in flight */
	bool revoked;
};

static struct srdma_remote *find(const struct srdma_session *session, uint32_t id)
{
	list_for_each (node, &session->remotes) {
		struct srdma_remote *remote =
		        container_of(node, struct srdma_remote, node);

		if (remote->id == id)
			return remote;
	}
	return NULL;
}

static void free_remote(struct srdma_session *session, struct srdma_remote *remote)
{
	list_remove(&remote->node);
	session->remote_count--;
	free(remote);
}

void remote_granted(struct srdma_session *session, const struct frame_grant *grant)
{
	struct srdma_remote *remote;

	if (session->remote_count >=
	            session->worker->options.number[SRDMA_OPT_MAX_GRANTS] ||
	    find(session, grant->id)) {
		session_fail(session, fail(SRDMA_EPROTOCOL, "%s granted more than agreed",
		                           session->name));
		return;
	}
	remote = calloc(1, sizeof(*remote));
	if (!remote) {
		session_fail(session, fail(SRDMA_ENOMEM, "out of memory for a grant"));
		return;
	}
	*remote = (struct srdma_remote){
		.tag = grant->tag,
		.address = grant->address,
		.length = (size_t)grant->length,
		.id = grant->id,
		.key = grant->key,
		.rights = grant->rights,
	};
	list_append(&session->remotes, &remote->node);
	session->remote_count++;
	if (session->handlers->on_grant)
		session->handlers->on_grant(session, remote, session->user);
}

/* Nothing is under way on it any more: the peer gets its confirmation. */
static void let_go(struct srdma_session *session, struct srdma_remote *remote)
{
	uint32_t id = remote->id;

	if (session->handlers->on_revoke)
		session->handlers->on_revoke(session, remote, session->user);
	if (session->failure)
		return; /* the callback may have ended the session, and its regions with
		           it */
	free_remote(session, remote);
	session_send(session, &(struct frame){ .type = FRAME_REVOKED, .id = id });
}

void remote_revoked(struct srdma_session *session, uint32_t id)
{
	struct srdma_remote *remote = find(session, id);

	if (!remote || remote->revoked) {
		session_fail(session,
		             fail(SRDMA_EPROTOCOL, "%s revoked what it had not granted",
		                  session->name));
		return;
	}
	remote->revoked = true;
	if (!remote->uses)
		let_go(session, remote);
}

void remote_unuse(struct srdma_session *session, struct srdma_remote *remote)
{
	remote->uses--;
	if (remote->revoked && !remote->uses && !session->failure)
		let_go(session, remote);
}

void remote_free_all(struct srdma_session *session)
{
	list_for_each_safe (node, &session->remotes)
		free_remote(session, container_of(node, struct srdma_remote, node));
}

uint64_t srdma_remote_tag(const struct srdma_remote *remote)
{
	return remote->tag;
}

size_t srdma_remote_length(const struct srdma_remote *remote)
{
	return remote->length;
}

unsigned srdma_remote_rights(const struct srdma_remote *remote)
{
	return remote->rights;
}

struct srdma_remote *srdma_remote_find(const struct srdma_session *session, uint64_t tag)
{
	struct srdma_remote *newest = NULL;

	list_for_each (node, &session->remotes) {
		struct srdma_remote *remote =
		        container_of(node, struct srdma_remote, node);

		if (remote->tag == tag && !remote->revoked)
			newest = remote;
	}
	return newest;
}

static int check(struct srdma_session *session, const struct srdma_buffer *buffer,
                 size_t offset, const struct srdma_remote *remote, size_t remote_offset,
                 size_t length, unsigned right)
{
	int error = session_check_open(session);

	if (!error)
		error = memory_check_range(buffer, offset, length);
	if (!error &&
	    (!length || length > SRDMA_MAX_TRANSFER || buffer->session != session))
		error = fail(SRDMA_EINVAL, "cannot move %zu bytes with this buffer",
		             length);
	if (!error && right == SRDMA_RIGHT_READ && !buffer->writable)
		error = fail(SRDMA_EINVAL, "the buffer's memory cannot be written to");
	if (!error &&
	    (remote_offset > remote->length || length > remote->length - remote_offset))
		error = fail(SRDMA_ERIGHTS,
		             "%zu bytes from %zu are not in the %zu that %s granted",
		             length, remote_offset, remote->length, session->name);
	if (!error && (!(remote->rights & right) || remote->revoked))
		error = fail(SRDMA_ERIGHTS, "%s does not let us %s there", session->name,
		             right == SRDMA_RIGHT_READ ? "read" : "write");
	return error;
}

static int start(struct srdma_session *session, struct srdma_buffer *buffer,
                 size_t offset, size_t remote_offset, const struct op *op)
{
	struct srdma_remote *remote = op->remote;
	bool write = op->kind == SRDMA_OP_WRITE;
	int error = check(session, buffer, offset, remote, remote_offset, op->bytes,
	                  write ? SRDMA_RIGHT_WRITE : SRDMA_RIGHT_READ);

	if (error)
		return error;
	remote->uses++;
	error = sealing_is_on(session)
	                ? staged_start(session, buffer, offset, remote->id, remote_offset,
	                               op)
	                : data_access(session, buffer, offset,
	                              remote->address + remote_offset, remote->key, op);
	if (error)
		remote->uses--;
	return error;
}

int srdma_write(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
                struct srdma_remote *remote, size_t remote_offset, size_t length,
                void *op)
{
	const struct op write = {
		.user = op, .remote = remote, .bytes = length, .kind = SRDMA_OP_WRITE
	};

	return start(session, buffer, offset, remote_offset, &write);
}

int srdma_read(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
               struct srdma_remote *remote, size_t remote_offset, size_t length, void *op)
{
	const struct op read = {
		.user = op, .remote = remote, .bytes = length, .kind = SRDMA_OP_READ
	};

	return start(session, buffer, offset, remote_offset, &read);
}
