/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs themselves: sequences of calls, right and wrong, by two threads of one
 * process and by another process, on objects that they share and on objects of their own.
 * Handles are always live ones, since what a stale pointer does is nobody's to say;
 * everything else is drawn from the input. At the end all objects can be destroyed, in
 * their order.
 */
#include "verbs/world.h"

enum { CALLS_MOST = 200 };

static void (*const calls[])(struct world *) = {
	change_pd,   change_cq,       change_srq,   change_mr,
	change_mr,   change_mw,       change_dm,    change_qp,
	change_qp,   change_state,    change_state, post_send,
	post_send,   post_send,       build,        build,
	bind_type_1, post_receive,    post_receive, look,
	look,        look_for_events, change_xrcd,  import,
	change_flow, change_counters,
};

static void *run(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < CALLS_MOST && w->in.at < w->in.end; i++)
		calls[byte(w) % (sizeof(calls) / sizeof(calls[0]))](w);
	return NULL;
}

#define DESTROY(list, destroy)                            \
	do {                                              \
		for (int i_ = 0; i_ < OWN; i_++)          \
			if (list[i_])                     \
				MUST(!destroy(list[i_])); \
	} while (0)

static void end_world(struct world *w)
{
	DESTROY(w->flow, ibv_destroy_flow);
	DESTROY(w->counters, ibv_destroy_counters);
	DESTROY(w->qp, ibv_destroy_qp);
	DESTROY(w->srq, ibv_destroy_srq);
	DESTROY(w->xrcd, ibv_close_xrcd);
	DESTROY(w->mw, ibv_dealloc_mw);
}

/* After both threads: one's windows may be bound to the other's regions. */
static void end_rest(struct world *w)
{
	DESTROY(w->cq, ibv_destroy_cq);
	DESTROY(w->mr, ibv_dereg_mr);
	DESTROY(w->dm, ibv_free_dm);
	DESTROY(w->pd, ibv_dealloc_pd);
}

void live(int socket, const uint8_t *data, size_t size, int threads)
{
	struct shared shared = { 0 };
	struct world world[2] = { 0 };
	size_t part = size / (size_t)threads;
	char done = 0;

	begin_shared(&shared);
	MUST(exchange(socket, &shared.self, &shared.peer, sizeof(shared.self)));
	connect_shared(&shared);
	for (int i = 0; i < threads; i++)
		world[i] = (struct world){ .shared = &shared,
			                   .in = { data + part * (size_t)i,
			                           data + part * (size_t)(i + 1) } };
	run_threads(run, world, sizeof(world[0]), threads);
	MUST(exchange(socket, &done, &done, 1));
	for (int i = 0; i < threads; i++)
		end_world(&world[i]);
	end_shared(&shared);
	for (int i = 0; i < threads; i++)
		end_rest(&world[i]);
	close_shared(&shared);
}