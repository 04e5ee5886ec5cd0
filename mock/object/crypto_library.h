/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto, loaded when a queue pair is first given keys: whoever has none should not
 * get it, or a second version beside its own, only because it runs on the mock.
 */
#ifndef MOCK_OBJECT_CRYPTO_LIBRARY_H
#define MOCK_OBJECT_CRYPTO_LIBRARY_H

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define CRYPTO_FUNCTIONS(X)    \
	X(EVP_CIPHER_CTX_new)  \
	X(EVP_CIPHER_CTX_free) \
	X(EVP_CIPHER_CTX_ctrl) \
	X(EVP_aes_256_gcm)     \
	X(EVP_EncryptInit_ex)  \
	X(EVP_EncryptUpdate)   \
	X(EVP_EncryptFinal_ex) \
	X(EVP_DecryptInit_ex)  \
	X(EVP_DecryptUpdate)   \
	X(EVP_DecryptFinal_ex) \
	X(OPENSSL_cleanse)

struct crypto_library {
#define CRYPTO_MEMBER(name) __typeof__(name) *name;
	CRYPTO_FUNCTIONS(CRYPTO_MEMBER)
#undef CRYPTO_MEMBER
};

/* NULL, and the reason is logged, when it is not installed. Any thread. */
const struct crypto_library *crypto_library(void);

#endif
