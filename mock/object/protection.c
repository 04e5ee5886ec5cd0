/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/protection.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "object/crypto_library.h"
#include "object/replay.h"

/* Its locks are the innermost ones: nothing is called under them but libcrypto. */
struct way {
	pthread_mutex_t lock;
	EVP_CIPHER_CTX *cipher; /* has the key; NULL: there is none */
	uint8_t iv[PROTECTED_NONCE];
};

struct protection {
	const struct crypto_library *crypto;
	struct way out, in;
	uint64_t sent;               /* the number of the last packet; under out.lock */
	struct replay_window window; /* under in.lock */
};

struct protection *protection_new(int *err)
{
	const struct crypto_library *crypto = crypto_library();
	struct protection *made = crypto ? calloc(1, sizeof(*made)) : NULL;

	*err = !crypto ? -ELIBACC : !made ? -ENOMEM : 0;
	if (!made)
		return NULL;
	made->crypto = crypto;
	pthread_mutex_init(&made->out.lock, NULL);
	pthread_mutex_init(&made->in.lock, NULL);
	return made;
}

static void clear_way(struct protection *protection, struct way *way)
{
	const struct crypto_library *crypto = protection->crypto;

	crypto->EVP_CIPHER_CTX_free(way->cipher); /* which wipes it */
	crypto->OPENSSL_cleanse(way->iv, sizeof(way->iv));
	way->cipher = NULL;
}

void protection_clear(struct protection *protection)
{
	pthread_mutex_lock(&protection->out.lock);
	clear_way(protection, &protection->out);
	pthread_mutex_unlock(&protection->out.lock);
	pthread_mutex_lock(&protection->in.lock);
	clear_way(protection, &protection->in);
	pthread_mutex_unlock(&protection->in.lock);
}

void protection_free(struct protection *protection)
{
	if (!protection)
		return;
	protection_clear(protection);
	pthread_mutex_destroy(&protection->out.lock);
	pthread_mutex_destroy(&protection->in.lock);
	free(protection);
}

int protection_set(struct protection *protection, const struct mockrdma_protection *keys)
{
	const struct crypto_library *c = protection->crypto;
	EVP_CIPHER_CTX *out = c->EVP_CIPHER_CTX_new(), *in = c->EVP_CIPHER_CTX_new();

	if (!out || !in ||
	    c->EVP_EncryptInit_ex(out, c->EVP_aes_256_gcm(), NULL, keys->send.key,
	                          NULL) != 1 ||
	    c->EVP_DecryptInit_ex(in, c->EVP_aes_256_gcm(), NULL, keys->receive.key,
	                          NULL) != 1) {
		c->EVP_CIPHER_CTX_free(out);
		c->EVP_CIPHER_CTX_free(in);
		return -ENOMEM;
	}
	protection_clear(protection);
	pthread_mutex_lock(&protection->out.lock);
	protection->out.cipher = out;
	memcpy(protection->out.iv, keys->send.iv, sizeof(protection->out.iv));
	protection->sent = 0;
	pthread_mutex_unlock(&protection->out.lock);
	pthread_mutex_lock(&protection->in.lock);
	protection->in.cipher = in;
	memcpy(protection->in.iv, keys->receive.iv, sizeof(protection->in.iv));
	protection->window = (struct replay_window){ 0 };
	pthread_mutex_unlock(&protection->in.lock);
	return 0;
}

/* --- out -----------------------------------------------------------------------------
 */

static bool encrypt(const struct crypto_library *c, EVP_CIPHER_CTX *cipher,
                    const void *from, size_t length, uint8_t **to)
{
	int done;

	if (!length)
		return true;
	if (c->EVP_EncryptUpdate(cipher, *to, &done, from, (int)length) != 1)
		return false;
	*to += length;
	return true;
}

/* The headers after the BTH, the other parts, the tag. */
static bool encrypt_all(struct protection *protection, const struct iovec *part,
                        unsigned int parts, uint8_t *to)
{
	const struct crypto_library *c = protection->crypto;
	EVP_CIPHER_CTX *cipher = protection->out.cipher;
	const uint8_t *bth = part[0].iov_base;
	bool good =
	        encrypt(c, cipher, bth + BTH_LENGTH, part[0].iov_len - BTH_LENGTH, &to);
	int none;

	for (unsigned int i = 1; good && i < parts; i++)
		good = encrypt(c, cipher, part[i].iov_base, part[i].iov_len, &to);
	return good && c->EVP_EncryptFinal_ex(cipher, to, &none) == 1 &&
	       c->EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, PROTECTED_TAG, to) ==
	               1;
}

static bool seal(struct protection *protection, const struct iovec *part,
                 unsigned int parts, uint8_t *room, size_t head)
{
	const struct crypto_library *c = protection->crypto;
	EVP_CIPHER_CTX *cipher = protection->out.cipher;
	uint8_t nonce[PROTECTED_NONCE], associated[BTH_LENGTH];
	int done;

	protected_nonce(protection->out.iv, protection->sent, nonce);
	protected_associated(room, associated);
	return c->EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
	       c->EVP_EncryptUpdate(cipher, NULL, &done, associated, BTH_LENGTH) == 1 &&
	       encrypt_all(protection, part, parts, room + head);
}

size_t protection_seal(struct protection *protection, const struct iovec *part,
                       unsigned int parts, uint8_t *room, size_t size)
{
	size_t total = PROTECTED_MORE, head;
	bool good = false;

	for (unsigned int i = 0; i < parts; i++)
		total += part[i].iov_len;
	if (total > size)
		return 0;
	pthread_mutex_lock(&protection->out.lock);
	if (protection->out.cipher && protection->sent < PROTECTION_PACKETS_MOST) {
		head = protected_encode(part[0].iov_base, ++protection->sent, room, size);
		good = head && seal(protection, part, parts, room, head);
	}
	pthread_mutex_unlock(&protection->out.lock);
	return good ? total : 0;
}

/* --- in ------------------------------------------------------------------------------
 */

static bool decrypt(struct protection *protection, const struct protected_packet *packet,
                    uint8_t *room)
{
	const struct crypto_library *c = protection->crypto;
	EVP_CIPHER_CTX *cipher = protection->in.cipher;
	uint8_t nonce[PROTECTED_NONCE], tag[PROTECTED_TAG];
	int done = 0, last = 0;

	memcpy(tag, packet->tag, sizeof(tag));
	protected_nonce(protection->in.iv, packet->number, nonce);
	return c->EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
	       c->EVP_DecryptUpdate(cipher, NULL, &done, packet->authenticated,
	                            BTH_LENGTH) == 1 &&
	       (!packet->length ||
	        c->EVP_DecryptUpdate(cipher, room, &done, packet->sealed,
	                             (int)packet->length) == 1) &&
	       c->EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, PROTECTED_TAG,
	                              tag) == 1 &&
	       c->EVP_DecryptFinal_ex(cipher, room + packet->length, &last) == 1;
}

/* The window moves for what is authentic only. */
enum protection_verdict protection_open(struct protection *protection,
                                        const struct protected_packet *packet,
                                        uint8_t *room)
{
	enum protection_verdict verdict = PROTECTION_FORGED;

	pthread_mutex_lock(&protection->in.lock);
	if (protection->in.cipher && !replay_is_new(&protection->window, packet->number))
		verdict = PROTECTION_REPEATED;
	else if (protection->in.cipher && decrypt(protection, packet, room))
		verdict = PROTECTION_OPENED;
	if (verdict == PROTECTION_OPENED)
		replay_note(&protection->window, packet->number);
	else
		protection->crypto->OPENSSL_cleanse(room, packet->length);
	pthread_mutex_unlock(&protection->in.lock);
	return verdict;
}
