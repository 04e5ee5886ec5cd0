/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/cli.h"

#include <stdlib.h>
#include <string.h>

#include "program/fault.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  80

struct cli_parse {
	const struct cli *set;
	char **argv;
	int argc;
	int at;
};

static const struct option_spec *find_name(const struct option_spec *specs,
                                           const char *name, size_t length)
{
	for (; specs && specs->name; specs++)
		if (strlen(specs->name) == length &&
		    memcmp(specs->name, name, length) == 0)
			return specs;
	return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *specs, char letter)
{
	for (; specs && specs->name; specs++)
		if (specs->letter == letter)
			return specs;
	return NULL;
}

static void *place_of(const struct option_spec *spec, void *target)
{
	return (char *)target + spec->offset;
}

/* The setter's sentence, with the option in front of it. */
static int apply(const struct option_spec *spec, void *target, const char *shown,
                 const char *value)
{
	char reason[FAULT_TEXT];
	int error = spec->set(spec, place_of(spec, target), value);

	if (!error)
		return 0;
	snprintf(reason, sizeof(reason), "%s", fault_text());
	return fault(FAULT_USAGE, "%s: %s", shown, reason);
}

static int take_value(struct cli_parse *parse, const struct option_spec *spec,
                      void *target, const char *attached)
{
	char shown[64];
	const char *value = attached;

	snprintf(shown, sizeof(shown), "--%s", spec->name);
	if (!spec->argument && attached)
		return fault(FAULT_USAGE, "%s takes no value", shown);
	if (spec->argument && !value) {
		if (parse->at + 1 >= parse->argc)
			return fault(FAULT_USAGE, "%s needs a value: %s %s", shown, shown,
			             spec->argument);
		value = parse->argv[++parse->at];
	}
	return apply(spec, target, shown, value);
}

static int take_long(struct cli_parse *parse, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);

	for (int i = 0; i < 2; i++) {
		const struct option_spec *spec =
		        find_name(parse->set->tables[i].specs, word, length);

		if (spec)
			return take_value(parse, spec, parse->set->tables[i].target,
			                  equals ? equals + 1 : NULL);
	}
	return fault(FAULT_USAGE, "there is no option --%.*s", (int)length, word);
}

/* "-n5", "-n 5" or flags; no bundles of flags. */
static int take_short(struct cli_parse *parse, const char *word)
{
	for (int i = 0; i < 2; i++) {
		const struct option_spec *spec =
		        find_letter(parse->set->tables[i].specs, word[0]);

		if (spec)
			return take_value(parse, spec, parse->set->tables[i].target,
			                  word[1] ? word + 1 : NULL);
	}
	return fault(FAULT_USAGE, "there is no option -%c", word[0]);
}

int cli_take(const struct cli *set, int argc, char **argv, int *words)
{
	struct cli_parse parse = { .set = set, .argv = argv, .argc = argc, .at = 1 };
	bool only_words = false;
	int left = 1, error = 0;

	for (; !error && parse.at < argc; parse.at++) {
		char *word = argv[parse.at];

		if (only_words || word[0] != '-' || !word[1]) {
			argv[left++] = word;
			only_words |= left - 1 == set->most_words;
		} else if (strcmp(word, "--") == 0) {
			only_words = true;
		} else if (word[1] == '-') {
			error = take_long(&parse, word + 2);
		} else {
			error = take_short(&parse, word + 1);
		}
	}
	*words = left - 1;
	return error;
}

int cli_set(const struct option_spec *specs, void *target, const char *name,
            const char *value)
{
	const struct option_spec *spec = find_name(specs, name, strlen(name));

	if (!spec || spec->command_line_only)
		return fault(FAULT_USAGE, "there is no setting '%s'", name);
	if (spec->argument)
		return apply(spec, target, name, value);
	if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
		return apply(spec, target, name, NULL);
	if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
		return 0;
	return fault(FAULT_USAGE, "%s: '%s' is neither yes nor no", name, value);
}

void cli_clear(const struct option_spec *specs, void *target)
{
	for (; specs->name; specs++) {
		char **text = place_of(specs, target);

		if (specs->set != option_text)
			continue;
		free(*text);
		*text = NULL;
	}
}

void cli_wrap(FILE *out, const char *text, int column)
{
	int at = column;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (at > column && at + 1 + (int)length > HELP_WIDTH) {
			fprintf(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, length, out);
		at += (int)length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void cli_help(FILE *out, const struct option_spec *specs, int indent)
{
	int column = HELP_COLUMN + indent;

	for (; specs->name; specs++) {
		int used = fprintf(out, "%*s", indent, "");

		used += specs->letter ? fprintf(out, "  -%c, ", specs->letter)
		                      : fprintf(out, "      ");
		used += fprintf(out, "--%s%s%s", specs->name, specs->argument ? " " : "",
		                specs->argument ? specs->argument : "");
		if (used + 2 > column)
			fprintf(out, "\n%*s", column, "");
		else
			fprintf(out, "%*s", column - used, "");
		cli_wrap(out, specs->help, column);
	}
}
