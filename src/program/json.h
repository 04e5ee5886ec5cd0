/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes one JSON value into memory. Commas come by themselves. After a failed allocation
 * everything is a no-op and json_text() gives NULL. Keys are ours (not escaped); text is
 * escaped, and bytes that are not UTF-8 become U+FFFD.
 */
#ifndef PROGRAM_JSON_H
#define PROGRAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	char *text;
	size_t used;
	size_t size;
	bool comma;
	bool bad;
};

/* A key of NULL: an element of an array, or the value itself. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);                 /* '}' or ']' */
void json_string(struct json *json, const char *key, const char *value);
void json_bytes(struct json *json, const char *key, const char *value, size_t length);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_int(struct json *json, const char *key, int64_t value);
void json_double(struct json *json, const char *key, double value); /* 6 digits */
void json_bool(struct json *json, const char *key, bool value);

/* The members of `part` (written with no outer bracket) as members here. */
void json_members(struct json *json, const struct json *part);

/* What was written, or NULL when memory ran out. Valid until the next call. */
const char *json_text(struct json *json);
void json_free(struct json *json);

#endif
