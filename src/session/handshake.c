/* SPDX-License-Identifier: BSD-2-Clause */
/* From TLS to established: who the peer is, how it can be reached, and that it is the
 * one. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "session/cm.h"
#include "session/error.h"
#include "session/identity.h"
#include "session/packets.h"
#include "session/session.h"
#include "session/sizes.h"

#define PSN_LABEL   "EXPORTER-srdma-psn-hash"
#define PSN_SALT    32
#define VERSION_MIN 1
#define VERSION_MAX 1

const char *handshake_waiting_for(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_CONNECT] = "the TCP connection",
		[PHASE_TLS] = "the TLS handshake",
		[PHASE_HELLO] = "HELLO",
		[PHASE_ENDPOINT] = "ENDPOINT",
		[PHASE_CM] = "the connection manager",
		[PHASE_READY] = "READY",
		[PHASE_PROOF] = "the proof over the queue pair",
		[PHASE_OPEN] = "nothing",
		[PHASE_CLOSING] = "the end of the close",
		[PHASE_CLOSED] = "nothing",
	};

	return names[phase];
}

void handshake_free(struct handshake *handshake)
{
	if (!handshake)
		return;
	dial_free(handshake->dial);
	SSL_CTX_free(handshake->tls);
	transcript_clear(&handshake->transcript);
	OPENSSL_clear_free(handshake, sizeof(*handshake));
}

/* Each step has its own time. */
static void enter(struct srdma_session *session, enum phase phase)
{
	log_debug("session#%llu: waiting for %s", (unsigned long long)session->id,
	          handshake_waiting_for(phase));
	session->phase = phase;
	session_set_timer(session,
	                  session->worker->options.number[SRDMA_OPT_STEP_TIMEOUT]);
}

static enum frame_role role_of(const struct srdma_session *session, bool ours)
{
	return session->client == ours ? ROLE_CLIENT : ROLE_SERVER;
}

/* Send a frame that the proof covers. */
static int send_covered(struct srdma_session *session, const struct frame *frame)
{
	uint8_t raw[FRAME_MAX];
	size_t length;
	int error = control_send(&session->control, frame, raw, &length);

	if (!error)
		error = transcript_add(&session->handshake->transcript,
		                       role_of(session, true), frame->type, raw, length);
	OPENSSL_cleanse(raw, sizeof(raw));
	session_update_events(session);
	return error;
}

/*
 * TLS
 */

static const char *expected_name(const struct srdma_session *session)
{
	const char *set = session->worker->options.text[SRDMA_OPT_SERVER_NAME];

	if (!session->client)
		return NULL;
	return set ? set : dial_host(session->handshake->dial);
}

void handshake_begin(struct srdma_session *session)
{
	struct handshake *handshake = session->handshake;
	struct tls *tls;
	int error = 0;

	if (!session->client && !tls_config_has_certificate(handshake->tls))
		error = fail(SRDMA_ECONFIG, "a server needs a certificate and its key");
	if (!error)
		error = tls_new(handshake->tls, session->socket.fd,
		                expected_name(session), session->name, &tls);
	if (!error) {
		control_init(&session->control, tls);
		session->has_control = true;
		enter(session, PHASE_TLS);
		if (session->client)
			session_update_events(session);
		else
			error = session_watch(session, POLLER_IN);
	}
	if (error)
		session_fail(session, error);
	else
		handshake_advance_tls(session);
}

static int authenticate(struct srdma_session *session)
{
	int error = identity_new(tls_peer_certificate(session->control.tls),
	                         &session->identity);

	if (error)
		return error;
	if (!session->client)
		error = session_admit(session);
	if (!error)
		error = trust_begin(session);
	if (error)
		return error;
	session->attested |= SRDMA_ATTESTED_TLS;
	if (!session->handlers->on_authenticated)
		return 0;
	if (session->handlers->on_authenticated(session, session->user))
		return fail(SRDMA_EREFUSED, "'%s' is not allowed here",
		            srdma_identity_text(session->identity));
	return 0;
}

static uint32_t offer(const struct srdma_session *session)
{
	uint32_t allowed =
	        (uint32_t)session->worker->options.number[SRDMA_OPT_PROTECTION];

	return protection_aes_is_slow() ? allowed | PROTECTION_AVOID_AES : allowed;
}

static int send_hello(struct srdma_session *session)
{
	const uint64_t *number = session->worker->options.number;
	struct frame frame = {
		.type = FRAME_HELLO,
		.hello = { .version_min = VERSION_MIN,
		           .version_max = VERSION_MAX,
		           .role = role_of(session, true),
		           .transport = (uint8_t)session->worker->transport->number,
		           .connect = (uint8_t)session->connect,
		           .credits = (uint16_t)number[SRDMA_OPT_CREDITS],
		           .message_size = (uint32_t)number[SRDMA_OPT_MESSAGE_SIZE],
		           .max_grants = (uint16_t)number[SRDMA_OPT_MAX_GRANTS] }
	};

	frame.hello.protection =
	        session->protection ? session->protection->bit : offer(session);
	frame.hello.packets = session->client ? packets_offer(session) : session->packets;
	return send_covered(session, &frame);
}

static int export_keys(struct srdma_session *session)
{
	return tls_export(session->control.tls, PROOF_LABEL, NULL, 0,
	                  session->handshake->proof_key, PROOF_SIZE);
}

void handshake_advance_tls(struct srdma_session *session)
{
	const uint64_t *number = session->worker->options.number;
	int error = tls_handshake(session->control.tls);

	if (error == SRDMA_EBLOCKED) {
		if (tls_answered(session->control.tls))
			strangers_answered(session);
		session_update_events(session);
		return;
	}
	if (!error) {
		strangers_leave(session);
		session->phase = PHASE_HELLO;
		error = authenticate(session);
	}
	if (session->failure)
		return;
	if (!error)
		error = export_keys(session);
	if (!error && session->client) {
		session->connect = number[SRDMA_OPT_CONNECT] & SRDMA_CONNECT_DIRECT
		                           ? SRDMA_CONNECT_DIRECT
		                           : SRDMA_CONNECT_CM;
		error = send_hello(session);
	}
	if (error) {
		session_fail(session, error);
		return;
	}
	enter(session, PHASE_HELLO);
	frames_read(session);
}

/*
 * HELLO and ENDPOINT
 */

static int open_endpoint(struct srdma_session *session, const struct frame_hello *peer)
{
	const uint64_t *number = session->worker->options.number;
	struct endpoint_plan plan = {
		.events = &data_events,
		.owner = session,
		.peer = session->name,
		.connect = session->connect,
		.sends = (unsigned)number[SRDMA_OPT_SEND_DEPTH] + SPARE_SENDS,
		.receives = receives_of(number, session->protection->sealed),
		.message = message_room(number),
		.reads = (unsigned)number[SRDMA_OPT_READ_DEPTH],
		.one_sided = !session->protection->sealed,
	};
	socklen_t length = sizeof(plan.local), remote_length = sizeof(plan.remote);
	int error = data_open(session, peer);

	if (error)
		return error;
	if (getsockname(session->socket.fd, (struct sockaddr *)&plan.local, &length) ||
	    getpeername(session->socket.fd, (struct sockaddr *)&plan.remote,
	                &remote_length))
		return fail(SRDMA_ESYSTEM, "cannot read a socket's address: %s",
		            errno_text(errno));
	error = session->worker->transport->open(session->worker, &plan,
	                                         &session->endpoint);
	return error ? error : packets_protect(session);
}

static int check_hello(struct srdma_session *session, const struct frame_hello *hello)
{
	const struct transport *ours = session->worker->transport;

	if (hello->role != role_of(session, false))
		return fail(SRDMA_EPROTOCOL, "%s is in our own role", session->name);
	if (hello->version_min > VERSION_MAX || hello->version_max < VERSION_MIN)
		return fail(SRDMA_EVERSION,
		            "%s speaks versions %u to %u of the protocol, we %u",
		            session->name, hello->version_min, hello->version_max,
		            VERSION_MAX);
	if (hello->transport != ours->number)
		return fail(SRDMA_EVERSION,
		            "%s uses the transport '%s', we '%s': both sides have to "
		            "name the same",
		            session->name, transport_name(hello->transport), ours->name);
	if (ours != &transport_verbs && hello->connect != SRDMA_CONNECT_DIRECT)
		return fail(SRDMA_EPROTOCOL, "%s asks for no known way to connect",
		            session->name);
	return 0;
}

static int accept_hello(struct srdma_session *session, const struct frame_hello *hello)
{
	const uint64_t *number = session->worker->options.number;
	int error;

	session->protection = protection_choose(hello->protection,
	                                        (uint32_t)number[SRDMA_OPT_PROTECTION],
	                                        protection_aes_is_slow());
	if (!session->protection)
		return fail(SRDMA_EVERSION,
		            "%s offers no data protection that is allowed here: %s",
		            session->name,
		            number[SRDMA_OPT_PROTECTION] & SRDMA_PROTECTION_SEALED
		                    ? "messages must be sealed"
		                    : "messages are not sealed here");
	if (hello->connect != SRDMA_CONNECT_DIRECT && hello->connect != SRDMA_CONNECT_CM)
		return fail(SRDMA_EPROTOCOL, "%s asks for no known way to connect",
		            session->name);
	if (!(hello->connect & number[SRDMA_OPT_CONNECT]))
		return fail(SRDMA_EVERSION,
		            "connecting by '%s' is not allowed here: use '%s'",
		            hello->connect == SRDMA_CONNECT_CM ? "cm" : "direct",
		            hello->connect == SRDMA_CONNECT_CM ? "direct" : "cm");
	session->connect = hello->connect;
	error = packets_choose(session, hello->packets);
	return error ? error : send_hello(session);
}

/* A server's choice must be one that we gave it. */
static int take_choice(struct srdma_session *session, const struct frame_hello *hello)
{
	const uint64_t *number = session->worker->options.number;

	session->protection = protection_chosen(hello->protection,
	                                        (uint32_t)number[SRDMA_OPT_PROTECTION]);
	if (!session->protection || hello->connect != session->connect)
		return fail(SRDMA_EPROTOCOL, "%s chose what it was not offered",
		            session->name);
	return packets_take_choice(session, hello->packets);
}

static int send_endpoint(struct srdma_session *session, uint16_t cm_port)
{
	struct frame frame;
	int error;

	session->endpoint->transport->describe(session->endpoint, &frame);
	if (cm_port) {
		frame.endpoint.cm_port = cm_port;
		memcpy(frame.endpoint.token, session->handshake->token, FRAME_TOKEN);
	}
	error = send_covered(session, &frame);
	OPENSSL_cleanse(&frame, sizeof(frame));
	return error;
}

static int take_hello(struct srdma_session *session, const struct frame_hello *hello)
{
	int error = check_hello(session, hello);

	if (error)
		return error;
	session->max_grants = hello->max_grants;
	if (session->client) {
		error = take_choice(session, hello);
		if (!error)
			error = open_endpoint(session, hello);
		if (!error)
			error = send_endpoint(session, 0);
	} else {
		error = accept_hello(session, hello);
		if (!error)
			error = open_endpoint(session, hello);
	}
	if (!error)
		enter(session, PHASE_ENDPOINT);
	return error;
}

static int take_fingerprints(struct srdma_session *session)
{
	const struct transport *transport = session->endpoint->transport;
	uint8_t salt[PSN_SALT];
	int error;

	if (!transport->fingerprint)
		return 0;
	error = tls_export(session->control.tls, PSN_LABEL, NULL, 0, salt, sizeof(salt));
	if (!error)
		error = transport->fingerprint(session->endpoint, session->client, salt,
		                               sizeof(salt), session->psn_local,
		                               session->psn_peer);
	OPENSSL_cleanse(salt, sizeof(salt));
	return error;
}

static void start_proof(struct srdma_session *session)
{
	struct handshake *handshake = session->handshake;
	uint8_t proof[PROOF_SIZE];
	int error;

	if (!handshake->ready_sent || !handshake->peer_ready)
		return;
	enter(session, PHASE_PROOF);
	error = sealing_start(session);
	if (!error)
		error = proof_make(&handshake->transcript, handshake->proof_key,
		                   role_of(session, true), proof);
	if (!error)
		error = data_send_proof(session, proof, sizeof(proof));
	if (error)
		session_fail(session, error);
}

/*
 * The endpoint is connected. Before the peer hears so, nothing it sends can have moved
 * what is confirmed here.
 */
static int report_ready(struct srdma_session *session)
{
	int error = session->endpoint->transport->confirm(session->endpoint,
	                                                  &session->attested);

	if (error)
		return error;
	enter(session, PHASE_READY);
	session_send(session, &(struct frame){ .type = FRAME_READY });
	session->handshake->ready_sent = true;
	start_proof(session);
	return 0;
}

void handshake_cm_done(struct srdma_session *session)
{
	int error = report_ready(session);

	if (error)
		session_fail(session, error);
}

static int connect_direct(struct srdma_session *session, const struct frame *peer)
{
	int error = session->endpoint->transport->connect(session->endpoint, peer);

	if (!error && !session->client)
		error = send_endpoint(session, 0);
	return error ? error : report_ready(session);
}

static int connect_cm(struct srdma_session *session)
{
	uint16_t port;
	int error;

	if (session->client) {
		enter(session, PHASE_CM);
		return cm_connect(session);
	}
	error = cm_expect(session, &port);
	if (!error)
		error = send_endpoint(session, port);
	if (!error)
		enter(session, PHASE_CM);
	return error;
}

static int take_endpoint(struct srdma_session *session, const struct frame *peer)
{
	int error;

	session->handshake->peer = *peer;
	error = session->endpoint->transport->learn(session->endpoint, peer);
	if (!error)
		error = take_fingerprints(session);
	if (error)
		return error;
	if (session->connect == SRDMA_CONNECT_CM)
		return connect_cm(session);
	return connect_direct(session, peer);
}

static int take_ready(struct srdma_session *session)
{
	if (session->handshake->peer_ready)
		return fail(SRDMA_EPROTOCOL, "%s sent READY twice", session->name);
	session->handshake->peer_ready = true;
	start_proof(session);
	return 0;
}

/*
 * The proof
 */

static void establish(struct srdma_session *session)
{
	uint64_t keepalive = session->worker->options.number[SRDMA_OPT_KEEPALIVE];
	bool paused = session->handshake->paused;

	unsigned needed = session->endpoint->transport->attests;

	if ((session->attested & needed) != needed)
		return;
	handshake_free(session->handshake);
	session->handshake = NULL;
	session->phase = PHASE_OPEN;
	session->established = true;
	session->established_us = clock_us() - session->started_us;
	session->worker->stats.sessions_established++;
	timer_cancel(&session->worker->timers, &session->timer);
	if (keepalive)
		session_set_timer(session, keepalive);
	log_debug("session#%llu: established with %s", (unsigned long long)session->id,
	          session->name);
	if (session->handlers->on_established)
		session->handlers->on_established(session, session->user);
	data_deliver(session);
	if (paused && !session->failure) {
		session->more = true;
		session_needs_attention(session);
	}
}

void handshake_proof(struct srdma_session *session, const uint8_t *proof, size_t length)
{
	uint8_t expected[PROOF_SIZE];
	bool right;
	int error;

	if (!session->handshake || !session->handshake->ready_sent ||
	    session->attested & SRDMA_ATTESTED_PROOF_RECEIVED) {
		session_fail(session,
		             fail(SRDMA_EPROTOCOL, "%s sent a proof out of place",
		                  session->name));
		return;
	}
	error = proof_make(&session->handshake->transcript, session->handshake->proof_key,
	                   role_of(session, false), expected);
	right = !error && length == PROOF_SIZE && proof_equal(expected, proof);
	OPENSSL_cleanse(expected, sizeof(expected));
	if (!right) {
		session_fail(
		        session,
		        fail(SRDMA_EPROOF,
		             "the queue pair does not lead to %s: its proof is wrong",
		             session->name));
		return;
	}
	session->attested |= SRDMA_ATTESTED_PROOF_RECEIVED;
	session_send(session, &(struct frame){ .type = FRAME_PROVEN });
	establish(session);
}

static int take_proven(struct srdma_session *session)
{
	if (session->attested & SRDMA_ATTESTED_PROOF_ACCEPTED)
		return fail(SRDMA_EPROTOCOL, "%s sent PROVEN twice", session->name);
	session->attested |= SRDMA_ATTESTED_PROOF_ACCEPTED;
	/* What follows belongs to the established session: it waits for the peer's proof.
	 */
	session->handshake->paused = true;
	establish(session);
	return 0;
}

void handshake_frame(struct srdma_session *session, const struct frame *frame,
                     const uint8_t *raw, size_t length)
{
	enum frame_type description = session->worker->transport->description;
	enum phase phase = session->phase;
	int error = 0;

	if (frame->type == FRAME_HELLO || frame->type == description)
		error = transcript_add(&session->handshake->transcript,
		                       role_of(session, false), frame->type, raw, length);
	if (error)
		fail(error, "%s: %s", session->name, srdma_detail());
	else if (frame->type == FRAME_HELLO && phase == PHASE_HELLO)
		error = take_hello(session, &frame->hello);
	else if (frame->type == description && phase == PHASE_ENDPOINT)
		error = take_endpoint(session, frame);
	else if (frame->type == FRAME_READY &&
	         (phase == PHASE_READY || phase == PHASE_CM))
		error = take_ready(session);
	else if (frame->type == FRAME_PROVEN && phase == PHASE_PROOF)
		error = take_proven(session);
	else
		error = fail(SRDMA_EPROTOCOL, "%s sent %s out of place", session->name,
		             frame_name(frame->type));
	if (error)
		session_fail(session, error);
}
