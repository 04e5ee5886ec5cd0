/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as people write and read them. */
#ifndef PROGRAM_UNITS_H
#define PROGRAM_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Parsers take the whole text, or nothing: 0 or -FAULT_USAGE (no sentence). */
int parse_count(const char *text, uint64_t *count);

/* Bytes: "4096", "64k", "1M", "2GiB": powers of 1024. */
int parse_size(const char *text, uint64_t *bytes);

/* ms: "10" and "10s" are seconds; "500ms", "0.5s", "2m", "1h". */
int parse_duration(const char *text, uint64_t *ms);

/* Writers return `out`, which has at least UNITS_TEXT bytes. */
#define UNITS_TEXT 32
char *format_size(char *out, uint64_t bytes);               /* "1.5 MiB" */
char *format_rate(char *out, uint64_t bytes, uint64_t us);  /* "1.5 MiB/s" */
char *format_duration(char *out, uint64_t us);              /* "12.3 ms" */
char *format_hex(char *out, const void *data, size_t size); /* 2 × size + 1 bytes */

#endif
