/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of a session that its client writes and reads one-sided, without us. */
#include <stdlib.h>
#include <string.h>

#include "server/peer.h"

static unsigned rights_of(const struct peer *peer)
{
	unsigned rights = peer->access->rights;

	return (rights & ACCESS_SCRATCH_READ ? SRDMA_RIGHT_READ : 0) |
	       (rights & ACCESS_SCRATCH_WRITE ? SRDMA_RIGHT_WRITE : 0);
}

bool scratch_is_permitted(const struct peer *peer)
{
	return !peer->scratch.grant || !(peer->scratch.rights & ~rights_of(peer));
}

static int make(struct peer *peer)
{
	struct scratch *scratch = &peer->scratch;
	size_t size = peer->server->settings.scratch_size;
	int error;

	scratch->rights = rights_of(peer);
	if (!scratch->rights)
		return peer_check(peer, ACCESS_SCRATCH_READ, "use a scratch region");
	if (!size)
		return fault(FAULT_UNSUPPORTED, "this server has no scratch regions "
		                                "(--scratch 0)");
	if (!budget_take(&peer->account->memory, size))
		return fault(FAULT_BUSY,
		             "the server's memory is in use: try again later");
	scratch->size = size;
	scratch->memory = calloc(1, size);
	if (!scratch->memory)
		return fault(FAULT_MEMORY, "the server is out of memory");
	error = srdma_buffer_register(peer->session, scratch->memory, size,
	                              &scratch->buffer);
	if (!error)
		error = srdma_grant(peer->session, scratch->buffer, 0, size,
		                    scratch->rights, APP_TAG_SCRATCH, &scratch->grant);
	return error ? fault_srdma(error) : 0;
}

int scratch_open(struct peer *peer, uint32_t id)
{
	struct app_message ready = { .type = APP_SCRATCH_READY, .id = id };
	int error = peer->scratch.grant ? 0 : make(peer);

	if (error) {
		scratch_close(peer);
		return error;
	}
	ready.length = peer->scratch.size;
	return channel_send(&peer->channel, &ready);
}

int scratch_digest(struct peer *peer, const struct app_message *message)
{
	struct app_message digest = { .type = APP_DIGEST_IS, .id = message->id };
	uint64_t offset = message->range.offset, length = message->range.length;
	const struct scratch *scratch = &peer->scratch;
	int error = peer_check(peer, ACCESS_SCRATCH_READ, "read a scratch region");

	if (error)
		return error;
	if (offset > scratch->size || length > scratch->size - offset)
		return fault(
		        FAULT_RANGE,
		        "the scratch region has %zu bytes: offset and length go past "
		        "its end",
		        scratch->size);
	error = sha256_of((char *)scratch->memory + offset, length, digest.digest);
	return error ? error : channel_send(&peer->channel, &digest);
}

void scratch_close(struct peer *peer)
{
	struct scratch *scratch = &peer->scratch;

	if (scratch->grant)
		srdma_grant_revoke_now(scratch->grant);
	if (scratch->buffer)
		srdma_buffer_unregister(scratch->buffer);
	free(scratch->memory);
	budget_return(&peer->account->memory, scratch->size);
	*scratch = (struct scratch){ 0 };
}
