/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_MEMORY_H
#define SESSION_MEMORY_H

#include "session/session.h"

struct srdma_buffer {
	struct list node;
	struct srdma_session *session;
	void *address;
	size_t length;
	struct region region;
	bool writable;   /* by the device */
	unsigned uses;   /* operations in flight */
	unsigned grants; /* in force */
};

#endif
