/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include <openssl/evp.h>
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

void pki_issue(const struct pki_leaf *leaf)
{
	EVP_PKEY *key = CHECK_OBJECT(EVP_EC_gen("P-256"));
	X509 *issuer = read_certificate(leaf->issuer);
	EVP_PKEY *issuer_key = read_key(leaf->issuer);
	X509 *certificate = begin(leaf->name, key, leaf->from, leaf->until);

	CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
	extend(certificate, issuer, NID_subject_alt_name, leaf->names);
	extend(certificate, issuer, NID_ext_key_usage, leaf->usage);
	CHECK(X509_sign(certificate, issuer_key, EVP_sha256()));
	write_key(leaf->name, key);
	write_certificate(leaf->name, certificate);
	X509_free(certificate);
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	EVP_PKEY_free(key);
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
