/* SPDX-License-Identifier: BSD-2-Clause */
/* RoCE packets: whatever decodes encodes to headers that decode to the same. */
#include <stdlib.h>
#include <string.h>

#include "wire/icrc.h"
#include "wire/roce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ICRC = 4, IPV4_AND_UDP = 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ip[IPV4_AND_UDP] = { 0x45 };
	uint8_t first[ROCE_HEADERS_MAX], second[ROCE_HEADERS_MAX];
	struct roce packet, again;
	char line[256];
	size_t length;

	if (roce_decode(data, size, &packet) != ROCE_OK)
		return 0;
	if (packet.length > size ||
	    (packet.length && packet.payload + packet.length > data + size - ICRC))
		abort();
	roce_print(&packet, line, sizeof(line));
	icrc(ip, data, size - ICRC);
	length = roce_encode(&packet, first, sizeof(first));
	if (!length)
		abort();
	packet.length = 0;
	length = roce_encode(&packet, first, sizeof(first));
	memcpy(second, first, length);
	if (length + ICRC > sizeof(second) ||
	    roce_decode(second, length + ICRC, &again) != ROCE_OK ||
	    roce_encode(&again, second, sizeof(second)) != length ||
	    memcmp(first, second, length))
		abort();
	return 0;
}
