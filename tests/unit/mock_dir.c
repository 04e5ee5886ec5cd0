// SPDX-License-Identifier: BSD-2-Clause
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mock_dir.h"

static char path[] = "/dev/shm/mock-test.XXXXXX";
static int entries;

void mock_dir_make(void)
{
	if (!mkdtemp(path) || setenv("MOCKRDMA_DIR", path, 1)) {
		perror(path);
		exit(1);
	}
}

static int count(const char *name, const struct stat *st, int type, struct FTW *where)
{
	(void)name, (void)st, (void)type;
	entries += where->level > 0;
	return 0;
}

int mock_dir_entries(void)
{
	entries = 0;
	nftw(path, count, 8, FTW_PHYS);
	return entries;
}

static int delete (const char *name, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(name);
}

static int delete_below(const char *name, const struct stat *st, int type,
                        struct FTW *where)
{
	return where->level ? delete (name, st, type, where) : 0;
}

void mock_dir_clear(void)
{
	nftw(path, delete_below, 8, FTW_PHYS | FTW_DEPTH);
}

void mock_dir_remove(void)
{
	nftw(path, delete, 8, FTW_PHYS | FTW_DEPTH);
}
