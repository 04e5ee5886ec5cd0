/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors this process may have open. */
#ifndef PROGRAM_DESCRIPTORS_H
#define PROGRAM_DESCRIPTORS_H

#include <stdint.h>

/*
 * Raises the limit to what is allowed where it is below `needed`. How many there may be
 * now, which can be fewer; UINT64_MAX where the system does not say.
 */
uint64_t descriptors_allow(uint64_t needed);

#endif
