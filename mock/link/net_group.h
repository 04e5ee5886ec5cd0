/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_LINK_NET_GROUP_H
#define MOCK_LINK_NET_GROUP_H

/* Leaves all groups: this process left the host, or is a child. */
void net_group_forget(void);

#endif
