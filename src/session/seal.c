/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "common/cursor.h"
#include "session/error.h"

#define ASSOCIATED 8

/*
 * Keys
 */

static int broken_library(void)
{
	return fail(SRDMA_EINTERNAL, "OpenSSL cannot derive or use a key of the seal");
}

struct bytes {
	const void *at;
	size_t length;
};

/* RFC 5869: one of its two steps, with SHA-256. */
static int hkdf(int mode, struct bytes key, const char *other_name, struct bytes other,
                uint8_t *out, size_t length)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.at,
		                                  key.length),
		OSSL_PARAM_construct_octet_string(other_name, (void *)other.at,
		                                  other.length),
		OSSL_PARAM_construct_end(),
	};
	bool done = context && EVP_KDF_derive(context, out, length, params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return done ? 0 : broken_library();
}

static int expand(const uint8_t secret[SEAL_SECRET], const char *info, uint8_t *out,
                  size_t length)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, (struct bytes){ secret, SEAL_SECRET },
	            OSSL_KDF_PARAM_INFO, (struct bytes){ info, strlen(info) }, out,
	            length);
}

int seal_first_secret(const uint8_t exporter[SEAL_SECRET], enum frame_role sender,
                      uint8_t secret[SEAL_SECRET])
{
	const char *info =
	        sender == ROLE_CLIENT ? "srdma seal client" : "srdma seal server";

	return expand(exporter, info, secret, SEAL_SECRET);
}

int seal_next_secret(const uint8_t secret[SEAL_SECRET], const uint8_t fresh[FRAME_FRESH],
                     uint8_t next[SEAL_SECRET])
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, (struct bytes){ fresh, FRAME_FRESH },
	            OSSL_KDF_PARAM_SALT, (struct bytes){ secret, SEAL_SECRET }, next,
	            SEAL_SECRET);
}

int seal_key_of(const uint8_t secret[SEAL_SECRET], struct seal_key *key)
{
	int error = expand(secret, "srdma seal key", key->key, SEAL_KEY);

	return error ? error : expand(secret, "srdma seal iv", key->iv, SEAL_IV);
}

void seal_nonce(const uint8_t iv[SEAL_IV], uint64_t number, uint8_t nonce[SEAL_IV])
{
	memcpy(nonce, iv, SEAL_IV);
	for (int i = 0; i < 8; i++)
		nonce[SEAL_IV - 1 - i] ^= (uint8_t)(number >> 8 * i);
}

/* The key of the present secret into the cipher; `kind` where it has none yet. */
static int install(struct seal *seal, const EVP_CIPHER *kind)
{
	struct seal_key key;
	int error = seal_key_of(seal->secret, &key);

	if (!error && EVP_CipherInit_ex(seal->cipher, kind, NULL, key.key, NULL,
	                                seal->sealing) != 1)
		error = broken_library();
	memcpy(seal->iv, key.iv, SEAL_IV);
	seal->first = seal->number;
	seal->bytes = 0;
	OPENSSL_cleanse(&key, sizeof(key));
	return error;
}

int seal_init(struct seal *seal, uint32_t protection, bool sealing,
              const uint8_t secret[SEAL_SECRET])
{
	int error;

	memset(seal, 0, sizeof(*seal));
	seal->sealing = sealing;
	memcpy(seal->secret, secret, SEAL_SECRET);
	seal->cipher = EVP_CIPHER_CTX_new();
	if (!seal->cipher)
		error = fail(SRDMA_ENOMEM, "out of memory for a cipher");
	else
		error = install(seal, protection == SRDMA_PROTECTION_AES_256_GCM
		                              ? EVP_aes_256_gcm()
		                              : EVP_chacha20_poly1305());
	if (error)
		seal_clear(seal);
	return error;
}

void seal_clear(struct seal *seal)
{
	EVP_CIPHER_CTX_free(seal->cipher); /* which wipes the key */
	OPENSSL_cleanse(seal, sizeof(*seal));
}

int seal_advance(struct seal *seal, const uint8_t fresh[FRAME_FRESH])
{
	uint8_t next[SEAL_SECRET];
	int error = seal_next_secret(seal->secret, fresh, next);

	if (!error) {
		memcpy(seal->secret, next, SEAL_SECRET);
		seal->key++;
		error = install(seal, NULL);
	}
	OPENSSL_cleanse(next, sizeof(next));
	return error;
}

/*
 * Messages
 */

static bool update(struct seal *seal, uint8_t *out, const void *in, size_t length)
{
	int done;

	return !length || (EVP_CipherUpdate(seal->cipher, out, &done, in, (int)length) &&
	                   (size_t)done == length);
}

/* Nonce and associated data of the next message. */
static bool begin(struct seal *seal, uint32_t head, size_t length)
{
	uint8_t nonce[SEAL_IV], associated[ASSOCIATED];
	struct writer w = writer_of(associated, sizeof(associated));

	put_u32(&w, head);
	put_u32(&w, (uint32_t)length);
	seal_nonce(seal->iv, seal->number, nonce);
	return EVP_CipherInit_ex(seal->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
	       update(seal, NULL, associated, sizeof(associated));
}

static bool tag(struct seal *seal, int control, uint8_t *at)
{
	return EVP_CIPHER_CTX_ctrl(seal->cipher, control, SEAL_TAG, at) == 1;
}

static bool finish(struct seal *seal)
{
	uint8_t none[SEAL_TAG];
	int done;

	return EVP_CipherFinal_ex(seal->cipher, none, &done) == 1;
}

/* A number is used once, whatever became of its message. */
static void count(struct seal *seal, size_t length)
{
	seal->number++;
	seal->bytes += length;
}

int seal_close(struct seal *seal, uint32_t head, const void *prefix, size_t prefix_length,
               const void *data, size_t length, uint8_t *out)
{
	size_t all = prefix_length + length;
	bool done = begin(seal, head, all) && update(seal, out, prefix, prefix_length) &&
	            update(seal, out + prefix_length, data, length) && finish(seal) &&
	            tag(seal, EVP_CTRL_AEAD_GET_TAG, out + all);

	count(seal, all);
	return done ? 0 : broken_library();
}

int seal_open(struct seal *seal, uint32_t head, const uint8_t *sealed, size_t length,
              uint8_t *out)
{
	size_t plain = length - SEAL_TAG;
	uint8_t expected[SEAL_TAG];
	bool right;

	if (length < SEAL_TAG)
		return fail(SRDMA_ESEAL, "a message is too short for a seal");
	memcpy(expected, sealed + plain, SEAL_TAG);
	right = begin(seal, head, plain) && tag(seal, EVP_CTRL_AEAD_SET_TAG, expected) &&
	        update(seal, out, sealed, plain) && finish(seal);
	count(seal, plain);
	return right ? 0
	             : fail(SRDMA_ESEAL, "the seal of message %llu is broken",
	                    (unsigned long long)seal->number - 1);
}
