/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/roce.h"

struct line {
	char *text;
	size_t size;
	int length;
};

static void __attribute__((format(printf, 2, 3)))
add(struct line *line, const char *format, ...)
{
	size_t used =
	        (size_t)line->length < line->size ? (size_t)line->length : line->size;
	va_list args;

	va_start(args, format);
	line->length += vsnprintf(line->text + used, line->size - used, format, args);
	va_end(args);
}

static void add_syndrome(struct line *line, const struct roce *packet)
{
	static const char *const naks[] = { "PSN sequence error", "invalid request",
		                            "remote access error",
		                            "remote operational error",
		                            "invalid RD request" };
	unsigned int value = packet->syndrome & ~AETH_KIND_MASK;

	switch (packet->syndrome & AETH_KIND_MASK) {
	case AETH_ACK: add(line, " ACK credits %u", value); break;
	case AETH_RNR_NAK:
		add(line, " RNR NAK %" PRIu32 " us", rnr_timer_us[value]);
		break;
	case AETH_NAK:
		add(line, " NAK %s",
		    value < sizeof(naks) / sizeof(*naks) ? naks[value] : "reserved");
		break;
	default: add(line, " reserved syndrome 0x%02x", packet->syndrome);
	}
	add(line, " msn %" PRIu32, packet->msn);
}

int roce_print(const struct roce *packet, char *text, size_t size)
{
	const struct opcode_info *info = &opcode_info[packet->opcode];
	struct line line = { text, size, 0 };

	add(&line, "%s qp 0x%06" PRIx32 " psn 0x%06" PRIx32,
	    info->name ? info->name : "reserved", packet->dest_qpn, packet->psn);
	if (info->mask & OP_XRCETH)
		add(&line, " srq 0x%06" PRIx32, packet->xrc_srq);
	if (info->mask & OP_DETH)
		add(&line, " from qp 0x%06" PRIx32, packet->source_qpn);
	if (info->mask & (OP_RETH | OP_ATOMICETH))
		add(&line, " va 0x%" PRIx64, packet->va);
	if (info->mask & OP_RETH)
		add(&line, " length %" PRIu32, packet->dma_length);
	if (info->mask & OP_AETH)
		add_syndrome(&line, packet);
	if (info->mask & OP_IMM)
		add(&line, " immediate 0x%08" PRIx32, packet->immediate);
	if (info->mask & OP_PAYLOAD)
		add(&line, " %zu bytes", packet->length);
	add(&line, "%s%s", packet->solicited ? " solicited" : "",
	    packet->ack_request ? " ack-request" : "");
	return line.length;
}
