// SPDX-License-Identifier: BSD-2-Clause
/* Who has UDP port 4791, as far as /proc tells. */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "link/net_port.h"
#include "wire/roce.h"

struct socket_owner {
	unsigned int user;
	unsigned long inode;
};

/* A line of /proc/net/udp: number, local and remote address, state, two pairs of
 * figures, a number, user, a number, inode. */
static bool read_line(const char *line, struct socket_owner *owner)
{
	char port[9], user[11], inode[21];

	if (sscanf(line, "%*d: %*32[0-9A-Fa-f]:%8s %*s %*s %*s %*s %*s %10s %*u %20s",
	           port, user, inode) != 3)
		return false;
	owner->user = (unsigned int)strtoul(user, NULL, 10);
	owner->inode = strtoul(inode, NULL, 10);
	return strtoul(port, NULL, 16) == ROCE_PORT;
}

static bool find_in(const char *path, struct socket_owner *owner)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file))
		found = read_line(line, owner);
	if (file)
		fclose(file);
	return found;
}

/* Whether a process has that socket among its descriptors. */
static bool has_socket(const char *pid, const char *wanted)
{
	char path[64], target[64];
	struct dirent *entry;
	bool found = false;
	ssize_t length;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory))) {
		length = readlinkat(dirfd(directory), entry->d_name, target,
		                    sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		found = !strcmp(target, wanted);
	}
	if (directory)
		closedir(directory);
	return found;
}

/* 0 when it cannot be told. */
static int find_process(unsigned long inode)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	char wanted[64];
	int pid = 0;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	while (directory && !pid && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    has_socket(entry->d_name, wanted))
			pid = (int)strtol(entry->d_name, NULL, 10);
	if (directory)
		closedir(directory);
	return pid;
}

#define NAMESPACE "or give this program a network namespace of its own (unshare -rn)"

static bool find_owner(struct socket_owner *owner)
{
	return find_in("/proc/net/udp", owner) || find_in("/proc/net/udp6", owner);
}

/* Of a socket that no process has: the kernel's are root's. */
static bool is_kernels(const struct socket_owner *owner)
{
	return !owner->user && !access("/sys/module/rdma_rxe", F_OK);
}

static void blame(const struct socket_owner *owner)
{
	int pid = find_process(owner->inode);

	if (!pid && is_kernels(owner))
		mock_error("UDP port 4791, which packets to other hosts need, belongs to "
		           "the kernel's Soft-RoCE: run the program without the mock, "
		           "remove the kernel's devices (rdma link delete NAME; modprobe "
		           "-r rdma_rxe), " NAMESPACE);
	else if (owner->user != geteuid())
		mock_error("UDP port 4791, which packets to other hosts need, belongs to "
		           "a program of user %u: end it, " NAMESPACE,
		           owner->user);
	else
		mock_error("UDP port 4791, which packets to other hosts need, belongs to "
		           "process %d, which is not on this mock: end it, or let both "
		           "have the same MOCKRDMA_DIR, " NAMESPACE,
		           pid);
}

bool net_port_is_leaving(void)
{
	struct socket_owner owner;

	return !find_owner(&owner) || (owner.user == geteuid() && !is_kernels(&owner) &&
	                               !find_process(owner.inode));
}

void net_port_blame(void)
{
	struct socket_owner owner;

	if (!find_owner(&owner))
		mock_error("UDP port 4791, which packets to other hosts need, belongs to "
		           "another program: end it, " NAMESPACE);
	else
		blame(&owner);
}
