/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TLS 1.3 channel over a non-blocking socket, both certificates verified. No
 * resumption, no early data, no renegotiation (RFC 8446 has none). Failures come as
 * sentences about the peer.
 */
#ifndef SESSION_TLS_H
#define SESSION_TLS_H

#include <openssl/ssl.h>

#include "session/options.h"

struct tls;

/* Certificates and rules of a context, from its options' files; reads files.
 * SRDMA_ECONFIG. */
int tls_config_new(const struct options *options, SSL_CTX **out);

/* Whether it has a certificate, without which a server cannot be. */
bool tls_config_has_certificate(const SSL_CTX *config);

/*
 * A channel on `fd`, which stays the caller's. `name`: what a server's certificate must
 * be for, a DNS name or an address (NULL: we are the server). `peer`: how sentences name
 * the peer. Both are copied.
 */
int tls_new(SSL_CTX *config, int fd, const char *name, const char *peer,
            struct tls **out);
void tls_free(struct tls *tls);

/*
 * 0: done, both sides' certificates in order as far as we can see (a client learns of the
 * server's refusal only when it reads). SRDMA_EBLOCKED: wait for the socket. Else it
 * failed, and the alert that tells the peer is on its way.
 */
int tls_handshake(struct tls *tls);

/* As a server, before tls_handshake() is done: whether a whole ClientHello came that we
 * answered with a ServerHello (a HelloRetryRequest is none). */
bool tls_answered(const struct tls *tls);

/* SRDMA_EBLOCKED; SRDMA_EVANISHED at the end of the stream, in order or not. */
int tls_read(struct tls *tls, void *data, size_t size, size_t *length);
int tls_write(struct tls *tls, const void *data, size_t length, size_t *written);

/* After SRDMA_EBLOCKED: wait for writing, not for reading. */
bool tls_wants_write(const struct tls *tls);

/* Bytes that are decrypted but not read: no poll will report them. */
bool tls_has_pending(const struct tls *tls);

/* Tell the peer that nothing more will come. Does not wait. */
void tls_close_notify(struct tls *tls);

/* RFC 8446 7.5; without a context value where `context` is NULL. */
int tls_export(struct tls *tls, const char *label, const void *context,
               size_t context_length, void *out, size_t length);

/* The peer's certificate, verified; the channel's own. NULL before tls_handshake() is
 * done. */
X509 *tls_peer_certificate(const struct tls *tls);

/* When the first certificate of the peer's chain ends: seconds since the epoch. */
int64_t tls_expires(const struct tls *tls);

/*
 * Whether the peer would be accepted by another configuration: 0, or SRDMA_ECERT. Costs a
 * signature check for each certificate of the chain.
 */
int tls_recheck(struct tls *tls, SSL_CTX *config);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tls_describe(const struct tls *tls, char *text, size_t size);

#endif
