/* SPDX-License-Identifier: BSD-2-Clause */
/* secure_server's configuration file. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings;
	char path[32];
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	memset(&settings, 0, sizeof(settings));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size)
		config_read(path, &settings);
	settings_clear(&settings);
	close(fd);
	return 0;
}
