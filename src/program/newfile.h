/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that appears under its name only when it is whole. Until newfile_publish() it
 * has no name where the file system can do that (O_TMPFILE), so that not even SIGKILL
 * leaves anything; elsewhere it is ".NAME.XXXXXXXX.part" in the same directory.
 *
 * All functions may block on the disk. 0 or a fault.
 */
#ifndef PROGRAM_NEWFILE_H
#define PROGRAM_NEWFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct newfile;

/*
 * For `name` (no slash) in the directory `dirfd`, which is taken over, on failure too.
 * Unless `replace`, FAULT_EXISTS when there is such a file now. `size`, unless
 * APP_SIZE_UNKNOWN: FAULT_NO_SPACE at once when the disk has less. `shown` is how the
 * sentences call the file.
 */
int newfile_create(int dirfd, const char *name, const char *shown, bool replace,
                   uint64_t size, struct newfile **out);

/* The same as where there is no O_TMPFILE. */
int newfile_create_named(int dirfd, const char *name, const char *shown, bool replace,
                         uint64_t size, struct newfile **out);

/* Whether that is the directory that it will be in: an open one. */
bool newfile_is_in(const struct newfile *file, int dirfd);

/* At the end. */
int newfile_append(struct newfile *file, const void *data, size_t length);

/*
 * Give it its name: atomically in place of an existing file with `replace`, else
 * FAULT_EXISTS if one has appeared meanwhile. With `sync` the file, and then its name,
 * are on the disk when this returns 0.
 */
int newfile_publish(struct newfile *file, bool sync);

/* Frees; without newfile_publish() nothing of it stays. NULL is fine. */
void newfile_free(struct newfile *file);

#endif
