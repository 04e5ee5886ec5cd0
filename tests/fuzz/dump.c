// SPDX-License-Identifier: BSD-2-Clause
/* `mockrdma dump` of a file that nobody of ours wrote: a line for each packet, of a
 * length that has an end, or an error. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/processes.h"
#include "link/capture.h"

enum { LINE_MOST = 4096 };

static int take_line(void *lines, const char *text)
{
	MUST(strnlen(text, LINE_MOST) < LINE_MOST);
	return ++*(int *)lines == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC), lines = 0, result;
	char name[64];

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	result = capture_print(name, take_line, &lines);
	MUST(result == 0 || result == -EPROTO);
	close(fd);
	return 0;
}
