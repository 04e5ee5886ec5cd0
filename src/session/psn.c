/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/psn.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "common/cursor.h"
#include "session/error.h"

int psn_draw(uint32_t *out)
{
	uint8_t bytes[3];
	uint32_t psn;

	do {
		if (RAND_bytes(bytes, sizeof(bytes)) != 1)
			return fail(SRDMA_ERANDOM,
			            "the random generator failed: no PSN drawn");
		psn = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
		OPENSSL_cleanse(bytes, sizeof(bytes));
	} while (!psn);
	*out = psn;
	return 0;
}

int psn_hash(const uint8_t *salt, size_t salt_length, const char *owner, uint32_t psn,
             char out[PSN_HASH_TEXT])
{
	uint8_t text[64], digest[EVP_MAX_MD_SIZE];
	struct writer w = writer_of(text, sizeof(text));
	int error = 0;

	put_bytes(&w, owner, strlen(owner));
	put_u32(&w, psn);
	if (w.bad ||
	    !HMAC(EVP_sha256(), salt, (int)salt_length, text, w.used, digest, NULL))
		error = fail(SRDMA_EINTERNAL, "cannot hash a PSN");
	else
		snprintf(out, PSN_HASH_TEXT, "%02x%02x%02x%02x", digest[0], digest[1],
		         digest[2], digest[3]);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(digest, sizeof(digest));
	return error;
}
