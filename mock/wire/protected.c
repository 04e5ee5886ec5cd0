/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/protected.h"

#include <inttypes.h>

#include "wire/cursor.h"
#include "wire/line.h"

enum { VARIANT_OCTET = 4 }; /* FECN, BECN, reserved */

void protected_associated(const uint8_t bth[BTH_LENGTH], uint8_t associated[BTH_LENGTH])
{
	memcpy(associated, bth, BTH_LENGTH);
	associated[VARIANT_OCTET] = 0xff;
}

enum roce_error protected_decode(const void *data, size_t length,
                                 struct protected_packet *packet)
{
	struct reader r = reader_of(data, length);
	const uint8_t *bth = read_bytes(&r, BTH_LENGTH);
	struct reader fields;

	memset(packet, 0, sizeof(*packet));
	packet->number = read_number(&r, PROTECTED_NUMBER);
	if (r.bad || reader_left(&r) < PROTECTED_TAG)
		return ROCE_TRUNCATED;
	fields = reader_of(bth, BTH_LENGTH);
	packet->operation = read_u8(&fields);
	if (!opcode_is_protected(packet->operation))
		return ROCE_OPCODE;
	packet->operation &= ~BTH_TRANSPORT;
	read_u32(&fields);
	packet->dest_qpn = read_u24(&fields);
	read_u8(&fields);
	packet->psn = read_u24(&fields);
	protected_associated(bth, packet->authenticated);
	packet->length = reader_left(&r) - PROTECTED_TAG;
	packet->sealed = read_bytes(&r, packet->length);
	packet->tag = read_bytes(&r, PROTECTED_TAG);
	return ROCE_OK;
}

size_t protected_encode(const uint8_t bth[BTH_LENGTH], uint64_t number, void *room,
                        size_t size)
{
	struct writer w = writer_of(room, size);

	write_number(&w, BTH_PROTECTED | (bth[0] & ~BTH_TRANSPORT), 1);
	write_bytes(&w, bth + 1, BTH_LENGTH - 1);
	write_number(&w, number, PROTECTED_NUMBER);
	return w.bad ? 0 : (size_t)(w.at - (uint8_t *)room);
}

void protected_nonce(const uint8_t iv[PROTECTED_NONCE], uint64_t number,
                     uint8_t nonce[PROTECTED_NONCE])
{
	struct writer w =
	        writer_of(nonce + PROTECTED_NONCE - sizeof(number), sizeof(number));

	memset(nonce, 0, PROTECTED_NONCE);
	write_number(&w, number, sizeof(number));
	for (unsigned int i = 0; i < PROTECTED_NONCE; i++)
		nonce[i] ^= iv[i];
}

void protected_restore(const uint8_t bth[BTH_LENGTH], uint8_t transport,
                       uint8_t clear[BTH_LENGTH])
{
	memcpy(clear, bth, BTH_LENGTH);
	clear[0] = (uint8_t)(transport | (bth[0] & ~BTH_TRANSPORT));
}

int protected_print(const struct protected_packet *packet, char *text, size_t size)
{
	const char *name = opcode_info[packet->operation].name;
	struct line line = { text, size, 0 };

	line_add(&line, "protected %s qp 0x%06" PRIx32 " psn 0x%06" PRIx32,
	         name ? name : "reserved", packet->dest_qpn, packet->psn);
	line_add(&line, " number %" PRIu64 " %zu bytes encrypted", packet->number,
	         packet->length);
	return line.length;
}
