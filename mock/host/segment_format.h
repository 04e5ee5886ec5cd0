/* SPDX-License-Identifier: BSD-2-Clause */
/* What marks a segment that this version of the mock can read. */
#ifndef MOCK_HOST_SEGMENT_FORMAT_H
#define MOCK_HOST_SEGMENT_FORMAT_H

#define SEGMENT_MAGIC   UINT32_C(0x6d6f636b)
#define SEGMENT_VERSION UINT32_C(6)

_Static_assert(sizeof(struct inbox_slot) == 512, "inbox slots are eight cache lines");

#endif
