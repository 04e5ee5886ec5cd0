/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/words.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "program/fault.h"

/* Moves `*from` behind the word, which is written from `*to` on; ends it with a zero. */
static int take_word(char **from, char **to)
{
	char quote = '\0';
	char *c = *from;

	for (; *c && (quote || !isspace((unsigned char)*c)); c++) {
		if (quote && *c == quote)
			quote = '\0';
		else if (!quote && (*c == '\'' || *c == '"'))
			quote = *c;
		else if (*c == '\\' && quote != '\'' && c[1])
			*(*to)++ = *++c;
		else
			*(*to)++ = *c;
	}
	if (quote)
		return fault(FAULT_USAGE, "a %c is not closed", quote);
	if (*c)
		c++;
	*(*to)++ = '\0';
	*from = c;
	return 0;
}

int split_words(char *line, char *words[WORDS_MAX + 1])
{
	char *to = line;
	int count = 0;

	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || *line == '#')
			break;
		if (count == WORDS_MAX)
			return fault(FAULT_USAGE, "more than %d words", WORDS_MAX);
		/* The word is never longer than what it is written as. */
		to = to > line ? line : to;
		words[count++] = to;
		if (take_word(&line, &to))
			return -FAULT_USAGE;
	}
	words[count] = NULL;
	return count;
}
