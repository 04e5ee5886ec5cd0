/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/xrcd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(const struct ibv_xrcd_init_attr *attr)
{
	const uint32_t needed = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS;

	if (attr->comp_mask & ~needed)
		return -EOPNOTSUPP;
	if (attr->comp_mask != needed || (attr->oflags & ~(O_CREAT | O_EXCL)))
		return -EINVAL;
	return 0;
}

static int open_domain(struct xrcd *xrcd, int fd, int oflags)
{
	unsigned int how = (oflags & O_CREAT ? DOMAIN_CREATE : 0) |
	                   (oflags & O_EXCL ? DOMAIN_EXCLUSIVE : 0);
	struct stat st;
	int err;

	if (fd == -1)
		return registry_domain_open(0, 0, DOMAIN_CREATE, &xrcd->domain);
	xrcd->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (xrcd->fd < 0 || fstat(xrcd->fd, &st))
		return -errno;
	err = registry_domain_open(st.st_dev, st.st_ino, how, &xrcd->domain);
	if (err == -ENOENT)
		return -EAGAIN;
	return err == -EEXIST ? -EINVAL : err;
}

int xrcd_open(struct ibv_context *context, const struct ibv_xrcd_init_attr *attr,
              struct xrcd **xrcd)
{
	struct xrcd *made;
	int err = check(attr);

	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->ibv.context = context;
	made->fd = -1;
	err = open_domain(made, attr->fd, attr->oflags);
	if (!err) {
		*xrcd = made;
		return 0;
	}
	if (made->fd >= 0)
		close(made->fd);
	free(made);
	return err;
}

int xrcd_close(struct xrcd *xrcd)
{
	if (atomic_load(&xrcd->users))
		return -EBUSY;
	registry_domain_close(&xrcd->domain);
	if (xrcd->fd >= 0)
		close(xrcd->fd);
	free(xrcd);
	return 0;
}
