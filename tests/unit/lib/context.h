/* SPDX-License-Identifier: BSD-2-Clause */
/* Contexts of libsrdma with the certificates of pki.h. */
#ifndef TESTS_CONTEXT_H
#define TESTS_CONTEXT_H

#include "srdma.h"

/* The certificate and key of that name (NULL: none), and the authority to trust. */
void context_certificate(struct srdma_context *context, const char *name,
                         const char *authority);

/* One that is loaded, with that certificate and the authority `ca`; the caller's to free.
 */
struct srdma_context *context_as(const char *name);

#endif
