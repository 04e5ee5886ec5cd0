/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the TLS channel share: tls.c, tls_trust.c, tls_ocsp.c, tls_crl.c. */
#ifndef SESSION_TLS_INSIDE_H
#define SESSION_TLS_INSIDE_H

#include "session/tls.h"

struct tls {
	SSL *ssl;
	char *name; /* of the server; NULL when we are it */
	char *peer;
	X509 *rejected;   /* the peer's certificate, when it was not accepted */
	char *ocsp_fault; /* why what is stapled to it was not */
	bool wants_write;
	bool broken; /* OpenSSL forbids any further call, close_notify included */
};

/* The sentence about a certificate that was not accepted for this X509_V_ERR_… */
int tls_verify_failure(struct tls *tls, long result);

/* tls_crl.c: the lists of a file, which must be in force and of authorities in the store.
 */
int tls_load_crl(SSL_CTX *config, const char *path);

/* tls_ocsp.c: a server staples the response of a file (NULL: none), a client checks. */
int tls_load_ocsp(SSL_CTX *config, const char *path);

/* SRDMA_ECONFIG, of OpenSSL's last error. */
int tls_bad_file(const char *what, const char *path, const char *format);

#endif
