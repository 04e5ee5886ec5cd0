/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sealed records. What the peer sealed opens to what it was; nothing else opens, be it
 * one bit of it that differs. And the requests of a peer that has the keys: whatever they
 * are, nothing outside of the grant is touched.
 *
 *    byte: what to do, u32: head, rest: the record
 */
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "session/data.h"
#include "session/memory.h"
#include "session/session.h"

#define MOST    4096
#define GRANTED 100 /* bytes, and on the heap: a sanitizer watches over its ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t exporter[SEAL_SECRET] = { 1, 2, 3 };

static void set_up(struct seal *seal, uint32_t protection, bool sealing)
{
	uint8_t secret[SEAL_SECRET];

	if (seal_first_secret(exporter, ROLE_CLIENT, secret) ||
	    seal_init(seal, protection, sealing, secret))
		abort();
}

/* `what` chooses cipher, and whether and where the record changes on its way. */
static void round_trip(uint32_t protection, uint8_t what, uint32_t head,
                       const uint8_t *text, size_t length)
{
	uint8_t sealed[MOST + SEAL_TAG], opened[MOST + SEAL_TAG];
	size_t whole = length + SEAL_TAG, at = (what * 257u + head) % whole;
	struct seal from, to;
	int error;

	set_up(&from, protection, true);
	set_up(&to, protection, false);
	if (seal_close(&from, head, text, length / 3, text + length / 3,
	               length - length / 3, sealed))
		abort();
	if (what & 1)
		sealed[at] ^= (uint8_t)(1u << what % 8);
	error = seal_open(&to, head, sealed, whole, opened);
	if (!error != !(what & 1) || (!error && memcmp(opened, text, length)))
		abort();
	seal_clear(&from);
	seal_clear(&to);
}

/* Bytes of the fuzzer's own: nobody without the key makes them open. */
static void forged(uint32_t protection, uint32_t head, const uint8_t *bytes,
                   size_t length)
{
	uint8_t opened[MOST];
	struct seal to;

	set_up(&to, protection, false);
	if (seal_open(&to, head, bytes, length, opened) != SRDMA_ESEAL)
		abort();
	seal_clear(&to);
}

/*
 * A session just large enough to be asked, of which nothing leaves: its queue pair is
 * broken, and its channel closed.
 */

static const struct protection sealed = { SRDMA_PROTECTION_AES_256_GCM, "", true };

static void open_session(struct srdma_session *session, struct srdma_worker *worker)
{
	session->worker = worker;
	session->protection = &sealed;
	session->phase = PHASE_OPEN;
	session->closing.fin_sent = true;
	session->max_grants = 1;
	session->data.message_max = MOST;
	list_init(&session->buffers);
	list_init(&session->grants);
	list_init(&session->staged.requests);
}

static void request(enum message_type type, unsigned rights, const uint8_t *bytes,
                    size_t length)
{
	struct srdma_worker worker = { 0 };
	struct srdma_session session = { .failure = 0 };
	struct srdma_buffer buffer = { .session = &session, .length = GRANTED + 20 };
	struct srdma_message message = { .session = &session, .data = NULL };
	struct pool pool = { 0 };
	struct srdma_grant *grant;
	uint8_t *memory = calloc(1, buffer.length);

	open_session(&session, &worker);
	buffer.address = memory;
	buffer.writable = true;
	list_init(&buffer.node);
	if (!memory || srdma_grant(&session, &buffer, 10, GRANTED, rights, 0, &grant))
		abort();
	session.data.broken = true;
	message.pool = &pool;
	message.data = malloc(length + !length);
	memcpy(message.data, bytes, length);
	message.length = (uint32_t)length;
	list_init(&message.node);
	staged_request(&session, &message, type);
	for (size_t i = 0; i < buffer.length; i++)
		if (memory[i] &&
		    (type != MESSAGE_WRITE || !(rights & SRDMA_RIGHT_WRITE) || i < 10 ||
		     i >= 10 + GRANTED))
			abort();
	free(message.data);
	memory_end(&session);
	memory_free(&session);
	timers_clear(&worker.timers);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	uint8_t what = get_u8(&r);
	uint32_t head = get_u32(&r);
	uint32_t protection = what & 0x80 ? SRDMA_PROTECTION_AES_256_GCM
	                                  : SRDMA_PROTECTION_CHACHA20_POLY1305;

	if (r.bad || r.left > MOST)
		return 0;
	switch (what >> 5 & 3) {
	case 0: round_trip(protection, what, head, r.at, r.left); break;
	case 1: forged(protection, head, r.at, r.left); break;
	default:
		request(what & 1 ? MESSAGE_WRITE : MESSAGE_READ, 1 + what / 2 % 3, r.at,
		        r.left);
	}
	return 0;
}
