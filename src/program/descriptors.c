/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/descriptors.h"

#include <sys/resource.h>

uint64_t descriptors_allow(uint64_t needed)
{
	struct rlimit limit;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return UINT64_MAX;
	before = limit.rlim_cur;
	if (before >= needed || before == limit.rlim_max)
		return before;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) ? before : limit.rlim_cur;
}
