/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/tls_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/error.h"
#include "session/identity.h"
#include "session/tls_bio.h"

/*
 * What a TLS failure means. Numbers over 1000 are alerts that the peer sent (RFC 8446 6),
 * and so speak of our certificate; %s is the peer.
 */
static const struct {
	int reason;
	int code;
	const char *sentence;
} failures[] = {
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SRDMA_ECERT,
	  "%s requires a certificate and we gave none: set a certificate and its key" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, SRDMA_ECERT,
	  "%s does not trust the CA of our certificate: use one signed by a CA that it "
	  "trusts" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SRDMA_ECERT,
	  "%s says that our certificate is expired or not yet valid: renew it, or set "
	  "the clocks" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SRDMA_ECERT,
	  "%s says that our certificate is revoked: get another" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SRDMA_ECERT,
	  "%s does not accept our certificate: it is for another name, or damaged" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SRDMA_ECERT,
	  "%s does not accept our certificate for this purpose: see its extended key "
	  "usage" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SRDMA_ECERT,
	  "%s does not accept our certificate" },
	{ SSL_R_TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE, SRDMA_ECERT,
	  "%s does not accept the OCSP response of our certificate: get a newer one; or "
	  "the certificate is revoked" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, SRDMA_EREFUSED, "%s denies us access" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SRDMA_ETLS, "%s does not speak TLS 1.3" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SRDMA_ETLS,
	  "%s has no cipher, group or signature algorithm in common with us" },
	{ SSL_R_TLSV1_ALERT_DECRYPT_ERROR, SRDMA_ETLS,
	  "%s says that a signature of ours is wrong" },
	{ SSL_R_TLSV1_ALERT_INTERNAL_ERROR, SRDMA_ETLS,
	  "%s had an internal error in TLS" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SRDMA_ECERT,
	  "%s sent no certificate" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, SRDMA_ETLS, "%s does not speak TLS 1.3" },
	{ SSL_R_WRONG_VERSION_NUMBER, SRDMA_ETLS, "%s does not speak TLS on this port" },
	{ SSL_R_HTTP_REQUEST, SRDMA_ETLS, "%s speaks HTTP, not TLS, on this port" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, SRDMA_ETLS,
	  "%s does not speak TLS on this port" },
	{ SSL_R_NO_SHARED_CIPHER, SRDMA_ETLS, "%s has no cipher in common with us" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, SRDMA_EVANISHED,
	  "%s closed the connection without a word" },
};

/* OpenSSL keeps a certificate only when it is accepted; sentences need the other one. */
static int note_rejected(int accepted, X509_STORE_CTX *store)
{
	SSL *ssl =
	        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (!accepted && !tls->rejected && certificate && X509_up_ref(certificate))
		tls->rejected = certificate;
	return accepted;
}

int tls_new(SSL_CTX *config, int fd, const char *name, const char *peer, struct tls **out)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	X509_VERIFY_PARAM *verify;
	unsigned char address[16];
	bool numeric;
	BIO *bio;

	if (!tls)
		goto no_memory;
	tls->ssl = SSL_new(config);
	tls->peer = strdup(peer);
	tls->name = name ? strdup(name) : NULL;
	if (!tls->ssl || !tls->peer || (name && !tls->name))
		goto free_tls;
	bio = tls_bio_new(fd);
	if (!bio)
		goto free_tls;
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_verify(tls->ssl, SSL_get_verify_mode(tls->ssl), note_rejected);
	if (!name) {
		SSL_set_accept_state(tls->ssl);
		*out = tls;
		return 0;
	}
	SSL_set_connect_state(tls->ssl);
	verify = SSL_get0_param(tls->ssl);
	numeric = inet_pton(AF_INET, name, address) == 1 ||
	          inet_pton(AF_INET6, name, address) == 1;
	if (numeric ? !X509_VERIFY_PARAM_set1_ip_asc(verify, name)
	            : !X509_VERIFY_PARAM_set1_host(verify, name, 0) ||
	                      !SSL_set_tlsext_host_name(tls->ssl, name))
		goto free_tls;
	if (!SSL_set_tlsext_status_type(tls->ssl, TLSEXT_STATUSTYPE_ocsp))
		goto free_tls;
	*out = tls;
	return 0;

free_tls:
	tls_free(tls);
no_memory:
	ERR_clear_error();
	return fail(SRDMA_ENOMEM, "out of memory for a TLS channel");
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	X509_free(tls->rejected);
	free(tls->ocsp_fault);
	free(tls->name);
	free(tls->peer);
	free(tls);
}

/* What names the certificate does have, for the sentence about the one it has not. */
static int wrong_name(struct tls *tls)
{
	struct srdma_identity *identity = NULL;
	const char *other = "nobody";

	if (tls->rejected && !identity_new(tls->rejected, &identity))
		other = srdma_identity_text(identity);
	fail(SRDMA_ENAME,
	     "the certificate of %s is for '%s', not for '%s': connect by a name that it "
	     "has, or "
	     "set the server name to expect",
	     tls->peer, other, tls->name ? tls->name : "?");
	identity_free(identity);
	return SRDMA_ENAME;
}

int tls_verify_failure(struct tls *tls, long result)
{
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return wrong_name(tls);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return fail(SRDMA_ECERT,
		            "the certificate of %s has expired: it must be renewed",
		            tls->peer);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return fail(SRDMA_ECERT,
		            "the certificate of %s is not valid yet: check the clocks of "
		            "both "
		            "machines",
		            tls->peer);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return fail(SRDMA_ECERT,
		            "the certificate of %s is not signed by a CA that we trust: "
		            "set the CA "
		            "file to the one that signed it",
		            tls->peer);
	case X509_V_ERR_CERT_REVOKED:
		return fail(SRDMA_ECERT,
		            "the certificate of %s is revoked: it needs another",
		            tls->peer);
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return fail(SRDMA_ECERT,
		            "there is no CRL of an authority that the certificate of %s "
		            "comes from: the CRL file needs one",
		            tls->peer);
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return fail(SRDMA_ECERT,
		            "the CRL for the certificate of %s is out of date: get a "
		            "newer one, and have it read",
		            tls->peer);
	case X509_V_ERR_INVALID_PURPOSE:
		return fail(SRDMA_ECERT,
		            "the certificate of %s is not for this purpose: see its "
		            "extended key "
		            "usage",
		            tls->peer);
	default:
		return fail(SRDMA_ECERT, "the certificate of %s is not acceptable: %s",
		            tls->peer, X509_verify_cert_error_string(result));
	}
}

static int protocol_failure(struct tls *tls)
{
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);
	const char *text;

	if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
		if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
			return tls_verify_failure(tls, SSL_get_verify_result(tls->ssl));
		if (reason == SSL_R_INVALID_STATUS_RESPONSE && tls->ocsp_fault)
			return fail(SRDMA_ECERT,
			            "the OCSP response of %s is not accepted: %s",
			            tls->peer, tls->ocsp_fault);
		for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
			if (failures[i].reason == reason) {
				char sentence[256];

				snprintf(sentence, sizeof(sentence), failures[i].sentence,
				         tls->peer);
				return fail(failures[i].code, "%s", sentence);
			}
	}
	text = ERR_reason_error_string(error);
	return fail(SRDMA_ETLS, "TLS with %s failed: %s", tls->peer,
	            text ? text : "no reason given");
}

static int system_failure(struct tls *tls, int number)
{
	if (!number || number == ECONNRESET || number == EPIPE)
		return fail(SRDMA_EVANISHED, "%s closed the connection without a word",
		            tls->peer);
	return fail(SRDMA_EVANISHED, "the connection to %s broke: %s", tls->peer,
	            errno_text(number));
}

static int outcome(struct tls *tls, int result, int number)
{
	int error;

	tls->wants_write = false;
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_NONE: return 0;
	case SSL_ERROR_WANT_READ: return SRDMA_EBLOCKED;
	case SSL_ERROR_WANT_WRITE: tls->wants_write = true; return SRDMA_EBLOCKED;
	case SSL_ERROR_ZERO_RETURN:
		return fail(SRDMA_EVANISHED, "%s closed the connection", tls->peer);
	case SSL_ERROR_SYSCALL: error = system_failure(tls, number); break;
	default: error = protocol_failure(tls); break;
	}
	tls->broken = true;
	ERR_clear_error();
	return error;
}

/* OpenSSL's error queue and errno must be clean before a call whose outcome is asked for.
 */
static void prepare(void)
{
	ERR_clear_error();
	errno = 0;
}

int tls_handshake(struct tls *tls)
{
	int result;

	prepare();
	result = SSL_do_handshake(tls->ssl);
	return outcome(tls, result, errno);
}

/* The client's key share is the last that is taken from it before the ServerHello. */
bool tls_answered(const struct tls *tls)
{
	EVP_PKEY *share;

	if (SSL_get_peer_tmp_key(tls->ssl, &share) != 1)
		return false;
	EVP_PKEY_free(share);
	return true;
}

int tls_read(struct tls *tls, void *data, size_t size, size_t *length)
{
	int result;

	prepare();
	result = SSL_read_ex(tls->ssl, data, size, length);
	return outcome(tls, result, errno);
}

int tls_write(struct tls *tls, const void *data, size_t length, size_t *written)
{
	int result;

	prepare();
	result = SSL_write_ex(tls->ssl, data, length, written);
	return outcome(tls, result, errno);
}

bool tls_wants_write(const struct tls *tls)
{
	return tls->wants_write;
}

bool tls_has_pending(const struct tls *tls)
{
	return SSL_has_pending(tls->ssl);
}

void tls_close_notify(struct tls *tls)
{
	if (tls->broken || !SSL_is_init_finished(tls->ssl))
		return;
	prepare();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

int tls_export(struct tls *tls, const char *label, const void *context,
               size_t context_length, void *out, size_t length)
{
	prepare();
	if (SSL_export_keying_material(tls->ssl, out, length, label, strlen(label),
	                               context, context_length, context != NULL) == 1)
		return 0;
	ERR_clear_error();
	return fail(SRDMA_EINTERNAL, "cannot derive a key from TLS");
}

X509 *tls_peer_certificate(const struct tls *tls)
{
	return SSL_get0_peer_certificate(tls->ssl);
}

void tls_describe(const struct tls *tls, char *text, size_t size)
{
	snprintf(text, size, "%s %s", SSL_get_version(tls->ssl),
	         SSL_CIPHER_get_name(SSL_get_current_cipher(tls->ssl)));
}
