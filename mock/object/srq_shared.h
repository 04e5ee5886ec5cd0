/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the responder of an XRC target needs of a shared receive queue, in its owner's
 * segment, which need not be the target's. The memory is only ever used for this struct:
 * who comes late finds another number in it, or none.
 */
#ifndef MOCK_OBJECT_SRQ_SHARED_H
#define MOCK_OBJECT_SRQ_SHARED_H

#include <stdatomic.h>
#include "host/owner_lock.h"
#include "host/segment.h"

/* Each request holds one, so that the owner can wait until none is at work. More than
 * one, so that targets seldom wait for each other. */
#define SRQ_LANES 8

struct srq_shared {
	_Atomic uint32_t number; /* 0: unused */
	uint32_t handle;         /* of the owner's struct srq */
	uint32_t pd;             /* handle: whose keys requests use */
	uint64_t domain;
	seg_off rq, cq;
	struct owner_lock lane[SRQ_LANES];
};

#endif
