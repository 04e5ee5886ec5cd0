/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the files. Each returns 0 or -errno; `root` is what stands for /sys. */
#ifndef MOCK_SYSFS_CONTENT_H
#define MOCK_SYSFS_CONTENT_H

int content_make(int root);
int content_update_gids(int root);
int content_update_counters(int root);
int content_update_state(int root);

#endif
