/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of one kind, kept to be printed: as a table whose columns fit, or as JSON. */
#ifndef MOCKRDMA_TABLE_H
#define MOCKRDMA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "mockrdma_inspect.h"
#include "program/json.h"

struct cell {
	char *text; /* NULL: a number */
	uint64_t number;
};

struct table {
	const char **columns; /* as the library names them, whose memory it is */
	unsigned int width;
	struct cell *cells; /* row by row */
	size_t rows, room;
	bool bad; /* memory ran out */
};

/* A visitor; its argument is the table. */
int table_add(void *arg, const struct mockrdma_field *fields, unsigned int count);
/* -1: none of that name. */
int table_column(const struct table *table, const char *name);
void table_print(const struct table *table, const char *title);
void table_json(const struct table *table, const char *key, struct json *json);
/* The members of one row. */
void table_row_json(const struct table *table, size_t row, struct json *json);
void table_free(struct table *table);

/* Writes it out. EXIT_SUCCESS, or EXIT_FAILURE once it was said why. */
int json_print(struct json *json);

#endif
