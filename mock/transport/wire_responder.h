/* SPDX-License-Identifier: BSD-2-Clause */
/* What the responder keeps between packets, in the owner's segment; under the lock of the
 * QP's responder. */
#ifndef MOCK_TRANSPORT_WIRE_RESPONDER_H
#define MOCK_TRANSPORT_WIRE_RESPONDER_H

#include "transport/request.h"
#include "transport/wire.h"
#include "transport/wire_guess.h"

/* A READ, atomic or ATOMIC WRITE that was executed, to be answered, perhaps more than
 * once. */
struct wire_replay {
	uint32_t psn, packets;
	uint32_t sent;     /* packets of the answer */
	unsigned int kind; /* of OP_ANSWERED */
	uint32_t rkey;
	uint64_t va, length;
	uint64_t original; /* what the atomic found */
};

struct wire_responder {
	uint32_t connection; /* that all of this is about */
	uint32_t received;   /* PSNs since it began, as far as they are told apart */
	uint32_t msn;        /* messages executed */
	uint32_t limit;      /* up to that one the requester was told of receives */
	struct net_path path;
	struct wire_guesses guesses;
	/* The message that has begun and not ended: its first opcode, without transport.
	 */
	uint8_t under_way;
	bool has_receive;          /* out of an SRQ, and kept here */
	uint64_t va, length, done; /* as its RETH has them; bytes that were placed */
	uint32_t rkey;
	/* The acknowledgement that is due; of several the last alone. */
	bool due;
	uint8_t syndrome;
	uint32_t due_psn;
	/* A ring: those before `answered` have their answers. */
	uint32_t replays, answered;
	struct wire_replay replay[DEVICE_MAX_RD_ATOMIC];
	struct wire_replay repeat; /* one of them, once more */
	union rwqe_copy receive;   /* last: its list has no length of its own */
};

/* A request on its way through the responder. */
struct wire_request {
	struct request req;
	struct qp_shared *home; /* the QP itself, also where req.qp is an XRC view */
	struct wire_responder *state;
	const struct roce *roce;
	uint32_t mtu;
	uint32_t psns;    /* that it stands for, with its responses */
	uint64_t message; /* bytes of the message that it ends */
	bool failed;      /* a receive completed in error, which is not dropped */
};

static inline struct wire_replay *wire_replay_at(struct wire_responder *state,
                                                 uint32_t index)
{
	return &state->replay[index % DEVICE_MAX_RD_ATOMIC];
}

/* wire_message.c: executes the packet that is due. */
enum outcome wire_execute(struct wire_request *q);
/* The QP takes no more: a receive out of an SRQ that its message has not filled. */
void wire_return_receive(struct peer *owner, struct qp_shared *qp);

/* wire_replay.c */
enum outcome wire_execute_read(struct wire_request *q);
enum outcome wire_execute_atomic(struct wire_request *q);
/* A request for responses again. RESP_DROP when they are not known any more. */
enum outcome wire_replay_again(struct wire_request *q);
/* Sends what is due to the requester, in its order, as far as the network takes it. */
void wire_reply(struct peer *owner, struct qp_shared *qp, struct wire_responder *state);

/*
 * Adds the acknowledgement that is due, if no more than that is, and it is as good there:
 * what was added is counted as sent.
 */
bool wire_reply_along(struct qp_shared *qp, struct wire_responder *state,
                      struct roce_out *out);

/* wire_respond.c */
void wire_respond(struct qp_shared *qp, const struct net_path *path,
                  const struct roce *roce);
/* Its state, if it has taken packets on this connection. */
struct wire_responder *wire_responder_of(struct qp_shared *qp);

/*
 * wire_owed.c: the acknowledgement may wait until the thread that was given the message
 * has looked at it. False when it may not. The responder's lock is held.
 */
bool wire_owe(struct qp_shared *qp);

/* wire_credit.c: as an AETH has it, and what follows from having sent one in an
 * acknowledgement. The responder's lock is held. */
uint8_t wire_credit_code(const struct peer *owner, const struct qp_shared *qp);
void wire_credit_told(struct qp_shared *qp, struct wire_responder *state, uint8_t code);

/* wire_receive.c: the acknowledgement goes when all that arrived is taken. */
void wire_answer_later(struct qp_shared *qp);
/* The last one once more, or the one that is due. */
void wire_acknowledge_again(struct qp_shared *qp, struct wire_responder *state);
/* The same at once; the responder's lock is held. */
void wire_answer_now(struct qp_shared *qp);
/*
 * The last words of a QP that is about to forget all: what it owes, and several times
 * what it has received, since nobody will be there to say it again when that is lost. The
 * responder's lock is held.
 */
void wire_farewell(struct qp_shared *qp);
/* Those of all QPs that a program left open when it exited; in the engine. */
void wire_farewells(void);

#endif
