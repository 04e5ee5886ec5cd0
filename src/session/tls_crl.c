/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of revoked certificates (RFC 5280 5). They are looked at when they are read: one
 * that would only have every peer refused must not take the place of one in force.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "session/error.h"
#include "session/tls_inside.h"

/* The authorities of the store, each with at least one list of its own. */
struct load {
	const char *path;
	X509_STORE *store;
	unsigned count;
};

static void name_of(const X509_NAME *name, char *text, int size)
{
	X509_NAME_oneline(name, text, size);
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c >= 0x7f)
			*c = '?';
}

static X509 *authority_at(X509_STORE *store, int n)
{
	return X509_OBJECT_get0_X509(
	        sk_X509_OBJECT_value(X509_STORE_get0_objects(store), n));
}

/* An authority that renewed its key stands there twice: one of them signed. */
static int check_signature(struct load *load, X509_CRL *crl)
{
	X509_NAME *issuer = X509_CRL_get_issuer(crl);
	bool known = false;
	char name[200];

	for (int i = 0; i < sk_X509_OBJECT_num(X509_STORE_get0_objects(load->store));
	     i++) {
		X509 *authority = authority_at(load->store, i);

		if (!authority || X509_NAME_cmp(X509_get_subject_name(authority), issuer))
			continue;
		known = true;
		if (X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1)
			return 0;
	}
	/* That of an authority between: peers send its certificate. */
	if (!known)
		return 0;
	name_of(issuer, name, sizeof(name));
	return fail(SRDMA_ECONFIG, "a list in the CRL file '%s' is not signed by '%s'",
	            load->path, name);
}

static int check_time(const struct load *load, const X509_CRL *crl)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	char name[200];

	if (!next || X509_cmp_current_time(next) > 0)
		return 0;
	name_of(X509_CRL_get_issuer(crl), name, sizeof(name));
	return fail(SRDMA_ECONFIG,
	            "the list of '%s' in the CRL file '%s' is out of date: get a newer "
	            "one",
	            name, load->path);
}

static int take(struct load *load, X509_CRL *crl)
{
	int error = check_time(load, crl);

	if (!error)
		error = check_signature(load, crl);
	if (!error && !X509_STORE_add_crl(load->store, crl))
		error = fail(SRDMA_ENOMEM, "out of memory for a CRL");
	load->count += !error;
	return error;
}

static int take_all(struct load *load, BIO *file)
{
	X509_CRL *crl;
	int error = 0;

	while (!error && (crl = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL))) {
		error = take(load, crl);
		X509_CRL_free(crl);
	}
	if (error)
		return error;
	/* What ends the file is the lack of a further beginning. */
	if (!load->count || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return tls_bad_file("CRL", load->path, "PEM");
	ERR_clear_error();
	return 0;
}

static bool has_list(X509_STORE *store, const X509_NAME *issuer)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *crl =
		        X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));

		if (crl && X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer) == 0)
			return true;
	}
	return false;
}

/* Without its list nobody of an authority would be accepted. */
static int check_complete(struct load *load)
{
	char name[200];

	for (int i = 0; i < sk_X509_OBJECT_num(X509_STORE_get0_objects(load->store));
	     i++) {
		X509 *authority = authority_at(load->store, i);

		if (!authority || has_list(load->store, X509_get_subject_name(authority)))
			continue;
		name_of(X509_get_subject_name(authority), name, sizeof(name));
		return fail(SRDMA_ECONFIG,
		            "the CRL file '%s' has no list of '%s': it needs one of each "
		            "authority",
		            load->path, name);
	}
	return 0;
}

int tls_load_crl(SSL_CTX *config, const char *path)
{
	struct load load = { .path = path, .store = SSL_CTX_get_cert_store(config) };
	BIO *file = BIO_new_file(path, "re");
	int error;

	if (!file) {
		ERR_clear_error();
		return fail(SRDMA_ECONFIG, "cannot read the CRL file '%s': %s", path,
		            errno_text(errno));
	}
	error = take_all(&load, file);
	BIO_free(file);
	if (!error)
		error = check_complete(&load);
	if (!error)
		X509_STORE_set_flags(load.store,
		                     X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return error;
}
