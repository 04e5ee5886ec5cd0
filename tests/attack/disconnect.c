// SPDX-License-Identifier: BSD-2-Clause
#include "disconnect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/lib/check.h"
#include "../unit/lib/connection.h"
#include "../unit/lib/deadline.h"
#include "../unit/lib/duo.h"
#include "aim.h"
#include "count.h"
#include "forge.h"
#include "session/session.h"
#include "session/verbs_endpoint.h"
#include "wire/mad.h"

enum { GUESSES = 2000, QUIET_MS = 100 };

enum target { PROGRAM, SESSION_BY_CM, SESSION_DIRECT, TARGETS };

static const char *const target_names[TARGETS] = { "unprotected", "session, cm",
	                                           "session, direct" };

/* What the accepting side of a connection is called by: its REP says it. */
struct names {
	uint32_t peer, own; /* communication ids */
	uint32_t qpn;
};

struct disconnect {
	enum target target;
	struct cn_pair pair; /* PROGRAM */
	struct duo duo;
	struct names names;
};

/*
 * Those who are attacked
 */

static struct names seen_in_rep(int tap)
{
	static struct tapped tapped;
	struct mad mad;

	do
		CHECK(tap_next(tap, UD_SEND_ONLY, MAD_QPN, &tapped));
	while (mad_decode(tapped.packet.payload, tapped.packet.length, &mad) != MAD_OK ||
	       mad.kind != MAD_REP);
	return (struct names){ mad.remote_id, mad.local_id, mad.rep.qpn };
}

static void open_session(struct disconnect *d, enum srdma_connect connect)
{
	duo_protection = 0;
	duo_packets = SRDMA_PACKETS_OFF;
	duo_open(&d->duo);
	CHECK_SRDMA(srdma_context_set_number(d->duo.client.context, SRDMA_OPT_CONNECT,
	                                     connect));
	duo_start(&d->duo);
	duo_connect(&d->duo);
}

static void open_target(struct disconnect *d, enum target target)
{
	int tap = tap_open();

	CHECK_CALL(tap);
	*d = (struct disconnect){ .target = target };
	if (target == PROGRAM) {
		cn_pair_open(&d->pair);
		cn_pair_connect(&d->pair);
	} else {
		open_session(d, target == SESSION_BY_CM ? SRDMA_CONNECT_CM
		                                        : SRDMA_CONNECT_DIRECT);
	}
	/* A direct session has no ids: any are as good as others. */
	if (target == SESSION_DIRECT)
		d->names = (struct names){
			(uint32_t)random(), (uint32_t)random(),
			to_verbs(d->duo.server.session->endpoint)->qp->qp_num
		};
	else
		d->names = seen_in_rep(tap);
	close(tap);
}

static void close_target(struct disconnect *d)
{
	if (d->target == PROGRAM)
		cn_pair_close(&d->pair);
	else
		duo_close(&d->duo);
}

static bool has_ended(struct disconnect *d)
{
	struct pollfd event = { .events = POLLIN };

	if (d->target != PROGRAM) {
		duo_turn(&d->duo);
		return d->duo.server.closed || d->duo.client.closed;
	}
	event.fd = d->pair.server_channel->fd;
	if (poll(&event, 1, 0) != 1)
		return false;
	cn_expect(d->pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	return true;
}

/* A message still arrives. */
static bool goes_on(struct disconnect *d)
{
	unsigned before = d->duo.server.messages;
	uint64_t end = deadline_in(PATIENCE_MS);

	if (srdma_send(d->duo.client.session, "still there", 11, NULL))
		return false;
	while (d->duo.server.messages == before && !has_ended(d))
		if (deadline_passed(end))
			return false;
	return d->duo.server.messages > before;
}

/*
 * The attacker
 */

static void forge_dreq(struct forger *forger, const struct names *names)
{
	uint8_t bytes[MAD_SIZE];
	const struct mad mad = { .kind = MAD_DREQ,
		                 .tid = forger->sent + 1,
		                 .local_id = names->peer,
		                 .remote_id = names->own,
		                 .dreq.qpn = names->qpn };
	const struct roce packet = { .opcode = UD_SEND_ONLY,
		                     .pkey = MAD_PKEY,
		                     .dest_qpn = MAD_QPN,
		                     .qkey = MAD_QKEY,
		                     .source_qpn = MAD_QPN,
		                     .payload = bytes,
		                     .length = sizeof(bytes) };

	mad_encode(&mad, bytes);
	forge(forger, &packet);
}

static void known(struct disconnect *d, struct forger *forger)
{
	forge_dreq(forger, &d->names);
}

/* Without protection ids count, and he has seen others before. */
static void guessed(struct disconnect *d, struct forger *forger)
{
	static const char *const arrived[] = { "net_rcvd_pkts", NULL };
	uint64_t before = counted(arrived);

	if (d->target == PROGRAM) {
		known(d, forger);
		return;
	}
	while (forger->sent < GUESSES) {
		struct names names = d->names;

		names.peer = (uint32_t)random();
		names.own = (uint32_t)random();
		forge_dreq(forger, &names);
		if (forger->sent % BATCH == 0)
			count_reaches(arrived, before + forger->sent);
	}
}

static const struct request {
	const char *name;
	void (*make)(struct disconnect *d, struct forger *forger);
} requests[] = {
	{ "off path: DREQ, ids guessed", guessed },
	{ "on path: DREQ, all known", known },
};

static bool try_one(const struct request *request, enum target target)
{
	static struct disconnect d;
	struct forger forger;
	bool ended = false, right;
	uint64_t end;

	open_target(&d, target);
	forger_open(&forger, ADDRESS_OF_PEER);
	request->make(&d, &forger);
	end = deadline_in(target == PROGRAM ? PATIENCE_MS : QUIET_MS);
	while (!ended && !deadline_passed(end))
		ended = has_ended(&d);
	/* A session listens to TLS alone when it is about its end. */
	right = target == PROGRAM ? ended : !ended && goes_on(&d);
	printf("| %-15s ", ended ? "ended" : "no effect");
	if (!right)
		fprintf(stderr, "attack: %s, %s: %s\n", request->name,
		        target_names[target], ended ? "it ended" : "it did not end");
	forger_close(&forger);
	close_target(&d);
	return right;
}

bool disconnect_all(void)
{
	bool right = true;

	printf("\n| %-34s ", "disconnect requests");
	for (int t = 0; t < TARGETS; t++)
		printf("| %-15s ", target_names[t]);
	printf("|\n|------------------------------------");
	for (int t = 0; t < TARGETS; t++)
		printf("|-----------------");
	printf("|\n");
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		printf("| %-34s ", requests[i].name);
		for (int t = 0; t < TARGETS; t++)
			right &= try_one(&requests[i], (enum target)t);
		printf("|\n");
	}
	return right;
}
