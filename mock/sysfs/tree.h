/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /sys/class/infiniband and its neighbours would hold if the device were the
 * kernel's: real files in a directory of this process, made when it first asks for one of
 * those paths and gone when it exits. Real ones, so that whatever walks directories does.
 */
#ifndef MOCK_SYSFS_TREE_H
#define MOCK_SYSFS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define SYSFS_CLASS "/sys/class/infiniband"
#define SYSFS_NODE  "/dev/infiniband/uverbs-"

/*
 * Where the file of such a path is: brought up to date, and its path put into `out`. For
 * a device's node it is another character device, of no use but to be looked at.
 * -ENOENT when there is no place for the files, or no such node; -ENAMETOOLONG. Keeps
 * errno.
 */
int tree_path(const char *path, char *out, size_t size);

/* The other way: the path as programs know it, in the same memory, if it is one of ours.
 */
void tree_unpath(char *path);

#endif
