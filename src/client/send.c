/* SPDX-License-Identifier: BSD-2-Clause */
/* send: a message, which the server sends back. */
#include <string.h>

#include "client/command.h"
#include "common/clock.h"
#include "program/units.h"

struct text {
	struct exchange exchange;
	const char *sent;
	size_t length;
	bool differs;
};

static void on_echo(struct exchange *exchange, const struct app_message *message)
{
	struct text *text = container_of(exchange, struct text, exchange);

	text->differs = message->type != APP_ECHO ||
	                message->payload.length != text->length ||
	                memcmp(message->payload.at, text->sent, text->length) != 0;
	exchange->done = true;
}

static int run(struct call *call)
{
	struct text text = {
		.exchange.answer = on_echo,
		.sent = call->words[0],
		.length = strlen(call->words[0]),
	};
	struct app_message request = {
		.type = APP_TEXT,
		.payload = { text.sent, text.length },
	};
	char duration[UNITS_TEXT];
	uint64_t start = clock_us();
	int error = client_ask(call->client, &text.exchange, &request);

	if (error)
		return error;
	if (text.differs)
		return fault(FAULT_MISMATCH,
		             "what the server sent back is not the message");
	report_amount(call->report, text.length, clock_us() - start);
	json_string(&call->report->json, "echo", text.sent);
	report_say(call->report, "sent %zu bytes, and the server sent them back (%s): %s",
	           text.length, format_duration(duration, clock_us() - start), text.sent);
	return 0;
}

const struct command send_command = {
	.name = "send",
	.arguments = "TEXT",
	.help = "send TEXT as one message; the server sends it back",
	.least = 1,
	.most = 1,
	.run = run,
};
