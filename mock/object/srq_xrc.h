/* SPDX-License-Identifier: BSD-2-Clause */
/* What srq.c needs of srq_xrc.c. */
#ifndef MOCK_OBJECT_SRQ_XRC_H
#define MOCK_OBJECT_SRQ_XRC_H

#include "object/srq.h"

/* No request finds it any more, nor works on it; its completions are forgotten. */
void srq_leave_domain(struct srq *srq);

#endif
