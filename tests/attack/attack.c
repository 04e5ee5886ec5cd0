// SPDX-License-Identifier: BSD-2-Clause
/*
 * An attacker of our own: forges packets to queue pairs without protection, to sessions
 * that have a secret PSN alone, to sealed ones, and to such whose devices protect each
 * packet, and shows what came of it.
 *
 *   attack [MILLIONS]      of packets for the count at the end, 0.05 unless told
 * otherwise
 *
 * To be run on the mock, over packets, on a loopback interface of its own (attack.sh does
 * so). Ends with 1 when an attack on the unprotected queue pair fails, which would prove
 * nothing, or when what is forged is taken for true in a sealed session, or has any
 * effect where packets are protected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aim.h"
#include "answers.h"
#include "count.h"
#include "disconnect.h"
#include "flood.h"
#include "forge.h"
#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"
#include "../unit/lib/pki.h"
#include "session/message.h"
#include "victim.h"

enum {
	QUIET_MS = 100, /* for libraries to tell what the device took, of what it has */
	PAUSE_MS = 20,  /* between tries */
	SESSION = 1 << 24, /* packets, to a session: all PSNs */
};

/* What an attack is made for. */
enum gain {
	FALSEHOOD,  /* something is taken for true; nothing in a sealed session */
	COMPLETION, /* of what did not arrive: a session must find that when it closes */
	END,        /* of the connection; a session's must have a name */
	COST,       /* of time and packets: nobody keeps one on the path from that */
};

struct attack {
	const char *name;
	enum gain gain;
	bool blind; /* whoever makes it sees nothing: nothing may come of it */
	/* Sends it. */
	void (*run)(struct victim *victim, struct forger *forger);
	/* Whether the attacker has what he wanted. */
	bool (*succeeded)(const struct victim *victim, const struct victim *before);
};

static const char *const kind_names[VICTIM_KINDS] = { "unprotected", "secret PSN",
	                                              "sealed", "each packet" };

static const char *const packets_refused[] = { "drop_plain", "drop_tag", "drop_repeated",
	                                       NULL };

/*
 * What is forged
 */

static struct roce send_packet(const struct victim *victim, uint32_t psn)
{
	struct roce packet = { .opcode = RC_SEND_ONLY_IMM,
		               .pkey = 0xffff,
		               .ack_request = true,
		               .dest_qpn = victim_qpn(victim),
		               .psn = psn & PSN_MASK_24,
		               .payload = (const uint8_t *)FORGED,
		               .length = sizeof(FORGED) };

	packet.immediate = message_encode((struct message_head){ .type = MESSAGE_DATA });
	return packet;
}

static struct roce write_packet(const struct victim *victim, uint32_t psn)
{
	struct roce packet = send_packet(victim, psn);

	packet.opcode = RC_WRITE_ONLY;
	packet.va = victim->va;
	packet.rkey = victim->rkey;
	packet.dma_length = sizeof(FORGED);
	return packet;
}

static void known_send(struct victim *victim, struct forger *forger)
{
	aim_known(victim, forger, send_packet, victim_psn(victim));
}

static void known_write(struct victim *victim, struct forger *forger)
{
	aim_known(victim, forger, write_packet, victim_psn(victim));
}

static void guessed_send(struct victim *victim, struct forger *forger)
{
	aim_guesses(victim, forger, send_packet, requests_refused);
}

static void guessed_write(struct victim *victim, struct forger *forger)
{
	aim_guesses(victim, forger, write_packet, requests_refused);
}

/* Counters give the next key; a drawn one may be any of 2^32. */
static struct roce write_guessing_key(const struct victim *victim, uint32_t psn)
{
	struct roce packet = write_packet(victim, psn);

	if (victim->kind != UNPROTECTED)
		packet.rkey = (uint32_t)random();
	return packet;
}

static void guessed_key(struct victim *victim, struct forger *forger)
{
	aim_known(victim, forger, write_guessing_key, victim_psn(victim));
}

static struct roce wrong_key(const struct victim *victim, uint32_t psn)
{
	struct roce packet = write_packet(victim, psn);

	packet.rkey = ~packet.rkey;
	return packet;
}

static void kill_by_key(struct victim *victim, struct forger *forger)
{
	aim_known(victim, forger, wrong_key, victim_psn(victim));
}

/* A true packet of the peer's, once more: with the number that it had, and the next. */
static void replay(struct victim *victim, struct forger *forger)
{
	enum { PSN_OCTET = 9 }; /* of the BTH */
	static struct tapped tapped;
	uint32_t next;
	uint8_t *psn;
	uint8_t opcode = victim->kind == UNPROTECTED ? RC_SEND_ONLY : RC_SEND_ONLY_IMM;
	int tap = tap_open();

	CHECK_CALL(tap);
	victim_serve(victim, "pay ten to the bearer");
	CHECK(tap_next(tap, opcode, victim_qpn(victim), &tapped));
	close(tap);
	forge_bytes(forger, tapped.bth, tapped.length);
	next = victim_psn(victim);
	psn = tapped.bytes + (tapped.bth - tapped.bytes) + PSN_OCTET;
	for (int i = 0; i < 3; i++)
		psn[i] = (uint8_t)(next >> (16 - 8 * i));
	forge_bytes(forger, tapped.bth, tapped.length);
}

/*
 * What came of it
 */

static bool message_taken(const struct victim *victim, const struct victim *before)
{
	return victim->received > before->received;
}

/* The true message before it is one. */
static bool message_taken_twice(const struct victim *victim, const struct victim *before)
{
	return victim->received > before->received + 1;
}

static bool memory_written(const struct victim *victim, const struct victim *before)
{
	(void)before;
	return !memcmp(victim->memory, FORGED, sizeof(FORGED));
}

static bool connection_ended(const struct victim *victim, const struct victim *before)
{
	(void)before;
	return victim->broken;
}

static bool request_completed(const struct victim *victim, const struct victim *before)
{
	return victim->completed > before->completed;
}

static bool response_taken(const struct victim *victim, const struct victim *before)
{
	(void)before;
	return !memcmp(victim->answer, FORGED, sizeof(FORGED));
}

static bool peer_was_put_off(const struct victim *victim, const struct victim *before)
{
	(void)victim;
	return victim_put_off() > before->put_off;
}

static const struct attack attacks[] = {
	{ "off path: SEND, PSN guessed", FALSEHOOD, true, guessed_send, message_taken },
	{ "off path: WRITE, PSN guessed", FALSEHOOD, true, guessed_write,
	  memory_written },
	{ "off path: ACK, PSN guessed", COMPLETION, true, answers_guessed_ack,
	  request_completed },
	{ "off path: NAK, PSN guessed", END, true, answers_guessed_nak,
	  connection_ended },
	{ "off path: READ response, likewise", FALSEHOOD, true, answers_guessed_response,
	  response_taken },
	{ "on path: WRITE, rkey guessed", FALSEHOOD, false, guessed_key, memory_written },
	{ "on path: SEND, all known", FALSEHOOD, false, known_send, message_taken },
	{ "on path: WRITE, all known", FALSEHOOD, false, known_write, memory_written },
	{ "on path: READ response, all known", FALSEHOOD, false, answers_known_response,
	  response_taken },
	{ "on path: a message replayed", FALSEHOOD, false, replay, message_taken_twice },
	{ "on path: ACK of a message withheld", COMPLETION, false, answers_known_ack,
	  request_completed },
	{ "on path: a wrong key ends it", END, false, kill_by_key, connection_ended },
	{ "on path: NAK (remote access)", END, false, answers_known_nak,
	  connection_ended },
	{ "on path: NAK (PSN sequence)", COST, false, answers_sequence_nak,
	  peer_was_put_off },
	{ "on path: NAK (receiver not ready)", COST, false, answers_rnr_nak,
	  peer_was_put_off },
};

enum { ATTACKS = sizeof(attacks) / sizeof(attacks[0]) };

static const char *outcome_if_not(const struct attack *attack,
                                  const struct victim *victim)
{
	if (attack->gain == END || attack->gain == COST)
		return "no effect";
	return victim->broken ? "refused, ended" : "refused";
}

/* Whoever is told of an end by name can act on it; that one on the path can end a
 * connection no seal prevents. */
static const char *outcome(const struct attack *attack, const struct victim *victim,
                           bool yes)
{
	if (!yes)
		return outcome_if_not(attack, victim);
	switch (attack->gain) {
	case COMPLETION: return victim->broken ? "found at close" : "SUCCEEDS";
	case END: return victim->kind == SEALED ? "ended, named" : "ended";
	case COST: return "costs time";
	default: return "SUCCEEDS";
	}
}

/* Answers whether it is as it has to be. */
static bool is_right(const struct attack *attack, const struct victim *victim, bool yes)
{
	if (victim->kind == UNPROTECTED)
		return yes;
	if (victim->kind == PROTECTED)
		return !yes && !victim->broken;
	switch (attack->gain) {
	case COMPLETION: return !yes || victim->broken;
	case END: return !yes || *victim_end(victim);
	case COST: return !victim->broken;
	default: return victim->kind == SECRET_PSN || !yes;
	}
}

/* How long to wait for what comes of it. Where the device drops all of it, it says so. */
static int patience(const struct attack *attack, enum victim_kind kind, uint64_t dropped)
{
	if (kind == PROTECTED && count_reaches(packets_refused, dropped))
		return QUIET_MS;
	return attack->blind && kind != UNPROTECTED ? QUIET_MS : PATIENCE_MS;
}

static bool try_one(const struct attack *attack, enum victim_kind kind)
{
	static struct victim victim, before;
	struct forger forger;
	bool yes, right;
	uint64_t end, dropped;

	victim_open(&victim, kind);
	before = victim;
	forger_open(&forger, ADDRESS_OF_PEER);
	dropped = counted(packets_refused);
	attack->run(&victim, &forger);
	end = deadline_in(patience(attack, kind, dropped + forger.sent));
	do {
		victim_look(&victim);
		yes = attack->succeeded(&victim, &before);
	} while (!yes && !victim.broken && !deadline_passed(end));
	if (yes && attack->gain == COMPLETION)
		victim_finish(&victim);
	right = is_right(attack, &victim, yes);
	printf("| %-14s ", outcome(attack, &victim, yes));
	fflush(stdout);
	if (!right)
		fprintf(stderr, "attack: %s, %s: %s (%s)\n", attack->name,
		        kind_names[kind], yes ? "it succeeded" : "it did not succeed",
		        victim_end(&victim));
	forger_close(&forger);
	victim_close(&victim);
	return right;
}

static bool try_all(void)
{
	bool right = true;

	printf("| %-34s ", "attack");
	for (int kind = 0; kind < VICTIM_KINDS; kind++)
		printf("| %-14s ", kind_names[kind]);
	printf("|\n|------------------------------------");
	for (int kind = 0; kind < VICTIM_KINDS; kind++)
		printf("|----------------");
	printf("|\n");
	for (int i = 0; i < ATTACKS; i++) {
		printf("| %-34s ", attacks[i].name);
		for (int p = 0; p < VICTIM_KINDS; p++)
			right &= try_one(&attacks[i], (enum victim_kind)p);
		printf("|\n");
	}
	return right;
}

/*
 * The count
 */

struct sweep {
	struct victim victim;
	struct forger forger;
	unsigned long long ended; /* sessions, each with a named error */
	unsigned long long accepted;
	unsigned before; /* messages */
};

static void count_accepted(struct sweep *sweep)
{
	victim_look(&sweep->victim);
	sweep->accepted += sweep->victim.received - sweep->before;
	sweep->before = sweep->victim.received;
}

static void look_at_sweep(struct sweep *sweep)
{
	count_accepted(sweep);
	if (!sweep->victim.broken)
		return;
	CHECK_EQ(sweep->victim.duo.server.code, SRDMA_ESEAL);
	sweep->ended++;
	victim_close(&sweep->victim);
	victim_open(&sweep->victim, SEALED);
	sweep->before = sweep->victim.received;
}

/* The device drops the right PSN, too, as long as there were many guesses; after that the
 * seal has its say. */
static void forge_until_closed(struct sweep *sweep)
{
	uint64_t end = deadline_in(PATIENCE_MS);

	do {
		known_send(&sweep->victim, &sweep->forger);
		pass_ms(PAUSE_MS);
		victim_look(&sweep->victim);
	} while (!sweep->victim.duo.server.closed && !deadline_passed(end));
	CHECK(sweep->victim.duo.server.closed);
}

/* So many PSNs in turn; the session goes on; and at last the PSN that is expected. */
static void sweep_session(struct sweep *sweep, uint32_t *psn, unsigned long long packets)
{
	struct roce packet = send_packet(&sweep->victim, 0);
	uint64_t refused = counted(requests_refused);
	uint32_t expected = victim_psn(&sweep->victim);

	for (unsigned long long i = 0; i < packets; i++, (*psn)++) {
		packet.psn = *psn & PSN_MASK_24;
		if (packet.psn == expected)
			continue;
		forge(&sweep->forger, &packet);
		refused++;
		if (i % BATCH == BATCH - 1)
			count_reaches(requests_refused, refused);
	}
	count_reaches(requests_refused, refused);
	count_accepted(sweep);
	victim_serve(&sweep->victim, "still there");
	sweep->before = sweep->victim.received;
	forge_until_closed(sweep);
	look_at_sweep(sweep);
}

/* At queue pairs that are there, in sessions of SESSION packets each. */
static bool sweep(double millions)
{
	static struct sweep sweep;
	unsigned long long wanted = (unsigned long long)(millions * 1e6);
	uint64_t refused = counted(requests_refused);
	uint32_t psn = (uint32_t)random();

	victim_open(&sweep.victim, SEALED);
	forger_open(&sweep.forger, ADDRESS_OF_PEER);
	sweep.before = sweep.victim.received;
	while (sweep.forger.sent < wanted)
		sweep_session(&sweep, &psn, wanted < SESSION ? wanted : SESSION);
	refused = counted(requests_refused) - refused;
	printf("\nforged packets accepted with sealing: %llu of %llu\n", sweep.accepted,
	       sweep.forger.sent);
	printf("(refused by the device: %llu; ended their session, by the name of the "
	       "seal: %llu)\n",
	       (unsigned long long)refused, sweep.ended);
	victim_close(&sweep.victim);
	forger_close(&sweep.forger);
	return !sweep.accepted && sweep.ended &&
	       refused + sweep.ended >= sweep.forger.sent;
}

/*
 * What the device alone refuses, in each of them
 */

/* Whoever knows all, but cannot send from the peer's address. */
static bool from_elsewhere(enum victim_kind kind)
{
	static const char *const names[] = { "drop_address", "drop_plain", NULL };
	static struct victim victim;
	struct forger forger;
	uint64_t before;
	unsigned int received;
	bool refused;

	victim_open(&victim, kind);
	forger_open(&forger, ADDRESS_ELSEWHERE);
	before = counted(names);
	received = victim.received;
	known_send(&victim, &forger);
	known_write(&victim, &forger);
	count_reaches(names, before + forger.sent);
	victim_look(&victim);
	refused = counted(names) == before + forger.sent && !victim.broken &&
	          victim.received == received && !memory_written(&victim, &victim);
	victim_serve(&victim, "still there");
	forger_close(&forger);
	victim_close(&victim);
	return refused;
}

static bool try_elsewhere(void)
{
	bool right = true;

	for (int kind = 0; kind < VICTIM_KINDS; kind++)
		right &= from_elsewhere((enum victim_kind)kind);
	printf("\nfrom another address than the peer's, all else known: %s\n",
	       right ? "dropped by the device, each counted (drop_address, drop_plain)"
	             : "NOT ALWAYS REFUSED");
	return right;
}

int main(int argc, char **argv)
{
	double millions = argc > 1 ? strtod(argv[1], NULL) : 0.05;
	struct ibv_context *stays;
	bool right;

	check_in_child("attack");
	srandom((unsigned int)now_ns());
	pki_open();
	/* What the device counts is gone with the last who has it open. */
	stays = rc_open_device();
	right = try_all();
	right &= try_elsewhere();
	right &= disconnect_all();
	right &= flood(millions < 1 ? 500 : 5000);
	right &= sweep(millions);
	CHECK_EQ(ibv_close_device(stays), 0);
	pki_close();
	return !right;
}
