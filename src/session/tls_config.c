/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates, authorities and the rules of TLS, as one SSL_CTX for both roles. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/log.h"
#include "session/error.h"
#include "session/tls_inside.h"

/* A passphrase would have to be asked for on a terminal that a server does not have. */
static int no_passphrase(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return 0;
}

/* OpenSSL says of a missing file what it says of a broken one: look first. */
static int check_readable(const char *what, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return fail(SRDMA_ECONFIG, "cannot read the %s file '%s': %s", what, path,
		            errno_text(errno));
	fclose(file);
	return 0;
}

int tls_bad_file(const char *what, const char *path, const char *format)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	ERR_clear_error();
	return fail(SRDMA_ECONFIG, "the %s file '%s' is not usable (%s): it must be %s",
	            what, path, reason ? reason : "no reason given", format);
}

static int load_certificate(SSL_CTX *config, const char *path)
{
	X509 *certificate;
	int error = check_readable("certificate", path);

	if (error)
		return error;
	if (SSL_CTX_use_certificate_chain_file(config, path) != 1)
		return tls_bad_file("certificate", path, "PEM");
	certificate = SSL_CTX_get0_certificate(config);
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		log_warn("the certificate in '%s' has expired: peers will refuse it",
		         path);
	return 0;
}

static int load_key(SSL_CTX *config, const char *path, const char *certificate)
{
	int error = check_readable("key", path);

	if (error)
		return error;
	if (SSL_CTX_use_PrivateKey_file(config, path, SSL_FILETYPE_PEM) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
			return tls_bad_file("key", path, "PEM");
		ERR_clear_error();
		return fail(SRDMA_ECONFIG,
		            "the key in '%s' does not belong to the certificate in '%s'",
		            path, certificate);
	}
	return 0;
}

static int load_authorities(SSL_CTX *config, const char *path)
{
	int error = check_readable("CA", path);

	if (error)
		return error;
	if (SSL_CTX_load_verify_file(config, path) != 1)
		return tls_bad_file("CA", path, "PEM");
	return 0;
}

static int load_files(SSL_CTX *config, const struct options *options)
{
	const char *certificate = options->text[SRDMA_OPT_CERTIFICATE];
	const char *key = options->text[SRDMA_OPT_KEY];
	const char *ca = options->text[SRDMA_OPT_CA];
	const char *crl = options->text[SRDMA_OPT_CRL];
	const char *ocsp = options->text[SRDMA_OPT_OCSP_RESPONSE];
	int error;

	if (!ca)
		return fail(SRDMA_ECONFIG,
		            "no CA file is set: without it no peer can be verified");
	if (!certificate != !key)
		return fail(SRDMA_ECONFIG,
		            "a certificate and its key must be set together: the %s "
		            "is missing",
		            key ? "certificate" : "key");
	error = load_authorities(config, ca);
	if (!error && certificate)
		error = load_certificate(config, certificate);
	if (!error && certificate)
		error = load_key(config, key, certificate);
	if (!error && crl)
		error = tls_load_crl(config, crl);
	if (!error)
		error = tls_load_ocsp(config, ocsp);
	return error;
}

/*
 * What a peer may sign with, its certificates included: no SHA-1, nothing below 112 bits
 * (security level 2). RSA with PKCS#1 v1.5 is left for certificates; TLS 1.3 does not use
 * it itself (RFC 8446 4.2.3).
 */
#define SIGNATURES                                                             \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:RSA-PSS+SHA256:" \
	"RSA-PSS+SHA384:RSA-PSS+SHA512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:" \
	"rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define CIPHERS \
	"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

static int set_rules(SSL_CTX *config)
{
	X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(config);

	SSL_CTX_set_options(config, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                                    SSL_OP_NO_COMPRESSION |
	                                    SSL_OP_CLEANSE_PLAINTEXT |
	                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(config, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                 SSL_MODE_RELEASE_BUFFERS |
	                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(config, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	                   NULL);
	SSL_CTX_set_session_cache_mode(config, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(config, no_passphrase);
	SSL_CTX_set_max_early_data(config, 0);
	SSL_CTX_set_security_level(config, 2);
	X509_VERIFY_PARAM_set_hostflags(verify,
	                                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_CTX_set_min_proto_version(config, TLS1_3_VERSION) &&
	       SSL_CTX_set_max_proto_version(config, TLS1_3_VERSION) &&
	       SSL_CTX_set_num_tickets(config, 0) &&
	       SSL_CTX_set_ciphersuites(config, CIPHERS) &&
	       SSL_CTX_set1_sigalgs_list(config, SIGNATURES) &&
	       SSL_CTX_set1_groups_list(config, "X25519:P-256:P-384");
}

int tls_config_new(const struct options *options, SSL_CTX **out)
{
	SSL_CTX *config;
	int error;

	ERR_clear_error();
	config = SSL_CTX_new(TLS_method());
	if (!config || !set_rules(config))
		error = fail(SRDMA_ENOMEM, "cannot set TLS up: %s",
		             ERR_reason_error_string(ERR_peek_last_error()));
	else
		error = load_files(config, options);
	if (error)
		SSL_CTX_free(config);
	else
		*out = config;
	return error;
}

bool tls_config_has_certificate(const SSL_CTX *config)
{
	return SSL_CTX_get0_certificate(config) != NULL;
}
