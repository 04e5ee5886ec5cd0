/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/roce.h"

#include "wire/cursor.h"

enum { ICRC_SIZE = 4 };

const char *roce_error_name(enum roce_error error)
{
	static const char *const names[] = {
		[ROCE_OK] = "ok",
		[ROCE_TRUNCATED] = "truncated",
		[ROCE_OPCODE] = "reserved opcode",
		[ROCE_VERSION] = "unknown transport version",
		[ROCE_PADDING] = "padding without payload",
	};

	return names[error];
}

static void read_headers(struct reader *r, unsigned int mask, struct roce *packet)
{
	if (mask & OP_XRCETH) {
		read_u8(r);
		packet->xrc_srq = read_u24(r);
	}
	if (mask & OP_DETH) {
		packet->qkey = read_u32(r);
		read_u8(r);
		packet->source_qpn = read_u24(r);
	}
	if (mask & (OP_RETH | OP_ATOMICETH)) {
		packet->va = read_u64(r);
		packet->rkey = read_u32(r);
	}
	if (mask & OP_RETH)
		packet->dma_length = read_u32(r);
	if (mask & OP_ATOMICETH) {
		packet->swap_add = read_u64(r);
		packet->compare = read_u64(r);
	}
	if (mask & OP_AETH) {
		packet->syndrome = read_u8(r);
		packet->msn = read_u24(r);
	}
	if (mask & OP_ATOMICACKETH)
		packet->original = read_u64(r);
	if (mask & OP_IMM)
		packet->immediate = read_u32(r);
	if (mask & OP_IETH)
		packet->invalidate_key = read_u32(r);
}

enum roce_error roce_decode(const void *data, size_t length, struct roce *packet)
{
	struct reader r = reader_of(data, length < ICRC_SIZE ? 0 : length - ICRC_SIZE);
	unsigned int mask, padding;
	uint8_t bits;

	memset(packet, 0, sizeof(*packet));
	packet->opcode = read_u8(&r);
	bits = read_u8(&r);
	packet->solicited = bits & 0x80;
	packet->migrated = bits & 0x40;
	padding = bits >> 4 & 3;
	packet->pkey = read_u16(&r);
	packet->fecn = r.at < r.end && *r.at & 0x80;
	packet->becn = r.at < r.end && *r.at & 0x40;
	read_u8(&r);
	packet->dest_qpn = read_u24(&r);
	packet->ack_request = read_u8(&r) & 0x80;
	packet->psn = read_u24(&r);
	if (r.bad)
		return ROCE_TRUNCATED;
	mask = opcode_info[packet->opcode].mask;
	if (!opcode_info[packet->opcode].name)
		return ROCE_OPCODE;
	if (bits & 0x0f)
		return ROCE_VERSION;
	read_headers(&r, mask, packet);
	if (r.bad)
		return ROCE_TRUNCATED;
	packet->length = reader_left(&r);
	packet->payload = r.at;
	if (padding > packet->length || (packet->length && !(mask & OP_PAYLOAD)))
		return ROCE_PADDING;
	packet->length -= padding;
	return ROCE_OK;
}

static void write_headers(struct writer *w, unsigned int mask, const struct roce *packet)
{
	if (mask & OP_XRCETH)
		write_number(w, packet->xrc_srq, 4);
	if (mask & OP_DETH) {
		write_number(w, packet->qkey, 4);
		write_number(w, packet->source_qpn, 4);
	}
	if (mask & (OP_RETH | OP_ATOMICETH)) {
		write_number(w, packet->va, 8);
		write_number(w, packet->rkey, 4);
	}
	if (mask & OP_RETH)
		write_number(w, packet->dma_length, 4);
	if (mask & OP_ATOMICETH) {
		write_number(w, packet->swap_add, 8);
		write_number(w, packet->compare, 8);
	}
	if (mask & OP_AETH) {
		write_number(w, packet->syndrome, 1);
		write_number(w, packet->msn, 3);
	}
	if (mask & OP_ATOMICACKETH)
		write_number(w, packet->original, 8);
	if (mask & OP_IMM)
		write_number(w, packet->immediate, 4);
	if (mask & OP_IETH)
		write_number(w, packet->invalidate_key, 4);
}

size_t roce_encode(const struct roce *packet, void *room, size_t size)
{
	const struct opcode_info *info = &opcode_info[packet->opcode];
	struct writer w = writer_of(room, size);

	if (!info->name)
		return 0;
	write_number(&w, packet->opcode, 1);
	write_number(&w,
	             (packet->solicited ? 0x80 : 0) | (packet->migrated ? 0x40 : 0) |
	                     roce_padding(packet->length) << 4,
	             1);
	write_number(&w, packet->pkey, 2);
	write_number(&w, (packet->fecn ? 0x80 : 0) | (packet->becn ? 0x40 : 0), 1);
	write_number(&w, packet->dest_qpn, 3);
	write_number(&w, packet->ack_request ? 0x80 : 0, 1);
	write_number(&w, packet->psn, 3);
	write_headers(&w, info->mask, packet);
	return w.bad ? 0 : (size_t)(w.at - (uint8_t *)room);
}
