/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of a verified certificate. */
#ifndef SESSION_IDENTITY_H
#define SESSION_IDENTITY_H

#include <openssl/x509.h>

#include "srdma.h"

/* From a certificate that the caller has verified. SRDMA_ENOMEM. */
int identity_new(X509 *certificate, struct srdma_identity **out);
void identity_free(struct srdma_identity *identity);

#endif
