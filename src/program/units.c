/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "program/fault.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct unit {
	const char *name;
	uint64_t factor;
};

/* The first of a row is what a number without a unit means. */
static const struct unit sizes[] = {
	{ "", 1 },
	{ "k", UINT64_C(1) << 10 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ "TiB", UINT64_C(1) << 40 },
};

static const struct unit durations[] = {
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
};

static int parse_digits(const char *text, char **end, uint64_t *value)
{
	if (!isdigit((unsigned char)*text))
		return -FAULT_USAGE;
	errno = 0;
	*value = strtoull(text, end, 10);
	return errno ? -FAULT_USAGE : 0;
}

int parse_count(const char *text, uint64_t *count)
{
	uint64_t value;
	char *end;

	if (parse_digits(text, &end, &value) || *end)
		return -FAULT_USAGE;
	*count = value;
	return 0;
}

/* One digit after a point is enough for people, and exact. */
static int parse_tenths(char **at, uint64_t *tenths)
{
	*tenths = 0;
	if (**at != '.')
		return 0;
	if (!isdigit((unsigned char)(*at)[1]))
		return -FAULT_USAGE;
	*tenths = (uint64_t)((*at)[1] - '0');
	*at += 2;
	return 0;
}

static int parse_unit(const char *text, const struct unit *units, size_t count,
                      uint64_t *out)
{
	uint64_t value, tenths;
	char *end;

	if (parse_digits(text, &end, &value) || parse_tenths(&end, &tenths))
		return -FAULT_USAGE;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < count; i++) {
		uint64_t factor = units[i].factor;

		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (value > (UINT64_MAX - factor) / factor || (tenths && factor == 1))
			return -FAULT_USAGE;
		*out = value * factor + tenths * factor / 10;
		return 0;
	}
	return -FAULT_USAGE;
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_unit(text, sizes, COUNT(sizes), bytes);
}

int parse_duration(const char *text, uint64_t *ms)
{
	return parse_unit(text, durations, COUNT(durations), ms);
}

static char *format_scaled(char *out, double value, const char *suffix)
{
	static const char *const prefixes[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	size_t i = 0;

	for (; value >= 1023.95 && i + 1 < COUNT(prefixes); i++)
		value /= 1024;
	snprintf(out, UNITS_TEXT, i ? "%.1f %sB%s" : "%.0f %sB%s", value, prefixes[i],
	         suffix);
	return out;
}

char *format_size(char *out, uint64_t bytes)
{
	return format_scaled(out, (double)bytes, "");
}

char *format_rate(char *out, uint64_t bytes, uint64_t us)
{
	return format_scaled(out, us ? (double)bytes * 1e6 / (double)us : 0, "/s");
}

char *format_duration(char *out, uint64_t us)
{
	if (us < 1000)
		snprintf(out, UNITS_TEXT, "%" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(out, UNITS_TEXT, "%.1f ms", (double)us / 1e3);
	else if (us < 120000000)
		snprintf(out, UNITS_TEXT, "%.2f s", (double)us / 1e6);
	else
		snprintf(out, UNITS_TEXT, "%" PRIu64 " min %02" PRIu64 " s",
		         us / 60000000, us / 1000000 % 60);
	return out;
}

char *format_hex(char *out, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * size] = '\0';
	return out;
}
