/* SPDX-License-Identifier: BSD-2-Clause */
/* ping: how long a message and its answer take, through both queue pairs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/command.h"
#include "client/latency.h"

struct ping {
	struct exchange exchange;
	const struct app_bytes *sent;
	bool differs;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_pong(struct exchange *exchange, const struct app_message *message)
{
	struct ping *ping = container_of(exchange, struct ping, exchange);

	ping->differs =
	        message->type != APP_PONG ||
	        message->payload.length != ping->sent->length ||
	        memcmp(message->payload.at, ping->sent->at, ping->sent->length) != 0;
	exchange->done = true;
}

static int ping_once(struct client *client, const struct app_bytes *payload, uint64_t *ns)
{
	struct ping ping = { .exchange.answer = on_pong, .sent = payload };
	struct app_message request = { .type = APP_PING, .payload = *payload };
	uint64_t start = now_ns();
	int error = client_ask(client, &ping.exchange, &request);

	if (error)
		return error;
	*ns = now_ns() - start;
	return ping.differs ? fault(FAULT_MISMATCH, "a pong is not what was sent") : 0;
}

static int ping_all(struct call *call, const struct app_bytes *payload, uint64_t *ns)
{
	const struct command_options *o = &call->options;
	int error = 0;

	for (uint64_t i = 0; !error && i < o->count; i++) {
		if (i > 0 && o->interval_ms)
			error = client_pause(call->client, o->interval_ms);
		if (!error)
			error = ping_once(call->client, payload, &ns[i]);
	}
	return error;
}

static void report(const struct call *call, uint64_t *ns)
{
	const struct command_options *o = &call->options;
	struct json *json = &call->report->json;
	struct latency l;

	latency_of(ns, o->count, &l);
	json_uint(json, "count", o->count);
	json_uint(json, "size", o->size);
	json_open(json, "latency_us", '{');
	json_double(json, "min", (double)l.min / 1e3);
	json_double(json, "mean", l.mean / 1e3);
	json_double(json, "p50", (double)l.p50 / 1e3);
	json_double(json, "p90", (double)l.p90 / 1e3);
	json_double(json, "p99", (double)l.p99 / 1e3);
	json_double(json, "max", (double)l.max / 1e3);
	json_close(json, '}');
	report_say(call->report,
	           "%llu pings of %llu bytes, round trip in us: min %.1f, mean %.1f, p50 "
	           "%.1f, p90 %.1f, p99 %.1f, max %.1f",
	           (unsigned long long)o->count, (unsigned long long)o->size,
	           (double)l.min / 1e3, l.mean / 1e3, (double)l.p50 / 1e3,
	           (double)l.p90 / 1e3, (double)l.p99 / 1e3, (double)l.max / 1e3);
}

static int run(struct call *call)
{
	const struct command_options *o = &call->options;
	uint64_t *ns = calloc(o->count, sizeof(*ns));
	char *data = calloc(1, o->size + 1);
	struct app_bytes payload = { data, o->size };
	int error;

	for (uint64_t i = 0; data && i < o->size; i++)
		data[i] = (char)(i * 7 + 1);
	if (ns && data)
		error = ping_all(call, &payload, ns);
	else
		error = fault(FAULT_MEMORY, "out of memory");
	if (!error)
		report(call, ns);
	free(ns);
	free(data);
	return error;
}

static const struct option_spec options[] = {
	{ "count", 'c', "N", "how many (default: 100)", option_count,
	  OPTION_AT(struct command_options, count), 1, 10000000 },
	{ "interval", 'i', "TIME", "pause between two (default: none)", option_duration,
	  OPTION_AT(struct command_options, interval_ms), 0, 3600000 },
	{ "size", 's', "SIZE", "bytes in each (default: 56)", option_size,
	  OPTION_AT(struct command_options, size), 0, 1 << 20 },
	OPTIONS_END,
};

const struct command ping_command = {
	.name = "ping",
	.arguments = "[OPTION...]",
	.help = "send messages one after the other, have them sent back, and print how "
	        "long "
	        "that takes",
	.options = options,
	.run = run,
};
