/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/pd.h"

#include <errno.h>
#include <stdlib.h>
#include "object/handle.h"

static struct handle_table pds = HANDLE_TABLE_INIT;

int pd_alloc(struct ibv_context *context, struct pd **pd)
{
	struct pd *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	err = handle_alloc(&pds, made, &made->ibv.handle);
	if (err) {
		free(made);
		return err;
	}
	made->ibv.context = context;
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->qps);
	list_init(&made->srqs);
	*pd = made;
	return 0;
}

int pd_free(struct pd *pd)
{
	if (atomic_load(&pd->users))
		return -EBUSY;
	handle_free(&pds, pd->ibv.handle);
	pthread_mutex_destroy(&pd->lock);
	free(pd);
	return 0;
}
