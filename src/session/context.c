/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/context.h"

#include <pthread.h>
#include <stdlib.h>

#include "session/error.h"
#include "session/tls.h"

struct srdma_context {
	pthread_mutex_t lock; /* over everything below */
	unsigned references;
	struct options options;
	SSL_CTX *tls;
};

int srdma_context_new(struct srdma_context **out)
{
	struct srdma_context *context = calloc(1, sizeof(*context));

	if (!context)
		return fail(SRDMA_ENOMEM, "out of memory for a context");
	pthread_mutex_init(&context->lock, NULL);
	context->references = 1;
	options_init(&context->options);
	*out = context;
	return 0;
}

struct srdma_context *context_hold(struct srdma_context *context)
{
	pthread_mutex_lock(&context->lock);
	context->references++;
	pthread_mutex_unlock(&context->lock);
	return context;
}

void srdma_context_free(struct srdma_context *context)
{
	bool last;

	if (!context)
		return;
	pthread_mutex_lock(&context->lock);
	last = --context->references == 0;
	pthread_mutex_unlock(&context->lock);
	if (!last)
		return;
	SSL_CTX_free(context->tls);
	options_clear(&context->options);
	pthread_mutex_destroy(&context->lock);
	free(context);
}

int srdma_context_set_text(struct srdma_context *context, enum srdma_text_option option,
                           const char *value)
{
	int error;

	pthread_mutex_lock(&context->lock);
	error = options_set_text(&context->options, option, value);
	pthread_mutex_unlock(&context->lock);
	return error;
}

int srdma_context_set_number(struct srdma_context *context,
                             enum srdma_number_option option, uint64_t value)
{
	int error;

	pthread_mutex_lock(&context->lock);
	error = options_set_number(&context->options, option, value);
	pthread_mutex_unlock(&context->lock);
	return error;
}

int srdma_context_get_number(const struct srdma_context *context,
                             enum srdma_number_option option, uint64_t *value)
{
	struct srdma_context *locked = (struct srdma_context *)context;
	int error;

	pthread_mutex_lock(&locked->lock);
	error = options_get_number(&locked->options, option, value);
	pthread_mutex_unlock(&locked->lock);
	return error;
}

int context_options(struct srdma_context *context, struct options *out)
{
	int error;

	pthread_mutex_lock(&context->lock);
	error = options_copy(&context->options, out);
	pthread_mutex_unlock(&context->lock);
	return error;
}

/* Files are read without the lock: sessions go on starting meanwhile. */
int srdma_context_load(struct srdma_context *context)
{
	struct options options;
	SSL_CTX *made, *old;
	int error = context_options(context, &options);

	if (error)
		return error;
	error = tls_config_new(&options, &made);
	options_clear(&options);
	if (error)
		return error;
	pthread_mutex_lock(&context->lock);
	old = context->tls;
	context->tls = made;
	pthread_mutex_unlock(&context->lock);
	SSL_CTX_free(old);
	return 0;
}

int context_tls(struct srdma_context *context, SSL_CTX **out)
{
	SSL_CTX *tls;

	pthread_mutex_lock(&context->lock);
	tls = context->tls;
	if (tls)
		SSL_CTX_up_ref(tls);
	pthread_mutex_unlock(&context->lock);
	if (!tls)
		return fail(SRDMA_ESTATE,
		            "no certificates are loaded: call srdma_context_load()");
	*out = tls;
	return 0;
}
