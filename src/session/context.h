/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and settings, shared by threads, kept by reference. */
#ifndef SESSION_CONTEXT_H
#define SESSION_CONTEXT_H

#include <openssl/ssl.h>

#include "session/options.h"

/* The context for an object that uses it: srdma_context_free() drops it again. */
struct srdma_context *context_hold(struct srdma_context *context);

/* The options as they are now; a copy for options_clear(). */
int context_options(struct srdma_context *context, struct options *out);

/* What srdma_context_load() last read, for SSL_CTX_free(). SRDMA_ESTATE before. */
int context_tls(struct srdma_context *context, SSL_CTX **out);

#endif
