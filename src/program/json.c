/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct json *json, const char *data, size_t length)
{
	if (!json->bad && json->size - json->used <= length) {
		size_t size = (json->size + length + 256) * 2;
		char *text = realloc(json->text, size);

		if (text) {
			json->text = text;
			json->size = size;
		} else {
			json->bad = true;
		}
	}
	if (json->bad)
		return;
	memcpy(json->text + json->used, data, length);
	json->used += length;
	json->text[json->used] = '\0';
}

static void append_text(struct json *json, const char *text)
{
	append(json, text, strlen(text));
}

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		append(json, ",", 1);
	json->comma = true;
	if (!key)
		return;
	append(json, "\"", 1);
	append_text(json, key);
	append(json, "\":", 2);
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	append(json, &bracket, 1);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	append(json, &bracket, 1);
	json->comma = true;
}

/* The length of the well-formed UTF-8 sequence at `at`, 0 if there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, last, low, high, length;
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (at[0] < rows[i].first || at[0] > rows[i].last)
			continue;
		if (rows[i].length > left)
			return 0;
		for (size_t k = 1; k < rows[i].length; k++) {
			unsigned char low = k == 1 ? rows[i].low : 0x80;
			unsigned char high = k == 1 ? rows[i].high : 0xbf;

			if (at[k] < low || at[k] > high)
				return 0;
		}
		return rows[i].length;
	}
	return 0;
}

static void append_escaped(struct json *json, const unsigned char *at, size_t length)
{
	char escape[8];

	if (length == 0) {
		append_text(json, "\\ufffd");
	} else if (*at == '"' || *at == '\\') {
		snprintf(escape, sizeof(escape), "\\%c", *at);
		append_text(json, escape);
	} else if (*at < 0x20 || *at == 0x7f) {
		snprintf(escape, sizeof(escape), "\\u%04x", *at);
		append_text(json, escape);
	} else {
		append(json, (const char *)at, length);
	}
}

void json_bytes(struct json *json, const char *key, const char *value, size_t length)
{
	const unsigned char *at = (const unsigned char *)value;

	begin(json, key);
	append(json, "\"", 1);
	while (length > 0) {
		size_t step = utf8_length(at, length);

		append_escaped(json, at, step);
		step = step ? step : 1;
		at += step;
		length -= step;
	}
	append(json, "\"", 1);
}

void json_string(struct json *json, const char *key, const char *value)
{
	if (value) {
		json_bytes(json, key, value, strlen(value));
		return;
	}
	begin(json, key);
	append_text(json, "null");
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	char text[24];

	begin(json, key);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	append_text(json, text);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	char text[24];

	begin(json, key);
	snprintf(text, sizeof(text), "%" PRId64, value);
	append_text(json, text);
}

void json_double(struct json *json, const char *key, double value)
{
	char text[40];

	begin(json, key);
	if (isfinite(value))
		snprintf(text, sizeof(text), "%.6g", value);
	else
		snprintf(text, sizeof(text), "null");
	append_text(json, text);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	append_text(json, value ? "true" : "false");
}

void json_members(struct json *json, const struct json *part)
{
	if (part->bad)
		json->bad = true;
	if (part->bad || !part->used)
		return;
	begin(json, NULL);
	append(json, part->text, part->used);
}

const char *json_text(struct json *json)
{
	return json->bad ? NULL : json->text ? json->text : "";
}

void json_free(struct json *json)
{
	free(json->text);
	*json = (struct json){ 0 };
}
