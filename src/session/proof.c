/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/proof.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "session/error.h"

int transcript_add(struct transcript *transcript, enum frame_role role,
                   enum frame_type type, const uint8_t *frame, size_t length)
{
	int which = type != FRAME_HELLO;
	uint8_t **place = &transcript->frames[role - 1][which];

	if (*place)
		return fail(SRDMA_EPROTOCOL, "a second %s", frame_name(type));
	*place = malloc(length);
	if (!*place)
		return fail(SRDMA_ENOMEM, "out of memory for a transcript");
	memcpy(*place, frame, length);
	transcript->lengths[role - 1][which] = length;
	return 0;
}

void transcript_clear(struct transcript *transcript)
{
	for (int role = 0; role < 2; role++)
		for (int which = 0; which < 2; which++) {
			uint8_t *frame = transcript->frames[role][which];

			if (frame)
				OPENSSL_cleanse(frame, transcript->lengths[role][which]);
			free(frame);
		}
	memset(transcript, 0, sizeof(*transcript));
}

static bool hash_frames(const struct transcript *transcript, EVP_MD_CTX *hash,
                        uint8_t digest[TRANSCRIPT_HASH])
{
	if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		return false;
	for (int which = 0; which < 2; which++)
		for (int role = 0; role < 2; role++) {
			const uint8_t *frame = transcript->frames[role][which];

			if (!frame || !EVP_DigestUpdate(hash, frame,
			                                transcript->lengths[role][which]))
				return false;
		}
	return EVP_DigestFinal_ex(hash, digest, NULL);
}

int transcript_hash(const struct transcript *transcript, uint8_t digest[TRANSCRIPT_HASH])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool done = hash_frames(transcript, hash, digest);

	EVP_MD_CTX_free(hash);
	return done ? 0 : fail(SRDMA_EINTERNAL, "cannot hash the transcript");
}

int proof_make(const struct transcript *transcript, const uint8_t key[PROOF_SIZE],
               enum frame_role role, uint8_t out[PROOF_SIZE])
{
	const char *who =
	        role == ROLE_CLIENT ? "srdma proof client" : "srdma proof server";
	uint8_t digest[TRANSCRIPT_HASH], text[64];
	struct writer w = writer_of(text, sizeof(text));
	int error = transcript_hash(transcript, digest);

	put_bytes(&w, who, strlen(who));
	put_bytes(&w, digest, sizeof(digest));
	if (!error &&
	    (w.bad || !HMAC(EVP_sha256(), key, PROOF_SIZE, text, w.used, out, NULL)))
		error = fail(SRDMA_EINTERNAL, "cannot compute the proof");
	OPENSSL_cleanse(digest, sizeof(digest));
	return error;
}

bool proof_equal(const uint8_t a[PROOF_SIZE], const uint8_t b[PROOF_SIZE])
{
	return CRYPTO_memcmp(a, b, PROOF_SIZE) == 0;
}
