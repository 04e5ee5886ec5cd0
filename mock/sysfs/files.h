/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and directories below one that is open. */
#ifndef MOCK_SYSFS_FILES_H
#define MOCK_SYSFS_FILES_H

/* Makes a directory with all above it. 0 or -errno, as below. */
int files_directory(int at, const char *path);
/* Has the file hold that text and a newline, at once and not bit by bit. */
int files_write(int at, const char *path, const char *text);
int files_link(int at, const char *path, const char *target);

/* A directory with what is in it. */
void files_remove(const char *path);
/* Likewise, but if somebody has it locked. */
void files_remove_unlocked(const char *path);
/* The entries of a directory that begin so. */
void files_each(const char *directory, const char *prefix,
                void (*each)(const char *path));

#endif
