/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/resume.h"

#include <openssl/rand.h>

#include "client/client.h"

/* The exchange that asks for the server's features. */
struct asking {
	struct exchange exchange;
	uint32_t features;
};

static void on_features(struct exchange *exchange, const struct app_message *message)
{
	struct asking *asking = container_of(exchange, struct asking, exchange);

	if (message->type != APP_FEATURES)
		return;
	asking->features = message->features;
	exchange->done = true;
}

static void keep(struct keeper *keeper, struct partial *partial)
{
	struct resume *resume = container_of(keeper, struct resume, keeper);

	if (partial)
		resume->partial = *partial;
}

static int draw_token(struct resume *resume)
{
	if (resume->drawn)
		return 0;
	if (RAND_bytes(resume->token, sizeof(resume->token)) != 1)
		return fault(FAULT_INTERNAL, "the random generator failed");
	resume->drawn = true;
	return 0;
}

int resume_prepare(struct resume *resume, struct client *client)
{
	struct app_message request = { .type = APP_FEATURES,
		                       .features = APP_FEATURES_ALL };
	struct asking asking = { .exchange.answer = on_features };
	int error;

	if (!client->options.reconnect)
		return 0;
	resume->keeper.keep = keep;
	error = client_ask(client, &asking.exchange, &request);
	resume->able = !error && (asking.features & APP_FEATURE_RESUME);
	return error ? error : draw_token(resume);
}

bool resume_take(struct resume *resume, uint64_t size, int64_t changed,
                 struct partial *partial)
{
	bool same = resume->size == size && resume->changed == changed;

	if (!resume->able || !same || !resume->partial.bytes)
		partial_clear(&resume->partial);
	*partial = resume->partial;
	resume->partial = (struct partial){ 0 };
	resume->size = size;
	resume->changed = changed;
	partial->keeper = resume->able ? &resume->keeper : NULL;
	return partial->bytes > 0;
}

void resume_clear(struct resume *resume)
{
	partial_clear(&resume->partial);
}
