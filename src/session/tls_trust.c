/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a peer that was trusted once still is. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "session/error.h"
#include "session/tls_inside.h"

static int64_t end_of(const X509 *certificate)
{
	struct tm end;

	/* One that cannot be read was not verified. */
	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) ? timegm(&end) : 0;
}

int64_t tls_expires(const struct tls *tls)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);
	int64_t first = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t end = end_of(sk_X509_value(chain, i));

		first = end < first ? end : first;
	}
	return first;
}

/* As the handshake does: what the store says, then what this channel asks for. */
static int verify(struct tls *tls, SSL_CTX *config, X509_STORE_CTX *context)
{
	bool server = SSL_is_server(tls->ssl);

	if (!X509_STORE_CTX_init(context, SSL_CTX_get_cert_store(config),
	                         SSL_get0_peer_certificate(tls->ssl),
	                         SSL_get_peer_cert_chain(tls->ssl)) ||
	    !X509_STORE_CTX_set_default(context, server ? "ssl_client" : "ssl_server") ||
	    !X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context),
	                            SSL_get0_param(tls->ssl)))
		return fail(SRDMA_ENOMEM, "out of memory for a certificate");
	if (X509_verify_cert(context) == 1)
		return 0;
	return tls_verify_failure(tls, X509_STORE_CTX_get_error(context));
}

int tls_recheck(struct tls *tls, SSL_CTX *config)
{
	X509_STORE_CTX *context;
	int error;

	if (!SSL_get0_peer_certificate(tls->ssl))
		return 0;
	ERR_clear_error();
	context = X509_STORE_CTX_new();
	error = context ? verify(tls, config, context)
	                : fail(SRDMA_ENOMEM, "out of memory for a certificate");
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return error;
}
