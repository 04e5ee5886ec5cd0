/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the shell as words: blanks part them; '…', "…" and a backslash quote. */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#define WORDS_MAX 32

/*
 * Splits `line` in place; `words` ends with NULL. The number of words, or -FAULT_USAGE
 * with a sentence. '#' at the start of a word begins a comment.
 */
int split_words(char *line, char *words[WORDS_MAX + 1]);

#endif
