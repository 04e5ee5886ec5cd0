/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/options.h"

#include <stdlib.h>
#include <string.h>

#include "session/error.h"

static const struct {
	const char *name;
	uint64_t initial, least, most;
} numbers[NUMBER_OPTIONS] = {
	[SRDMA_OPT_CONNECT] = { "connect", 3, 1, 3 },
	[SRDMA_OPT_PROTECTION] = { "protection", SRDMA_PROTECTION_SEALED, 1, 7 },
	[SRDMA_OPT_MESSAGE_SIZE] = { "message size", 16384, 1024, 1048576 },
	[SRDMA_OPT_CREDITS] = { "credits", 16, 2, 1024 },
	[SRDMA_OPT_SEND_DEPTH] = { "send depth", 28, 4, 4096 },
	[SRDMA_OPT_READ_DEPTH] = { "read depth", 16, 1, 128 },
	[SRDMA_OPT_RECEIVE_BUFFERS] = { "receive buffers", 4096, 16, 1048576 },
	[SRDMA_OPT_MAX_SESSIONS] = { "sessions", 1024, 1, 1000000 },
	[SRDMA_OPT_MAX_GRANTS] = { "grants", 64, 1, 65535 },
	[SRDMA_OPT_STEP_TIMEOUT] = { "step timeout", 10000, 1, 600000 },
	[SRDMA_OPT_CLOSE_TIMEOUT] = { "close timeout", 10000, 1, 600000 },
	[SRDMA_OPT_KEEPALIVE] = { "keepalive", 15000, 0, 3600000 },
	[SRDMA_OPT_ACK_TIMEOUT] = { "ACK timeout", 17, 8, 24 },
	[SRDMA_OPT_RETRY_COUNT] = { "retry count", 7, 0, 7 },
	[SRDMA_OPT_SPIN] = { "spin", 0, 0, 1000000 },
	[SRDMA_OPT_IB_PORT] = { "port of the device", 1, 1, 255 },
	[SRDMA_OPT_REKEY_MESSAGES] = { "messages of a key", 1ull << 22, 1, 1ull << 28 },
	[SRDMA_OPT_REKEY_BYTES] = { "bytes of a key", 1ull << 34, 1, 1ull << 37 },
	[SRDMA_OPT_REKEY_TIME] = { "time of a key", 3600000, 1, 86400000 },
	[SRDMA_OPT_TRANSPORT] = { "transport", SRDMA_TRANSPORT_VERBS,
	                          SRDMA_TRANSPORT_VERBS, SRDMA_TRANSPORT_FABRIC },
	[SRDMA_OPT_MAX_HANDSHAKES] = { "handshakes", 4096, 1, 1000000 },
	[SRDMA_OPT_PACKET_PROTECTION] = { "packet protection", SRDMA_PACKETS_OFF,
	                                  SRDMA_PACKETS_OFF, SRDMA_PACKETS_REQUIRED },
};

void options_init(struct options *options)
{
	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < NUMBER_OPTIONS; i++)
		options->number[i] = numbers[i].initial;
}

int options_set_text(struct options *options, enum srdma_text_option option,
                     const char *value)
{
	char *copy = NULL;

	if (option < SRDMA_OPT_CERTIFICATE || option >= TEXT_OPTIONS)
		return fail(SRDMA_EINVAL, "no text option has the number %d",
		            (int)option);
	if (value) {
		copy = strdup(value);
		if (!copy)
			return fail(SRDMA_ENOMEM, "out of memory for an option");
	}
	free(options->text[option]);
	options->text[option] = copy;
	return 0;
}

static int check_number(enum srdma_number_option option)
{
	if (option < SRDMA_OPT_CONNECT || option >= NUMBER_OPTIONS)
		return fail(SRDMA_EINVAL, "no number option has the number %d",
		            (int)option);
	return 0;
}

int options_set_number(struct options *options, enum srdma_number_option option,
                       uint64_t value)
{
	int error = check_number(option);

	if (error)
		return error;
	if (value < numbers[option].least || value > numbers[option].most)
		return fail(SRDMA_EINVAL, "option %s: %llu is not in %llu to %llu",
		            numbers[option].name, (unsigned long long)value,
		            (unsigned long long)numbers[option].least,
		            (unsigned long long)numbers[option].most);
	options->number[option] = value;
	return 0;
}

int options_get_number(const struct options *options, enum srdma_number_option option,
                       uint64_t *value)
{
	int error = check_number(option);

	if (!error)
		*value = options->number[option];
	return error;
}

int options_copy(const struct options *from, struct options *to)
{
	struct options copy = *from;

	memset(copy.text, 0, sizeof(copy.text));
	for (int i = SRDMA_OPT_CERTIFICATE; i < TEXT_OPTIONS; i++) {
		int error = options_set_text(&copy, i, from->text[i]);

		if (error) {
			options_clear(&copy);
			return error;
		}
	}
	*to = copy;
	return 0;
}

void options_clear(struct options *options)
{
	for (size_t i = 0; i < TEXT_OPTIONS; i++)
		free(options->text[i]);
	memset(options->text, 0, sizeof(options->text));
}
