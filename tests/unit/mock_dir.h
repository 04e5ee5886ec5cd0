/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the mock's inside: a runtime directory of the test's own, set before the
 * mock reads its settings, so that nothing else on the machine takes part, and what is
 * left behind can be counted.
 */
#ifndef TESTS_UNIT_MOCK_DIR_H
#define TESTS_UNIT_MOCK_DIR_H

void mock_dir_make(void);
void mock_dir_remove(void);
/* Removes what is in it. */
void mock_dir_clear(void);
/* Files and directories below it, all told. */
int mock_dir_entries(void);

#endif
