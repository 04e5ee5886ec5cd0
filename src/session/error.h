/* SPDX-License-Identifier: BSD-2-Clause */
/* How functions of this library fail: return fail(SRDMA_E…, "a sentence: what, on what,
 * what to do"). */
#ifndef SESSION_ERROR_H
#define SESSION_ERROR_H

#include "srdma.h"

#define fail(...) srdma_fail(__VA_ARGS__)

/* Keep the sentence for srdma_detail() and return `code`. */
int srdma_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of an errno value (either sign); valid until the thread's next call of it. */
const char *errno_text(int number);

#endif
