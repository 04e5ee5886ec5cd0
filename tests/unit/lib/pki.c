/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char directory[128];

const char *pki_path(const char *name, const char *suffix)
{
	static _Thread_local char paths[4][256];
	static _Thread_local unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s%s", directory, name, suffix);
	return path;
}

static void write_key(const char *name, EVP_PKEY *key)
{
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".key"), "w"));

	CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	fclose(file);
}

static void write_certificate(const char *name, X509 *certificate)
{
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".pem"), "w"));

	CHECK(PEM_write_X509(file, certificate));
	fclose(file);
}

static EVP_PKEY *read_key(const char *name)
{
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".key"), "r"));
	EVP_PKEY *key = CHECK_OBJECT(PEM_read_PrivateKey(file, NULL, NULL, NULL));

	fclose(file);
	return key;
}

static X509 *read_certificate(const char *name)
{
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".pem"), "r"));
	X509 *certificate = CHECK_OBJECT(PEM_read_X509(file, NULL, NULL, NULL));

	fclose(file);
	return certificate;
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	if (!value)
		return;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = CHECK_OBJECT(X509V3_EXT_conf_nid(NULL, &context, nid, value));
	CHECK(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *begin(const char *name, EVP_PKEY *key, long from, long until)
{
	static long serial = 1000;
	X509 *certificate = CHECK_OBJECT(X509_new());
	X509_NAME *subject = X509_get_subject_name(certificate);

	CHECK(X509_set_version(certificate, X509_VERSION_3));
	CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial));
	CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), from) != NULL);
	CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), until) != NULL);
	CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const void *)name,
	                                 -1, -1, 0));
	CHECK(X509_set_pubkey(certificate, key));
	return certificate;
}

void pki_authority(const char *name)
{
	EVP_PKEY *key = CHECK_OBJECT(EVP_EC_gen("P-256"));
	X509 *certificate = begin(name, key, -3600, 24 * 3600);

	CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)));
	extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
	extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	CHECK(X509_sign(certificate, key, EVP_sha256()));
	write_key(name, key);
	write_certificate(name, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void issue(const struct pki_leaf *leaf, const char *features)
{
	EVP_PKEY *key = CHECK_OBJECT(EVP_EC_gen("P-256"));
	X509 *issuer = read_certificate(leaf->issuer);
	EVP_PKEY *issuer_key = read_key(leaf->issuer);
	X509 *certificate = begin(leaf->name, key, leaf->from, leaf->until);

	CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
	extend(certificate, issuer, NID_subject_alt_name, leaf->names);
	extend(certificate, issuer, NID_ext_key_usage, leaf->usage);
	extend(certificate, issuer, NID_tlsfeature, features);
	CHECK(X509_sign(certificate, issuer_key, EVP_sha256()));
	write_key(leaf->name, key);
	write_certificate(leaf->name, certificate);
	X509_free(certificate);
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	EVP_PKEY_free(key);
}

void pki_issue(const struct pki_leaf *leaf)
{
	issue(leaf, NULL);
}

void pki_issue_stapled(const struct pki_leaf *leaf)
{
	issue(leaf, "status_request");
}

static void put_on_list(X509_CRL *crl, const char *name, ASN1_TIME *when)
{
	X509 *certificate = read_certificate(name);
	X509_REVOKED *revoked = CHECK_OBJECT(X509_REVOKED_new());

	CHECK(X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(certificate)));
	CHECK(X509_REVOKED_set_revocationDate(revoked, when));
	CHECK(X509_CRL_add0_revoked(crl, revoked));
	X509_free(certificate);
}

void pki_crl(const char *name, const char *authority, const char *revoked, long until)
{
	X509 *issuer = read_certificate(authority);
	EVP_PKEY *key = read_key(authority);
	X509_CRL *crl = CHECK_OBJECT(X509_CRL_new());
	ASN1_TIME *from = CHECK_OBJECT(X509_gmtime_adj(NULL, -3600));
	ASN1_TIME *next = CHECK_OBJECT(X509_gmtime_adj(NULL, until));
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".crl"), "w"));

	CHECK(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
	CHECK(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)));
	CHECK(X509_CRL_set1_lastUpdate(crl, from));
	CHECK(X509_CRL_set1_nextUpdate(crl, next));
	if (revoked)
		put_on_list(crl, revoked, from);
	CHECK(X509_CRL_sort(crl));
	CHECK(X509_CRL_sign(crl, key, EVP_sha256()));
	CHECK(PEM_write_X509_CRL(file, crl));
	fclose(file);
	ASN1_TIME_free(from);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
	EVP_PKEY_free(key);
	X509_free(issuer);
}

static void write_response(const char *name, OCSP_BASICRESP *basic)
{
	OCSP_RESPONSE *response = CHECK_OBJECT(
	        OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic));
	BIO *file = CHECK_OBJECT(BIO_new_file(pki_path(name, ".ocsp"), "wb"));

	CHECK(i2d_OCSP_RESPONSE_bio(file, response));
	BIO_free(file);
	OCSP_RESPONSE_free(response);
}

void pki_ocsp(const char *name, const char *signer, const char *leaf, const char *issuer,
              int status, long until)
{
	X509 *certificate = read_certificate(leaf), *above = read_certificate(issuer);
	X509 *responder = read_certificate(signer);
	EVP_PKEY *key = read_key(signer);
	OCSP_BASICRESP *basic = CHECK_OBJECT(OCSP_BASICRESP_new());
	OCSP_CERTID *id = CHECK_OBJECT(OCSP_cert_to_id(EVP_sha1(), certificate, above));
	ASN1_TIME *from = CHECK_OBJECT(X509_gmtime_adj(NULL, -7200));
	ASN1_TIME *next = CHECK_OBJECT(X509_gmtime_adj(NULL, until));

	CHECK(OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
	                             from, from, next) != NULL);
	CHECK(OCSP_basic_sign(basic, responder, key, EVP_sha256(), NULL, 0));
	write_response(name, basic);
	ASN1_TIME_free(from);
	ASN1_TIME_free(next);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	EVP_PKEY_free(key);
	X509_free(certificate);
	X509_free(above);
	X509_free(responder);
}

void pki_open(void)
{
	const char *parent = getenv("TEST_TMP");

	snprintf(directory, sizeof(directory), "%s/pki.XXXXXX", parent ? parent : "/tmp");
	CHECK(mkdtemp(directory) != NULL);
	pki_authority("ca");
	pki_authority("other");
	pki_issue(&(struct pki_leaf){ "server", "ca", "DNS:localhost,IP:127.0.0.1,IP:::1",
	                              NULL, -3600, 3600 });
	pki_issue(&(struct pki_leaf){ "client", "ca", "URI:spiffe://test/client", NULL,
	                              -3600, 3600 });
}

void pki_close(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	CHECK_EQ(system(command), 0);
}

int pki_set_up(void **state)
{
	(void)state;
	pki_open();
	return 0;
}

int pki_tear_down(void **state)
{
	(void)state;
	pki_close();
	return 0;
}
