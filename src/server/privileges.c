/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program/fault.h"
#include "program/logger.h"

static int find_user(const char *name, const struct passwd **out)
{
	errno = 0;
	*out = getpwnam(name);
	if (*out)
		return 0;
	if (errno)
		return fault_errno(errno, "cannot look the user '%s' up", name);
	return fault(FAULT_USAGE, "there is no user '%s' (option --user)", name);
}

static int cannot(const char *name)
{
	return fault_errno(errno, "cannot become the user '%s' (option --user)", name);
}

/* Groups first: without the user's privilege they cannot be changed any more. */
static int become(const struct passwd *user, const char *name)
{
	if (initgroups(name, user->pw_gid) || setgid(user->pw_gid) ||
	    setuid(user->pw_uid))
		return cannot(name);
	if (setuid(0) == 0 || seteuid(0) == 0)
		return fault(FAULT_INTERNAL, "privileges came back after --user %s",
		             name);
	/*
	 * The kernel took this away with the privileges. Files without a name get one by
	 * /proc/self/fd, and the mock's peers copy to and from this process's memory:
	 * both as for any program that the user starts.
	 */
	if (prctl(PR_SET_DUMPABLE, 1))
		return cannot(name);
	log_say(SRDMA_LOG_INFO, "runs as the user '%s'", name);
	return 0;
}

static int change_user(const char *name)
{
	const struct passwd *user;
	int error = find_user(name, &user);

	if (error)
		return error;
	if (user->pw_uid == 0)
		return fault(FAULT_USAGE, "--user %s is no step down: name another user",
		             name);
	if (geteuid() == user->pw_uid && getuid() == user->pw_uid)
		return 0;
	if (geteuid() != 0)
		return fault(FAULT_USAGE,
		             "only root can become the user '%s' (option --user)", name);
	return become(user, name);
}

int privileges_drop(const char *user)
{
	int error = user ? change_user(user) : 0;

	if (error)
		return error;
	if (geteuid() == 0)
		log_say(SRDMA_LOG_WARN,
		        "runs as root, and needs not: --user names another user");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fault_errno(errno, "cannot give up new privileges");
	return 0;
}
