/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/identity.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session/error.h"

#define KINDS       (SRDMA_NAME_IP + 1)
#define NAMES_MAX   64 /* of a kind: more are left out */
#define FINGERPRINT 65

struct names {
	char **list;
	unsigned count;
};

struct srdma_identity {
	struct names names[KINDS];
	char fingerprint[FINGERPRINT];
	int64_t not_after;
	char *text;
};

/*
 * Names decide who may do what: one that could be read in two ways (embedded zero,
 * control characters) is none.
 */
static bool plain(const unsigned char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] < 0x20 || data[i] == 0x7f)
			return false;
	return length > 0;
}

static int add_name(struct names *names, const void *data, size_t length)
{
	char **list;

	if (!plain(data, length) || names->count == NAMES_MAX)
		return 0;
	list = realloc(names->list, (names->count + 1) * sizeof(*list));
	if (!list)
		return SRDMA_ENOMEM;
	names->list = list;
	list[names->count] = strndup(data, length);
	if (!list[names->count])
		return SRDMA_ENOMEM;
	names->count++;
	return 0;
}

static int add_string(struct names *names, const ASN1_STRING *string)
{
	unsigned char *utf8;
	int length = ASN1_STRING_to_UTF8(&utf8, string), error;

	if (length < 0)
		return 0;
	error = add_name(names, utf8, (size_t)length);
	OPENSSL_free(utf8);
	return error;
}

/* RFC 5280 4.1.2.6: the most specific name stands last. */
static int add_common_names(struct srdma_identity *identity, X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int error = 0;

	for (int at = X509_NAME_entry_count(subject) - 1; at >= 0 && !error; at--) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, at);

		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName)
			error = add_string(&identity->names[SRDMA_NAME_CN],
			                   X509_NAME_ENTRY_get_data(entry));
	}
	return error;
}

static int add_address(struct names *names, const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN];
	int length = ASN1_STRING_length(address);
	int family = length == 4 ? AF_INET : AF_INET6;

	if (length != 4 && length != 16)
		return 0;
	if (!inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)))
		return 0;
	return add_name(names, text, strlen(text));
}

static int add_alternative(struct srdma_identity *identity, const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		return add_string(&identity->names[SRDMA_NAME_DNS], name->d.dNSName);
	case GEN_URI:
		return add_string(&identity->names[SRDMA_NAME_URI],
		                  name->d.uniformResourceIdentifier);
	case GEN_EMAIL:
		return add_string(&identity->names[SRDMA_NAME_EMAIL], name->d.rfc822Name);
	case GEN_IPADD:
		return add_address(&identity->names[SRDMA_NAME_IP], name->d.iPAddress);
	default: return 0;
	}
}

static int add_alternatives(struct srdma_identity *identity, X509 *certificate)
{
	GENERAL_NAMES *names =
	        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int error = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !error; i++)
		error = add_alternative(identity, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	return error;
}

static int set_fingerprint(struct srdma_identity *identity, X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length;

	if (!X509_digest(certificate, EVP_sha256(), digest, &length))
		return SRDMA_ENOMEM;
	for (unsigned i = 0; i < length; i++)
		snprintf(identity->fingerprint + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int set_text(struct srdma_identity *identity)
{
	static const enum srdma_name order[] = { SRDMA_NAME_URI, SRDMA_NAME_DNS,
		                                 SRDMA_NAME_CN, SRDMA_NAME_EMAIL,
		                                 SRDMA_NAME_IP };
	const char *name = NULL;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !name; i++)
		name = srdma_identity_name(identity, order[i], 0);
	identity->text = strdup(name ? name : identity->fingerprint);
	if (!identity->text)
		return SRDMA_ENOMEM;
	for (char *c = identity->text; *c; c++)
		if (*c < 0x20 || *c >= 0x7f)
			*c = '?';
	return 0;
}

static void set_not_after(struct srdma_identity *identity, X509 *certificate)
{
	struct tm end;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end))
		identity->not_after = timegm(&end);
}

int identity_new(X509 *certificate, struct srdma_identity **out)
{
	struct srdma_identity *identity = calloc(1, sizeof(*identity));

	if (!identity)
		goto no_memory;
	set_not_after(identity, certificate);
	if (add_common_names(identity, certificate) ||
	    add_alternatives(identity, certificate) ||
	    set_fingerprint(identity, certificate) || set_text(identity))
		goto no_memory;
	*out = identity;
	return 0;

no_memory:
	identity_free(identity);
	return fail(SRDMA_ENOMEM, "out of memory for a certificate's names");
}

void identity_free(struct srdma_identity *identity)
{
	if (!identity)
		return;
	for (size_t kind = 0; kind < KINDS; kind++) {
		for (unsigned i = 0; i < identity->names[kind].count; i++)
			free(identity->names[kind].list[i]);
		free(identity->names[kind].list);
	}
	free(identity->text);
	free(identity);
}

const char *srdma_identity_name(const struct srdma_identity *identity,
                                enum srdma_name kind, unsigned n)
{
	if ((unsigned)kind >= KINDS || n >= identity->names[kind].count)
		return NULL;
	return identity->names[kind].list[n];
}

const char *srdma_identity_text(const struct srdma_identity *identity)
{
	return identity->text;
}

const char *srdma_identity_fingerprint(const struct srdma_identity *identity)
{
	return identity->fingerprint;
}

int64_t srdma_identity_not_after(const struct srdma_identity *identity)
{
	return identity->not_after;
}
