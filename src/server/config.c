/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file: a setting a line, "name = value" as the long options are named.
 * '#' begins a comment at the start of a line. Flags take yes or no.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/fault.h"
#include "server/settings.h"

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int take_line(char *line, struct settings *settings)
{
	char *text = trim(line), *equals;

	if (!*text || *text == '#')
		return 0;
	equals = strchr(text, '=');
	if (!equals)
		return fault(FAULT_USAGE, "'%s' is not 'name = value'", text);
	*equals = '\0';
	return cli_set(server_options, settings, trim(text), trim(equals + 1));
}

static int take_lines(FILE *file, const char *path, struct settings *settings)
{
	char reason[FAULT_TEXT];
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int error = 0;

	for (unsigned n = 1; !error && (length = getline(&line, &size, file)) >= 0; n++) {
		if (strlen(line) != (size_t)length)
			error = fault(FAULT_USAGE,
			              "it has a zero byte: is it a text file?");
		else
			error = take_line(line, settings);
		if (error) {
			snprintf(reason, sizeof(reason), "%s", fault_text());
			fault(FAULT_USAGE, "%s:%u: %s", path, n, reason);
		}
	}
	free(line);
	if (!error && ferror(file))
		error = fault_errno(errno, "cannot read the configuration file '%s'",
		                    path);
	return error;
}

int config_read(const char *path, struct settings *settings)
{
	FILE *file = fopen(path, "re");
	int error;

	if (!file)
		return fault_errno(errno, "cannot read the configuration file '%s'",
		                   path);
	error = take_lines(file, path, settings);
	fclose(file);
	return error;
}
