/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told about a session. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "session/error.h"
#include "session/session.h"

#define STRING(x)       #x
#define DOTTED(a, b, c) STRING(a) "." STRING(b) "." STRING(c)

const char *srdma_version(void)
{
	return DOTTED(SRDMA_VERSION_MAJOR, SRDMA_VERSION_MINOR, SRDMA_VERSION_PATCH);
}

enum srdma_state srdma_session_state(const struct srdma_session *session)
{
	static const enum srdma_state states[] = {
		[PHASE_CONNECT] = SRDMA_STATE_CONNECTING,
		[PHASE_TLS] = SRDMA_STATE_AUTHENTICATING,
		[PHASE_HELLO] = SRDMA_STATE_NEGOTIATING,
		[PHASE_ENDPOINT] = SRDMA_STATE_NEGOTIATING,
		[PHASE_CM] = SRDMA_STATE_NEGOTIATING,
		[PHASE_READY] = SRDMA_STATE_NEGOTIATING,
		[PHASE_PROOF] = SRDMA_STATE_PROVING,
		[PHASE_OPEN] = SRDMA_STATE_ESTABLISHED,
		[PHASE_CLOSING] = SRDMA_STATE_CLOSING,
		[PHASE_CLOSED] = SRDMA_STATE_CLOSED,
	};

	return states[session->phase];
}

uint64_t srdma_session_id(const struct srdma_session *session)
{
	return session->id;
}

void srdma_session_set_user(struct srdma_session *session, void *user)
{
	session->user = user;
}

void *srdma_session_user(const struct srdma_session *session)
{
	return session->user;
}

struct srdma_worker *srdma_session_worker(const struct srdma_session *session)
{
	return session->worker;
}

const struct srdma_identity *srdma_session_peer(const struct srdma_session *session)
{
	return session->identity;
}

int srdma_session_reason(const struct srdma_session *session, const char **reason)
{
	bool ended = session->phase == PHASE_CLOSED;

	if (reason)
		*reason = ended && session->reason ? session->reason : "";
	return ended ? session->failure : 0;
}

size_t srdma_session_max_message(const struct srdma_session *session)
{
	return session->phase >= PHASE_PROOF ? session->data.message_max : 0;
}

int srdma_session_attestation(const struct srdma_session *session,
                              struct srdma_attestation *attestation, size_t size)
{
	struct srdma_attestation a = { 0 };

	if (session->phase < PHASE_PROOF || session->phase == PHASE_CLOSED)
		return fail(SRDMA_ESTATE, "the session with %s has nothing to attest",
		            session->name);
	a.checked = session->attested;
	memcpy(a.psn_local, session->psn_local, sizeof(session->psn_local));
	memcpy(a.psn_peer, session->psn_peer, sizeof(session->psn_peer));
	tls_describe(session->control.tls, a.tls, sizeof(a.tls));
	snprintf(a.protection, sizeof(a.protection), "%s", session->protection->name);
	a.connect = session->connect;
	a.transport = session->endpoint->transport->number;
	a.packets_protected = session->packets;
	session->endpoint->transport->attest(session->endpoint, &a);
	memcpy(attestation, &a, size < sizeof(a) ? size : sizeof(a));
	return 0;
}

void srdma_session_stats(const struct srdma_session *session,
                         struct srdma_session_stats *stats, size_t size)
{
	struct srdma_session_stats s = session->stats;

	s.established_us = session->established_us;
	s.age_us = clock_us() - session->started_us;
	memcpy(stats, &s, size < sizeof(s) ? size : sizeof(s));
}
