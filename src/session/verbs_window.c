/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/verbs_window.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "session/device.h"
#include "session/error.h"

#define TYPE_2 (IBV_DEVICE_MEM_WINDOW_TYPE_2A | IBV_DEVICE_MEM_WINDOW_TYPE_2B)
#define KEPT   4 /* windows that no grant uses, of a session */

struct window {
	struct window *next; /* of the endpoint */
	struct ibv_mw *mw;
	size_t length;
	unsigned access;
	bool used;  /* by a grant */
	bool bound; /* or that was asked for, and its end was not */
};

static bool has_windows(const struct adapter *adapter)
{
	return adapter->limits.device_cap_flags & TYPE_2 && adapter->limits.max_mw > 0;
}

static struct window *new_window(struct verbs_endpoint *endpoint)
{
	struct window *window = calloc(1, sizeof(*window));

	if (!window)
		return NULL;
	window->mw = device_alloc_mw(endpoint->pd, IBV_MW_TYPE_2);
	if (window->mw)
		return window;
	log_info("device %s: no memory window is left (%s): a grant goes without",
	         adapter_name(endpoint->adapter), errno_text(errno));
	free(window);
	return NULL;
}

/* NULL: the device has none, or no more. */
static struct window *take_window(struct verbs_endpoint *endpoint)
{
	struct window *window = endpoint->windows;

	if (!has_windows(endpoint->adapter))
		return NULL;
	while (window && window->used)
		window = window->next;
	if (!window) {
		window = new_window(endpoint);
		if (!window)
			return NULL;
		window->next = endpoint->windows;
		endpoint->windows = window;
	}
	window->used = true;
	return window;
}

/* What is bound ends here and now: deallocating does that, without the send queue. */
static void free_window(struct window **at)
{
	struct window *window = *at;

	*at = window->next;
	device_dealloc_mw(window->mw);
	free(window);
}

static void leave_window(struct verbs_endpoint *endpoint, struct window *window)
{
	struct window **at = &endpoint->windows;
	unsigned kept = 0;

	for (const struct window *each = endpoint->windows; each; each = each->next)
		kept += !each->used;
	window->used = false;
	if (!window->bound && kept < KEPT)
		return;
	while (*at != window)
		at = &(*at)->next;
	free_window(at);
}

void verbs_free_windows(struct verbs_endpoint *endpoint)
{
	while (endpoint->windows)
		free_window(&endpoint->windows);
}

static unsigned remote_access(unsigned rights)
{
	return (rights & REGION_REMOTE_WRITE ? IBV_ACCESS_REMOTE_WRITE : 0) |
	       (rights & REGION_REMOTE_READ ? IBV_ACCESS_REMOTE_READ : 0);
}

/*
 * The peer addresses its range from its offset in the first page: it learns nothing of
 * where our memory lies, and devices get the alignment that they need. With a window the
 * region itself lets nobody in.
 */
int verbs_expose(struct endpoint *base, void *address, size_t length, unsigned rights,
                 struct exposure *out)
{
	struct verbs_endpoint *endpoint = to_verbs(base);
	uint64_t from = (uintptr_t)address & ((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	unsigned local = rights & REGION_REMOTE_WRITE ? IBV_ACCESS_LOCAL_WRITE : 0;
	unsigned remote = remote_access(rights);
	struct window *window = take_window(endpoint);
	struct ibv_mr *mr = NULL;

	if (window)
		mr = device_reg_mr_at(endpoint->pd, address, length, from,
		                      local | IBV_ACCESS_MW_BIND);
	if (window && !mr) {
		/* Linux binds windows to memory that can be written only. */
		leave_window(endpoint, window);
		window = NULL;
	}
	if (!mr)
		mr = device_reg_mr_at(endpoint->pd, address, length, from,
		                      local | remote);
	if (!mr)
		return errno;
	if (window) {
		window->length = length;
		window->access = remote;
	}
	*out = (struct exposure){
		.region = { .handle = mr,
		            .lkey = mr->lkey,
		            .key = window ? ibv_inc_rkey(window->mw->rkey) : mr->rkey,
		            .address = from },
		.window = window,
	};
	return 0;
}

int verbs_bind(struct endpoint *endpoint, const struct exposure *exposure,
               uint64_t sequence)
{
	struct window *window = exposure->window;
	uint32_t key = (uint32_t)exposure->region.key;
	struct ibv_send_wr wr = {
		.wr_id = VERBS_SEND_ID(sequence),
		.opcode = IBV_WR_BIND_MW,
		.bind_mw = { .mw = window->mw,
		             .rkey = key,
		             .bind_info = { .mr = exposure->region.handle,
		                            .addr = exposure->region.address,
		                            .length = window->length,
		                            .mw_access_flags = window->access } },
	};
	int error = verbs_post(endpoint, &wr);

	if (error)
		return error;
	window->mw->rkey = key; /* of type 2 that is for us to note */
	window->bound = true;
	return 0;
}

int verbs_unbind(struct endpoint *endpoint, const struct exposure *exposure,
                 uint64_t sequence)
{
	struct window *window = exposure->window;
	struct ibv_send_wr wr = {
		.wr_id = VERBS_SEND_ID(sequence),
		.opcode = IBV_WR_LOCAL_INV,
		.invalidate_rkey = (uint32_t)exposure->region.key,
	};
	int error = verbs_post(endpoint, &wr);

	if (!error)
		window->bound = false;
	return error;
}

void verbs_conceal(struct endpoint *base, struct exposure *exposure)
{
	struct verbs_endpoint *endpoint = to_verbs(base);

	if (exposure->window && endpoint->qp) /* else it went before that */
		leave_window(endpoint, exposure->window);
	device_dereg_mr(exposure->region.handle);
	*exposure = (struct exposure){ 0 };
}
