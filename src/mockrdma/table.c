// SPDX-License-Identifier: BSD-2-Clause
#include "mockrdma/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_MAX = 128 };

static int take_columns(struct table *table, const struct mockrdma_field *fields,
                        unsigned int count)
{
	table->columns = calloc(count, sizeof(*table->columns));
	if (!table->columns)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		table->columns[i] = fields[i].name;
	table->width = count;
	return 0;
}

static int reserve_row(struct table *table)
{
	size_t room = table->room ? 2 * table->room : 16;
	struct cell *grown;

	if (table->rows < table->room)
		return 0;
	grown = realloc(table->cells, room * table->width * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->cells = grown;
	table->room = room;
	return 0;
}

static struct cell *row_of(const struct table *table, size_t row)
{
	return &table->cells[row * table->width];
}

/* All objects of a kind have the same fields. */
int table_add(void *arg, const struct mockrdma_field *fields, unsigned int count)
{
	struct table *table = arg;
	struct cell *cells;
	int err = 0;

	if (!table->columns)
		err = take_columns(table, fields, count);
	if (!err && count != table->width)
		err = -EPROTO;
	if (!err)
		err = reserve_row(table);
	if (err)
		return err;
	cells = row_of(table, table->rows);
	for (unsigned int i = 0; i < count; i++) {
		cells[i] = (struct cell){ NULL, fields[i].number };
		if (fields[i].text && !(cells[i].text = strdup(fields[i].text)))
			table->bad = true;
	}
	table->rows++;
	return table->bad ? -ENOMEM : 0;
}

int table_column(const struct table *table, const char *name)
{
	for (unsigned int i = 0; i < table->width; i++)
		if (strcmp(table->columns[i], name) == 0)
			return (int)i;
	return -1;
}

/* What a terminal could obey is shown as a question mark: names are others' choice. */
static int cell_text(const struct cell *cell, char text[CELL_MAX])
{
	if (!cell->text)
		return snprintf(text, CELL_MAX, "%" PRIu64, cell->number);
	snprintf(text, CELL_MAX, "%s", cell->text[0] ? cell->text : "-");
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			*at = '?';
	return (int)strlen(text);
}

static int column_width(const struct table *table, unsigned int column)
{
	int width = (int)strlen(table->columns[column]);
	char text[CELL_MAX];

	for (size_t row = 0; row < table->rows; row++) {
		int its = cell_text(&row_of(table, row)[column], text);

		if (its > width)
			width = its;
	}
	return width;
}

static void print_row(const struct table *table, const struct cell *cells,
                      const int *widths)
{
	char text[CELL_MAX];

	for (unsigned int i = 0; i < table->width; i++) {
		bool last = i + 1 == table->width;

		if (cells)
			cell_text(&cells[i], text);
		else
			snprintf(text, sizeof(text), "%s", table->columns[i]);
		if (cells && !cells[i].text)
			printf("%*s%s", widths[i], text, last ? "\n" : "  ");
		else
			printf("%-*s%s", last ? 0 : widths[i], text, last ? "\n" : "  ");
	}
}

void table_print(const struct table *table, const char *title)
{
	int *widths;

	if (!table->rows)
		return;
	widths = calloc(table->width, sizeof(*widths));
	if (!widths)
		return;
	for (unsigned int i = 0; i < table->width; i++)
		widths[i] = column_width(table, i);
	puts(title);
	print_row(table, NULL, widths);
	for (size_t row = 0; row < table->rows; row++)
		print_row(table, row_of(table, row), widths);
	free(widths);
}

void table_row_json(const struct table *table, size_t row, struct json *json)
{
	const struct cell *cells = row_of(table, row);

	for (unsigned int i = 0; i < table->width; i++) {
		if (cells[i].text)
			json_string(json, table->columns[i], cells[i].text);
		else
			json_uint(json, table->columns[i], cells[i].number);
	}
}

void table_json(const struct table *table, const char *key, struct json *json)
{
	json_open(json, key, '[');
	for (size_t row = 0; row < table->rows; row++) {
		json_open(json, NULL, '{');
		table_row_json(table, row, json);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->rows * table->width; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table->columns);
	*table = (struct table){ 0 };
}

int json_print(struct json *json)
{
	const char *text = json_text(json);
	int status = EXIT_SUCCESS;

	if (!text) {
		fputs("mockrdma: out of memory\n", stderr);
		status = EXIT_FAILURE;
	} else {
		puts(text);
	}
	json_free(json);
	return fflush(stdout) ? EXIT_FAILURE : status;
}
