/* SPDX-License-Identifier: BSD-2-Clause */
/* A socket under OpenSSL that never raises SIGPIPE (OpenSSL's own writes with write(2)).
 */
#ifndef SESSION_TLS_BIO_H
#define SESSION_TLS_BIO_H

#include <openssl/bio.h>

/* `fd` stays the caller's. NULL: out of memory. */
BIO *tls_bio_new(int fd);

#endif
