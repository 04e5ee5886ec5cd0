/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/sha256.h"

#include <openssl/evp.h>

#include "program/fault.h"

struct sha256 *sha256_new(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		context = NULL;
	}
	return (struct sha256 *)context;
}

static EVP_MD_CTX *context_of(struct sha256 *sha)
{
	return (EVP_MD_CTX *)sha;
}

void sha256_free(struct sha256 *sha)
{
	EVP_MD_CTX_free(context_of(sha));
}

static int check(int ok)
{
	return ok == 1 ? 0 : fault(FAULT_INTERNAL, "OpenSSL cannot compute SHA-256");
}

int sha256_update(struct sha256 *sha, const void *data, size_t length)
{
	return check(EVP_DigestUpdate(context_of(sha), data, length));
}

int sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_BYTES])
{
	return check(EVP_DigestFinal_ex(context_of(sha), digest, NULL));
}

int sha256_so_far(const struct sha256 *sha, uint8_t digest[SHA256_BYTES])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	int ok = copy && EVP_MD_CTX_copy_ex(copy, (const EVP_MD_CTX *)sha) == 1 &&
	         EVP_DigestFinal_ex(copy, digest, NULL) == 1;

	EVP_MD_CTX_free(copy);
	return check(ok);
}

int sha256_of(const void *data, size_t length, uint8_t digest[SHA256_BYTES])
{
	return check(EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL));
}
