/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that arrive, in whatever thread takes them from the network. Each is for one
 * QP's responder or for its completer. What follows from them is done when all that have
 * arrived are taken: one acknowledgement for many requests, one turn of the requester for
 * many acknowledgements.
 */
#include "transport/wire.h"

#include <string.h>
#include "host/registry.h"
#include "host/segment.h"
#include "object/group.h"
#include "object/protection.h"
#include "transport/wire_responder.h"

enum { ICRC_SIZE = 4, LATER = 64, GROUP_KEPT = 256, FAREWELLS = 3 };

/* Of this thread: those that packets came for, until wire_settled(). */
static _Thread_local struct {
	struct qp_shared *answer[LATER]; /* owe an acknowledgement */
	unsigned int answers;
	struct qp *run[LATER]; /* may go on sending; held */
	unsigned int runs;
} later;

/* Not to become part of what posts and polls, which is one piece of code each. */
__attribute__((noinline)) void wire_answer_now(struct qp_shared *qp)
{
	struct wire_responder *state = wire_responder_of(qp);

	if (state && state->due)
		wire_reply(peer_self(), qp, state);
}

void wire_acknowledge_again(struct qp_shared *qp, struct wire_responder *state)
{
	if (!state->due) {
		state->due = true;
		state->syndrome = AETH_ACK;
		state->due_psn = psn_add(qp->epsn, (uint32_t)-1);
	}
	wire_answer_now(qp);
}

void wire_farewell(struct qp_shared *qp)
{
	struct wire_responder *state = wire_responder_of(qp);

	if (!state)
		return;
	wire_answer_now(qp);
	if (qp->transport != BTH_RC || !state->received || state->due ||
	    atomic_load(&qp->state) == IBV_QPS_ERR)
		return;
	for (unsigned int i = 0; i < FAREWELLS; i++)
		wire_acknowledge_again(qp, state);
}

static void take_leave(struct qp *qp)
{
	if (!qp->opened) {
		responder_lock(peer_self(), qp->sh);
		wire_farewell(qp->sh);
		owner_unlock(&qp->sh->lock);
	}
	qp_release(qp);
}

void wire_farewells(void)
{
	qp_each(take_leave);
}

static void send_answers(void)
{
	for (unsigned int i = 0; i < later.answers; i++) {
		struct qp_shared *qp = later.answer[i];

		responder_lock(peer_self(), qp);
		wire_answer_now(qp);
		owner_unlock(&qp->lock);
	}
	later.answers = 0;
}

static void run_requesters(void)
{
	for (unsigned int i = 0; i < later.runs; i++) {
		struct qp *qp = later.run[i];

		owner_lock(&qp->sq.lock);
		requester_run(qp);
		owner_unlock(&qp->sq.lock);
		qp_release(qp);
	}
	later.runs = 0;
}

static void settled(void)
{
	send_answers();
	run_requesters();
}

/* The responder's lock is held. */
void wire_answer_later(struct qp_shared *qp)
{
	for (unsigned int i = 0; i < later.answers; i++)
		if (later.answer[i] == qp)
			return;
	if (later.answers < LATER)
		later.answer[later.answers++] = qp;
	else
		wire_reply(peer_self(), qp, wire_responder_of(qp));
}

/* The QP of this process that has the number. */
static struct qp_shared *find(uint32_t qpn)
{
	struct host_place place;

	if (registry_qpn_find(qpn, &place) || place.slot != peer_self()->slot ||
	    place.generation != peer_self()->generation)
		return NULL;
	return segment_ptr(place.off);
}

/* Keeps it held; the requester's lock is. False: it has to run now. */
static bool run_later(struct qp *qp)
{
	for (unsigned int i = 0; i < later.runs; i++) {
		if (later.run[i] == qp) {
			qp_release(qp); /* held once already */
			return true;
		}
	}
	if (later.runs == LATER)
		return false;
	later.run[later.runs++] = qp;
	return true;
}

static void take_answer(struct qp_shared *sh, const struct net_path *path,
                        const struct roce *roce)
{
	struct qp *qp = qp_hold(sh->handle, roce->dest_qpn);

	if (!qp)
		return;
	owner_lock(&qp->sq.lock);
	wire_answer(qp, path, roce);
	if (!run_later(qp)) {
		requester_run(qp);
		owner_unlock(&qp->sq.lock);
		qp_release(qp);
		return;
	}
	owner_unlock(&qp->sq.lock);
}

/* Whom the last datagram to a group went to: packets are given one at a time. */
static struct {
	union ibv_gid gid;
	uint64_t version;
	unsigned int count;
	struct group_member member[GROUP_KEPT];
} group;

static void find_members(const union ibv_gid *gid)
{
	unsigned int found;

	if (group.version == registry_group_version() &&
	    !memcmp(&group.gid, gid, sizeof(*gid)))
		return;
	found = registry_group_members(gid->raw, group.member, GROUP_KEPT,
	                               &group.version);
	group.count = found < GROUP_KEPT ? found : GROUP_KEPT;
	group.gid = *gid;
}

/* Each member in this process gets a copy; other processes are given theirs. */
static void take_for_group(const struct net_path *path, struct roce *roce)
{
	const struct peer *self = peer_self();

	if (!(opcode_info[roce->opcode].mask & OP_DETH)) {
		count_net(COUNT_DROP_MALFORMED, 1);
		return;
	}
	find_members(&path->local);
	if (!group.count)
		count_net(COUNT_DROP_NO_MEMBER, 1);
	for (unsigned int i = 0; i < group.count; i++) {
		const struct group_member *to = &group.member[i];

		if (to->place.slot != self->slot ||
		    to->place.generation != self->generation)
			continue;
		roce->dest_qpn = to->qpn;
		wire_respond(segment_ptr(to->place.off), path, roce);
	}
}

static void take(struct qp_shared *qp, const struct net_path *path,
                 const struct roce *roce)
{
	if (opcode_info[roce->opcode].mask & OP_RESPONSE)
		take_answer(qp, path, roce);
	else
		wire_respond(qp, path, roce);
}

/* What is in it becomes a packet in clear. */
static enum protection_verdict open_packet(const struct qp_shared *sh,
                                           const struct protected_packet *packet,
                                           uint8_t *room)
{
	struct qp *qp = qp_hold(sh->handle, packet->dest_qpn);
	enum protection_verdict verdict = PROTECTION_FORGED;
	struct protection *protection = qp ? atomic_load(&qp->protection) : NULL;

	if (protection)
		verdict = protection_open(protection, packet, room);
	if (qp)
		qp_release(qp);
	return verdict;
}

static void take_opened(struct qp_shared *qp, const struct net_path *path,
                        const uint8_t *bytes, size_t length)
{
	struct roce roce;

	if (roce_decode(bytes, length + ICRC_SIZE, &roce) != ROCE_OK)
		count_net(COUNT_DROP_MALFORMED, 1);
	else
		take(qp, path, &roce);
}

/* Apart, for the room that it needs on the stack. */
__attribute__((noinline)) static void on_protected(const struct net_path *path,
                                                   const uint8_t *bth, size_t length)
{
	uint8_t clear[ROCE_HEADERS_MAX + ROCE_MTU_MAX + ICRC_SIZE];
	struct protected_packet packet;
	struct qp_shared *qp;

	if (protected_decode(bth, length, &packet) != ROCE_OK ||
	    BTH_LENGTH + packet.length > sizeof(clear) - ICRC_SIZE) {
		count_net(COUNT_DROP_MALFORMED, 1);
		return;
	}
	qp = find(packet.dest_qpn);
	if (!qp) {
		count_net(COUNT_DROP_UNKNOWN_QP, 1);
		return;
	}
	if (!atomic_load_explicit(&qp->is_protected, memory_order_relaxed)) {
		count_net(COUNT_DROP_MALFORMED, 1);
		return;
	}
	protected_restore(bth, qp->transport, clear);
	switch (open_packet(qp, &packet, clear + BTH_LENGTH)) {
	case PROTECTION_OPENED:
		take_opened(qp, path, clear, BTH_LENGTH + packet.length);
		break;
	case PROTECTION_REPEATED: count_net(COUNT_DROP_REPEATED, 1); break;
	case PROTECTION_FORGED: count_net(COUNT_DROP_TAG, 1); break;
	}
}

static void on_packet(const struct net_path *path, const void *bth, size_t length)
{
	const uint8_t *opcode = bth;
	struct qp_shared *qp;
	struct roce roce;

	if (length && unlikely(opcode_is_protected(*opcode))) {
		on_protected(path, bth, length);
		return;
	}

	/* The codec counts an ICRC, and never looks at it. */
	if (roce_decode(bth, length + ICRC_SIZE, &roce) != ROCE_OK) {
		count_net(COUNT_DROP_MALFORMED, 1);
		return;
	}
	if (roce.dest_qpn == GROUP_QPN) {
		take_for_group(path, &roce);
		return;
	}
	qp = find(roce.dest_qpn);
	if (!qp)
		count_net(COUNT_DROP_UNKNOWN_QP, 1);
	else if (unlikely(atomic_load_explicit(&qp->is_protected, memory_order_relaxed)))
		count_net(COUNT_DROP_PLAIN, 1);
	else
		take(qp, path, &roce);
}

/* --- room in the network --------------------------------------------------------------
 */

static void go_on(struct qp *qp)
{
	struct wire_responder *state;

	owner_lock(&qp->sq.lock);
	if (qp->sq.blocked) {
		qp->sq.blocked = false;
		requester_run(qp);
	}
	owner_unlock(&qp->sq.lock);
	if (!qp->opened) {
		responder_lock(peer_self(), qp->sh);
		state = wire_responder_of(qp->sh);
		if (state)
			wire_reply(peer_self(), qp->sh, state);
		owner_unlock(&qp->sh->lock);
	}
	qp_release(qp);
}

static void writable(void)
{
	qp_each(go_on);
}

const struct net_takers wire_takers = {
	.packet = on_packet,
	.settled = settled,
	.writable = writable,
	.ending = wire_owed_look,
};
