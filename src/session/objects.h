/* SPDX-License-Identifier: BSD-2-Clause */
/* A count of what the library has open in this process: for srdma_objects(). */
#ifndef SESSION_OBJECTS_H
#define SESSION_OBJECTS_H

enum object_kind {
	OBJECT_CONTEXT,
	OBJECT_PD,
	OBJECT_MR,
	OBJECT_MW,
	OBJECT_QP,
	OBJECT_CQ,
	OBJECT_SRQ,
	OBJECT_CM_ID,
	OBJECT_SESSION,
	OBJECT_KINDS,
};

/* Called where one was made or (with success) destroyed, and nowhere else. */
void object_made(enum object_kind kind);
void object_gone(enum object_kind kind);

#endif
