/* SPDX-License-Identifier: BSD-2-Clause */
/* Control frames: whatever parses encodes to a frame that parses to the same. */
#include <stdlib.h>
#include <string.h>

#include "session/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct frame *frame)
{
	uint8_t first[FRAME_MAX], second[FRAME_MAX];
	struct frame again;
	char line[256];
	size_t used, length = frame_encode(frame, first);

	if (frame_parse(first, length, &again, &used) || used != length)
		abort();
	if (frame_encode(&again, second) != length || memcmp(first, second, length))
		abort();
	frame_describe(frame, line, sizeof(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;
	size_t used;

	while (!frame_parse(data, size, &frame, &used)) {
		if (!used || used > size)
			abort();
		check(&frame);
		data += used;
		size -= used;
	}
	return 0;
}
