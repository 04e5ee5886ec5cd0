/* SPDX-License-Identifier: BSD-2-Clause */
/* secure_server's policy: whatever is read is asked about a client. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct export list[] = { { .name = "data" }, { .name = "pub" } };
	static const struct exports exports = { list, 2 };
	struct policy *policy;
	char path[32];
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size &&
	    policy_read(path, &exports, &policy) == 0) {
		for (unsigned i = 0; i < policy->rule_count; i++)
			for (unsigned k = 0; k < policy->rules[i].who_count; k++)
				if (policy->rules[i].who[k].kind != POLICY_ANY &&
				    !policy->rules[i].who[k].pattern)
					abort();
		policy_drop(policy);
	}
	close(fd);
	return 0;
}
