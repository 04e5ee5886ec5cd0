/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Openings: what a cmd_fd stands for. rdma-core's is the kernel's file, in which all
 * handles are, and whoever has it may import what they name (ibv_import_device(3),
 * ibv_import_pd(3), ibv_import_mr(3), ibv_import_dm(3)). Here it is a small sealed file
 * that names the process and one opening of a device by it; contexts that were imported
 * with it belong to the same opening, and find each other's objects by their handles.
 *
 * An import is a struct of its own that leads to the object: the object goes when anyone
 * deallocates it, and each struct when whoever has it is done with it, by deallocating or
 * unimporting. An object that was imported from may be unimported, too, when it has gone
 * elsewhere.
 */
#ifndef MOCK_OBJECT_IMPORT_H
#define MOCK_OBJECT_IMPORT_H

#include "object/device.h"

/* A new opening of that device, and the context's cmd_fd: 0 or -errno. The host is
 * attached. */
int opening_make(struct context *context, uint32_t device);

/*
 * As ibv_import_device(3); the context's is the descriptor that was given. -EBADF,
 * -EINVAL for what is no cmd_fd, -EOPNOTSUPP for that of another process: the memory and
 * the keys of its objects are its own, and there is no kernel that holds them.
 */
int context_import(int cmd_fd, struct context **context);

#endif
