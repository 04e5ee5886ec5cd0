/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/tls_bio.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static int bio_fd(BIO *bio)
{
	return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_write(BIO *bio, const char *data, int length)
{
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(bio_fd(bio), data, (size_t)length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	return (int)n;
}

static int bio_read(BIO *bio, char *data, int size)
{
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(bio_fd(bio), data, (size_t)size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	else if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: return 1;
	case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	default: return 0;
	}
}

static void make_method(void)
{
	BIO_METHOD *made =
	        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "srdma socket");

	if (!made)
		return;
	BIO_meth_set_write(made, bio_write);
	BIO_meth_set_read(made, bio_read);
	BIO_meth_set_ctrl(made, bio_ctrl);
	method = made;
}

__attribute__((destructor)) static void free_method(void)
{
	BIO_meth_free(method);
}

BIO *tls_bio_new(int fd)
{
	BIO *bio;

	pthread_once(&once, make_method);
	if (!method)
		return NULL;
	bio = BIO_new(method);
	if (!bio)
		return NULL;
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	return bio;
}
