/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "wire/line.h"
#include "wire/roce.h"

static void add_syndrome(struct line *line, const struct roce *packet)
{
	static const char *const naks[] = { "PSN sequence error", "invalid request",
		                            "remote access error",
		                            "remote operational error",
		                            "invalid RD request" };
	unsigned int value = packet->syndrome & ~AETH_KIND_MASK;

	switch (packet->syndrome & AETH_KIND_MASK) {
	case AETH_ACK: line_add(line, " ACK credits %u", value); break;
	case AETH_RNR_NAK:
		line_add(line, " RNR NAK %" PRIu32 " us", rnr_timer_us[value]);
		break;
	case AETH_NAK:
		line_add(line, " NAK %s",
		         value < sizeof(naks) / sizeof(*naks) ? naks[value] : "reserved");
		break;
	default: line_add(line, " reserved syndrome 0x%02x", packet->syndrome);
	}
	line_add(line, " msn %" PRIu32, packet->msn);
}

int roce_print(const struct roce *packet, char *text, size_t size)
{
	const struct opcode_info *info = &opcode_info[packet->opcode];
	struct line line = { text, size, 0 };

	line_add(&line, "%s qp 0x%06" PRIx32 " psn 0x%06" PRIx32,
	         info->name ? info->name : "reserved", packet->dest_qpn, packet->psn);
	if (info->mask & OP_XRCETH)
		line_add(&line, " srq 0x%06" PRIx32, packet->xrc_srq);
	if (info->mask & OP_DETH)
		line_add(&line, " from qp 0x%06" PRIx32, packet->source_qpn);
	if (info->mask & (OP_RETH | OP_ATOMICETH))
		line_add(&line, " va 0x%" PRIx64, packet->va);
	if (info->mask & OP_RETH)
		line_add(&line, " length %" PRIu32, packet->dma_length);
	if (info->mask & OP_AETH)
		add_syndrome(&line, packet);
	if (info->mask & OP_IMM)
		line_add(&line, " immediate 0x%08" PRIx32, packet->immediate);
	if (info->mask & OP_PAYLOAD)
		line_add(&line, " %zu bytes", packet->length);
	line_add(&line, "%s%s", packet->solicited ? " solicited" : "",
	         packet->ack_request ? " ack-request" : "");
	return line.length;
}
