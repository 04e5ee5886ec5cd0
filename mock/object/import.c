/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/log.h"
#include "host/peer.h"

enum { SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL };

/* What the file holds. */
struct opening {
	char magic[16];
	uint64_t generation; /* of the process's segment: no two are alike */
	uint64_t number;
	uint32_t device;
	uint32_t pid; /* for messages */
};

static const char magic[16] = "mockrdma cmd_fd";

static int write_sealed(int fd, const struct opening *opening)
{
	ssize_t put = write(fd, opening, sizeof(*opening));

	if (put != sizeof(*opening))
		return put < 0 ? -errno : -ENOSPC;
	return fcntl(fd, F_ADD_SEALS, SEALS) ? -errno : 0;
}

int opening_make(struct context *context, uint32_t device)
{
	static _Atomic uint64_t last;
	struct opening opening = {
		.generation = peer_self()->generation,
		.number = atomic_fetch_add(&last, 1) + 1,
		.device = device,
		.pid = (uint32_t)getpid(),
	};
	int fd = memfd_create("mockrdma-cmd_fd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	memcpy(opening.magic, magic, sizeof(magic));
	err = write_sealed(fd, &opening);
	if (err) {
		close(fd);
		return err;
	}
	context->opening = opening.number;
	context->vctx.context.cmd_fd = fd;
	return 0;
}

static int read_opening(int fd, struct opening *opening)
{
	ssize_t got;

	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	got = pread(fd, opening, sizeof(*opening), 0);
	if (got != sizeof(*opening) ||
	    memcmp(opening->magic, magic, sizeof(magic)) != 0 ||
	    fcntl(fd, F_GET_SEALS) != SEALS || !device_at(opening->device))
		return -EINVAL;
	return 0;
}

/* One that was opened before this process was forked, or before its last context was
 * closed, leads to nothing either. */
static int check_own(const struct opening *opening)
{
	if (opening->generation == peer_self()->generation)
		return 0;
	mock_error("ibv_import_device: the device was opened by process %u, and what "
	           "belongs to one process cannot be imported by another: open the "
	           "device, and register the memory, in each",
	           opening->pid);
	return -EOPNOTSUPP;
}

int context_import(int cmd_fd, struct context **context)
{
	struct opening opening;
	struct context *made;
	int err = read_opening(cmd_fd, &opening);

	if (!err)
		err = context_open(device_at(opening.device), &made);
	if (err)
		return err;
	err = check_own(&opening);
	if (err) {
		context_close(made);
		return err;
	}
	close(made->vctx.context.cmd_fd);
	made->vctx.context.cmd_fd = cmd_fd;
	made->opening = opening.number;
	*context = made;
	return 0;
}
