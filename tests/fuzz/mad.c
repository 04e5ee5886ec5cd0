/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the connection manager: whatever decodes encodes to the same, but for what
 * is reserved. */
#include <stdlib.h>
#include <string.h>

#include "wire/mad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t first[MAD_SIZE], second[MAD_SIZE];
	struct mad mad, again;
	char line[64];

	if (mad_decode(data, size, &mad) != MAD_OK)
		return 0;
	mad_print(&mad, line, sizeof(line));
	mad_encode(&mad, first);
	if (mad_decode(first, sizeof(first), &again) != MAD_OK ||
	    memcmp(&mad, &again, sizeof(mad)))
		abort();
	mad_encode(&again, second);
	if (memcmp(first, second, sizeof(first)))
		abort();
	return 0;
}
