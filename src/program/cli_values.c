/* SPDX-License-Identifier: BSD-2-Clause */
/* Setters of options: text to value, with the range checked. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "program/fault.h"
#include "program/cli.h"
#include "program/units.h"
#include "srdma.h"

int option_flag(const struct option_spec *spec, void *place, const char *value)
{
	(void)spec;
	(void)value;
	*(bool *)place = true;
	return 0;
}

int option_text(const struct option_spec *spec, void *place, const char *value)
{
	char **text = place;
	char *copy = strdup(value);

	(void)spec;
	if (!copy)
		return fault(FAULT_MEMORY, "out of memory");
	free(*text);
	*text = copy;
	return 0;
}

int option_count(const struct option_spec *spec, void *place, const char *value)
{
	uint64_t number;

	if (parse_count(value, &number) || number < spec->least || number > spec->most)
		return fault(FAULT_USAGE,
		             "'%s' is not a number from %" PRIu64 " to %" PRIu64, value,
		             spec->least, spec->most);
	*(uint64_t *)place = number;
	return 0;
}

int option_size(const struct option_spec *spec, void *place, const char *value)
{
	char least[UNITS_TEXT], most[UNITS_TEXT];
	uint64_t number;

	if (parse_size(value, &number) || number < spec->least || number > spec->most)
		return fault(FAULT_USAGE,
		             "'%s' is not a size from %s to %s: write 65536, 64k or 2M",
		             value, format_size(least, spec->least),
		             format_size(most, spec->most));
	*(uint64_t *)place = number;
	return 0;
}

int option_duration(const struct option_spec *spec, void *place, const char *value)
{
	char least[UNITS_TEXT], most[UNITS_TEXT];
	uint64_t number;

	if (parse_duration(value, &number) || number < spec->least || number > spec->most)
		return fault(
		        FAULT_USAGE,
		        "'%s' is not a time from %s to %s: write 30, 1.5s, 500ms or 10m",
		        value, format_duration(least, spec->least * 1000),
		        format_duration(most, spec->most * 1000));
	*(uint64_t *)place = number;
	return 0;
}

int option_transport(const struct option_spec *spec, void *place, const char *value)
{
	unsigned *transport = place;

	(void)spec;
	if (strcmp(value, "verbs") == 0)
		*transport = SRDMA_TRANSPORT_VERBS;
	else if (strcmp(value, "fabric") == 0)
		*transport = SRDMA_TRANSPORT_FABRIC;
	else
		return fault(FAULT_USAGE, "'%s' is none of verbs, fabric", value);
	return 0;
}

int option_packets(const struct option_spec *spec, void *place, const char *value)
{
	static const char *const words[] = { [SRDMA_PACKETS_OFF] = "off",
		                             [SRDMA_PACKETS_AUTO] = "auto",
		                             [SRDMA_PACKETS_REQUIRED] = "required" };
	unsigned *packets = place;

	(void)spec;
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0) {
			*packets = i;
			return 0;
		}
	return fault(FAULT_USAGE, "'%s' is none of off, auto, required", value);
}

int option_connect(const struct option_spec *spec, void *place, const char *value)
{
	unsigned *mask = place;

	(void)spec;
	if (strcmp(value, "direct") == 0)
		*mask = SRDMA_CONNECT_DIRECT;
	else if (strcmp(value, "cm") == 0)
		*mask = SRDMA_CONNECT_CM;
	else if (strcmp(value, "any") == 0)
		*mask = SRDMA_CONNECT_DIRECT | SRDMA_CONNECT_CM;
	else
		return fault(FAULT_USAGE, "'%s' is none of direct, cm, any", value);
	return 0;
}

static unsigned protection_of(const char *word, size_t length)
{
	static const struct {
		const char *word;
		unsigned mask;
	} words[] = {
		{ "sealed", SRDMA_PROTECTION_SEALED },
		{ "none", SRDMA_PROTECTION_NONE },
		{ "aes-256-gcm", SRDMA_PROTECTION_AES_256_GCM },
		{ "chacha20-poly1305", SRDMA_PROTECTION_CHACHA20_POLY1305 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == length &&
		    !strncmp(word, words[i].word, length))
			return words[i].mask;
	return 0;
}

int option_protection(const struct option_spec *spec, void *place, const char *value)
{
	unsigned all = 0, mask;
	size_t length;

	(void)spec;
	for (const char *word = value;; word += length + 1) {
		length = strcspn(word, ",");
		mask = protection_of(word, length);
		if (!mask)
			return fault(FAULT_USAGE,
			             "'%.*s' is none of sealed, aes-256-gcm, "
			             "chacha20-poly1305, none",
			             (int)length, word);
		all |= mask;
		if (!word[length])
			break;
	}
	*(unsigned *)place = all;
	return 0;
}

int option_log_level(const struct option_spec *spec, void *place, const char *value)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	(void)spec;
	for (int i = 0; i < 4; i++) {
		if (strcmp(value, levels[i]) == 0) {
			*(enum srdma_log_level *)place = (enum srdma_log_level)i;
			return 0;
		}
	}
	return fault(FAULT_USAGE, "'%s' is none of error, warn, info, debug", value);
}
