/* SPDX-License-Identifier: BSD-2-Clause */
/* How much of each thing: of one client, or of all. 0: not said, or no limit. */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

enum limit {
	LIMIT_SESSIONS, /* at a time, and as many queue pairs */
	LIMIT_MEMORY,   /* bytes registered: scratch regions, and what transfers have in
	                   flight */
	LIMIT_FILES,    /* and directories, open at a time */
	LIMIT_MESSAGES, /* a second */
	LIMIT_COUNT,
};

struct limits {
	uint64_t value[LIMIT_COUNT];
};

/* "memory". */
const char *limit_name(enum limit limit);

/* LIMIT_COUNT: there is none of that name. */
enum limit limit_find(const char *name, size_t length);

/* A value of that kind, at least 1: 0 or -FAULT_USAGE, with a sentence. */
int limit_parse(enum limit limit, const char *text, uint64_t *value);

/* "sessions=4,memory=64M" */
int limits_parse(const char *text, struct limits *limits);

/* The larger of both, where both say something. */
void limits_join(struct limits *limits, const struct limits *other);

/* What is not said comes from the other. */
void limits_default(struct limits *limits, const struct limits *other);

#endif
