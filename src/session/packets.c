/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/packets.h"

#include <openssl/crypto.h>
#include <string.h>

#include "session/error.h"
#include "session/session.h"

#define PACKETS_LABEL "EXPORTER-srdma-packets"

static enum srdma_packets wanted(const struct srdma_session *session)
{
	return (enum srdma_packets)
	        session->worker->options.number[SRDMA_OPT_PACKET_PROTECTION];
}

static bool is_possible(const struct srdma_session *session)
{
	const struct transport *transport = session->worker->transport;

	return transport->can_protect && transport->can_protect();
}

uint8_t packets_offer(const struct srdma_session *session)
{
	return wanted(session) != SRDMA_PACKETS_OFF && is_possible(session)
	               ? FRAME_PACKETS_AES_256_GCM
	               : 0;
}

static int check_required(const struct srdma_session *session)
{
	if (session->packets || wanted(session) != SRDMA_PACKETS_REQUIRED)
		return 0;
	if (!is_possible(session))
		return fail(SRDMA_EVERSION,
		            "packets have to be protected here, and no device of this "
		            "machine can: run on mockrdma, or do not require it");
	return fail(SRDMA_EVERSION,
	            "packets have to be protected here, and %s does not: it is not on "
	            "mockrdma, or did not ask for it",
	            session->name);
}

int packets_choose(struct srdma_session *session, uint8_t offered)
{
	session->packets = offered & packets_offer(session);
	return check_required(session);
}

int packets_take_choice(struct srdma_session *session, uint8_t chosen)
{
	if (chosen && chosen != packets_offer(session))
		return fail(SRDMA_EPROTOCOL,
		            "%s chose a protection of packets that it was not offered",
		            session->name);
	session->packets = chosen;
	return check_required(session);
}

int packets_protect(struct srdma_session *session)
{
	struct packet_key exported[2]; /* the client's, the server's */
	struct packet_keys keys;
	int error;

	if (!session->packets)
		return 0;
	error = tls_export(session->control.tls, PACKETS_LABEL, NULL, 0, exported,
	                   sizeof(exported));
	if (!error) {
		keys.send = exported[!session->client];
		keys.receive = exported[session->client];
		error = session->worker->transport->protect(session->endpoint, &keys);
		OPENSSL_cleanse(&keys, sizeof(keys));
	}
	OPENSSL_cleanse(exported, sizeof(exported));
	return error;
}
