/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OCSP responses stapled to a server's certificate (RFC 6066 8, RFC 8446 4.4.2.1): a
 * server sends the one of its file while it is in date; a client checks one that is
 * there, and insists where the certificate says that there has to be one (RFC 7633).
 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "session/error.h"
#include "session/tls_inside.h"

#define SKEW_SECONDS   300
#define SIZE_LIMIT     (64 << 10)
#define STATUS_REQUEST 5 /* of TLS features */

/* What a server staples; goes with its SSL_CTX. */
struct staple {
	unsigned char *data;
	int length;
	int64_t until; /* seconds since the epoch */
};

static int staple_index = -1;

static void free_staple(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index,
                        long argl, void *argp)
{
	struct staple *staple = pointer;

	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (!staple)
		return;
	free(staple->data);
	free(staple);
}

static void make_index(void)
{
	staple_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_staple);
}

/*
 * A client
 */

static OCSP_BASICRESP *basic_of(const unsigned char *data, long length)
{
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &data, length);
	OCSP_BASICRESP *basic = NULL;

	if (response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	OCSP_RESPONSE_free(response);
	return basic;
}

/* The id is made with the digest that the response uses. */
static bool is_about(OCSP_SINGLERESP *single, X509 *certificate, X509 *issuer)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *digest;
	OCSP_CERTID *ours;
	bool same;

	OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)id);
	ours = OCSP_cert_to_id(EVP_get_digestbyobj(digest), certificate, issuer);
	same = ours && OCSP_id_cmp(ours, id) == 0;
	OCSP_CERTID_free(ours);
	return same;
}

static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, STACK_OF(X509) * chain)
{
	X509 *certificate = sk_X509_value(chain, 0);
	X509 *issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);

	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_about(single, certificate, issuer))
			return single;
	}
	return NULL;
}

/* NULL: the certificate is good. */
static const char *fault_of_single(OCSP_SINGLERESP *single)
{
	ASN1_GENERALIZEDTIME *from, *until;
	int status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);

	if (!OCSP_check_validity(from, until, SKEW_SECONDS, -1))
		return "it is out of date";
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return "the certificate is revoked";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "the responder does not know the certificate";
	return NULL;
}

static const char *fault_of(SSL *ssl, const unsigned char *data, long length)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
	OCSP_BASICRESP *basic = basic_of(data, length);
	OCSP_SINGLERESP *single;
	const char *fault;

	if (!basic)
		return "it is damaged, or none that says anything";
	single = find_single(basic, chain);
	if (OCSP_basic_verify(basic, chain, store, 0) != 1)
		fault = "it is not signed by the certificate's authority";
	else if (!single)
		fault = "it is about another certificate";
	else
		fault = fault_of_single(single);
	OCSP_BASICRESP_free(basic);
	return fault;
}

static bool has_to_staple(X509 *certificate)
{
	TLS_FEATURE *features = X509_get_ext_d2i(certificate, NID_tlsfeature, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
		         STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return found;
}

static int check_staple(SSL *ssl)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const unsigned char *data = NULL;
	long length = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
	const char *fault = NULL;

	if (data && length >= 0)
		fault = fault_of(ssl, data, length);
	else if (has_to_staple(SSL_get0_peer_certificate(ssl)))
		fault = "there is none, and the certificate says that there has to be";
	ERR_clear_error();
	if (!fault)
		return 1;
	tls->ocsp_fault = strdup(fault);
	return 0;
}

/*
 * A server
 */

static int staple_now(SSL *ssl, const struct staple *staple)
{
	unsigned char *copy;

	if (!staple || time(NULL) > staple->until)
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(staple->data, (size_t)staple->length);
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->length);
	return SSL_TLSEXT_ERR_OK;
}

static int on_status(SSL *ssl, void *arg)
{
	(void)arg;
	if (!SSL_is_server(ssl))
		return check_staple(ssl);
	return staple_now(ssl, SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), staple_index));
}

static OCSP_SINGLERESP *find_serial(OCSP_BASICRESP *basic, const X509 *certificate)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
		ASN1_INTEGER *serial;

		OCSP_id_get0_info(NULL, NULL, NULL, &serial,
		                  (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
		if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0)
			return single;
	}
	return NULL;
}

/* Without an end it is for now only, and no file for a server. */
static int64_t end_of(OCSP_SINGLERESP *single)
{
	ASN1_GENERALIZEDTIME *until;
	struct tm end;

	OCSP_single_get0_status(single, NULL, NULL, NULL, &until);
	return until && ASN1_TIME_to_tm(until, &end) ? timegm(&end) : 0;
}

static int look_at(struct staple *staple, const X509 *certificate, const char *path)
{
	OCSP_BASICRESP *basic = basic_of(staple->data, staple->length);
	OCSP_SINGLERESP *single;
	int error = 0;

	if (!basic)
		return tls_bad_file("OCSP response", path, "a response in DER");
	single = certificate ? find_serial(basic, certificate) : NULL;
	if (!single)
		error = fail(SRDMA_ECONFIG,
		             "the OCSP response in '%s' is not about our certificate",
		             path);
	else
		staple->until = end_of(single);
	OCSP_BASICRESP_free(basic);
	if (!error && staple->until <= time(NULL))
		log_warn("the OCSP response in '%s' is out of date: it is not sent",
		         path);
	return error;
}

static int read_file(struct staple *staple, const char *path)
{
	BIO *file = BIO_new_file(path, "re");

	staple->data = malloc(SIZE_LIMIT);
	if (!file || !staple->data) {
		BIO_free(file);
		return tls_bad_file("OCSP response", path, "a response in DER");
	}
	staple->length = BIO_read(file, staple->data, SIZE_LIMIT);
	BIO_free(file);
	if (staple->length > 0 && staple->length < SIZE_LIMIT)
		return 0;
	return tls_bad_file("OCSP response", path, "a response in DER");
}

static int load_staple(SSL_CTX *config, const char *path)
{
	struct staple *staple = calloc(1, sizeof(*staple));
	int error;

	if (!staple)
		return fail(SRDMA_ENOMEM, "out of memory for an OCSP response");
	error = read_file(staple, path);
	if (!error)
		error = look_at(staple, SSL_CTX_get0_certificate(config), path);
	if (!error && !SSL_CTX_set_ex_data(config, staple_index, staple))
		error = fail(SRDMA_ENOMEM, "out of memory for an OCSP response");
	if (error)
		free_staple(NULL, staple, NULL, 0, 0, NULL);
	return error;
}

int tls_load_ocsp(SSL_CTX *config, const char *path)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_index);
	SSL_CTX_set_tlsext_status_cb(config, on_status);
	return path ? load_staple(config, path) : 0;
}
