/* SPDX-License-Identifier: BSD-2-Clause */
/* From the internal convention, 0 or a negative code, to those of the verbs. */
#ifndef MOCK_API_API_H
#define MOCK_API_API_H

#include <errno.h>
#include <stddef.h>

/* verbs that return 0 or a positive errno value */
static inline int verbs_result(int err)
{
	return -err;
}

/* such a verb, of something that the device has not: to be seen in errno as well */
static inline int refused(void)
{
	return errno = EOPNOTSUPP;
}

/* verbs that return -1 and set errno */
static inline int errno_result(int err)
{
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

/* verbs that return NULL and set errno */
static inline void *null_result(int err)
{
	errno = -err;
	return NULL;
}

#endif
