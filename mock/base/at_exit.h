/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In which order the parts of the library end when the program exits: destructors without
 * a priority first, in no order, then from the highest priority down.
 */
#ifndef MOCK_BASE_AT_EXIT_H
#define MOCK_BASE_AT_EXIT_H

#define AT_EXIT_LINK 300 /* nothing is sent any more */
#define AT_EXIT_HOST 200 /* this process is gone for others */

#endif
