/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/limits.h"

#include <stdio.h>
#include <string.h>

#include "program/fault.h"
#include "program/units.h"

static const struct {
	const char *name;
	int (*parse)(const char *text, uint64_t *value);
} limits_known[LIMIT_COUNT] = {
	[LIMIT_SESSIONS] = { "sessions", parse_count },
	[LIMIT_MEMORY] = { "memory", parse_size },
	[LIMIT_FILES] = { "files", parse_count },
	[LIMIT_MESSAGES] = { "messages", parse_count },
};

const char *limit_name(enum limit limit)
{
	return limits_known[limit].name;
}

enum limit limit_find(const char *name, size_t length)
{
	enum limit i = 0;

	while (i < LIMIT_COUNT && (strlen(limits_known[i].name) != length ||
	                           memcmp(limits_known[i].name, name, length) != 0))
		i++;
	return i;
}

int limit_parse(enum limit limit, const char *text, uint64_t *value)
{
	uint64_t number;

	if (limits_known[limit].parse(text, &number) || !number)
		return fault(FAULT_USAGE, "'%.40s' is no number of %s from 1 on", text,
		             limits_known[limit].name);
	*value = number;
	return 0;
}

static int parse_one(const char *text, size_t length, struct limits *limits)
{
	size_t name = strcspn(text, "=,");
	enum limit limit = limit_find(text, name);
	char value[64];

	if (limit == LIMIT_COUNT || name >= length)
		return fault(FAULT_USAGE,
		             "'%.*s' is not NAME=VALUE with a NAME of sessions, memory, "
		             "files, messages",
		             (int)(length < 60 ? length : 60), text);
	snprintf(value, sizeof(value), "%.*s", (int)(length - name - 1), text + name + 1);
	return limit_parse(limit, value, &limits->value[limit]);
}

int limits_parse(const char *text, struct limits *limits)
{
	struct limits made = { 0 };

	for (;;) {
		size_t length = strcspn(text, ",");
		int error = parse_one(text, length, &made);

		if (error)
			return error;
		if (!text[length])
			break;
		text += length + 1;
	}
	*limits = made;
	return 0;
}

void limits_join(struct limits *limits, const struct limits *other)
{
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (other->value[i] > limits->value[i])
			limits->value[i] = other->value[i];
}

void limits_default(struct limits *limits, const struct limits *other)
{
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (!limits->value[i])
			limits->value[i] = other->value[i];
}
