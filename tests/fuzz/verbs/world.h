/* SPDX-License-Identifier: BSD-2-Clause */
/* What the calls of the verbs' fuzzer work on. */
#ifndef TESTS_FUZZ_VERBS_WORLD_H
#define TESTS_FUZZ_VERBS_WORLD_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include "lib/input.h"
#include "lib/processes.h"

enum {
	ARENA = 1 << 16, /* all memory that is ever registered */
	OWN = 4,         /* objects of each kind that a thread may have */
	SHARED_QPS = 6,
	CROSS = 5, /* of them the one that is connected to the other process */
};

/* What the other process has to know. */
struct address {
	union ibv_gid gid;
	uint32_t qpn, rkey;
	uint64_t arena;
};

/* Made for each input, used by all threads of a process. */
struct shared {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	struct ibv_qp *qp[SHARED_QPS];
	struct ibv_ah *ah;
	int gid_index;
	struct address self, peer;
};

/* What a thread alone makes and destroys. */
struct world {
	struct shared *shared;
	struct input in;
	struct ibv_pd *pd[OWN];
	struct ibv_cq *cq[OWN];
	struct ibv_srq *srq[OWN];
	struct ibv_mr *mr[OWN];
	struct ibv_mw *mw[OWN];
	struct ibv_qp *qp[OWN];
	struct ibv_dm *dm[OWN];
	struct ibv_xrcd *xrcd[OWN];
	struct ibv_counters *counters[OWN];
	struct ibv_flow *flow[OWN];
	bool extended[OWN]; /* which of the CQs are */
};

extern uint8_t arena[ARENA];

static inline uint8_t byte(struct world *w)
{
	return input_byte(&w->in);
}

static inline uint32_t word(struct world *w)
{
	return input_word(&w->in);
}

static inline uint64_t number(struct world *w)
{
	return input_number(&w->in);
}

static inline uint64_t mostly(struct world *w, uint64_t value)
{
	return input_mostly(&w->in, value);
}

/* The thread's own, or else the one that all have. */
#define PICK(list, of_shared)                                \
	({                                                   \
		__auto_type picked_ = (list)[byte(w) % OWN]; \
		picked_ ? picked_ : (of_shared);             \
	})

struct ibv_pd *any_pd(struct world *w);
struct ibv_cq *any_cq(struct world *w);
struct ibv_mr *any_mr(struct world *w);
struct ibv_qp *any_qp(struct world *w);
uint32_t any_key(struct world *w);
uint32_t any_srq_number(struct world *w);
struct ibv_sge any_sge(struct world *w);
/* A part of the arena. */
void *place(struct world *w, size_t *length);

/* objects.c */
void change_pd(struct world *w);
void change_cq(struct world *w);
void poll_extended(struct world *w);
void change_xrcd(struct world *w);
void change_srq(struct world *w);
void change_mr(struct world *w);
void change_mw(struct world *w);
void change_dm(struct world *w);
void change_qp(struct world *w);
void import(struct world *w);

/* flows.c */
void change_counters(struct world *w);
void change_flow(struct world *w);

/* states.c */
struct ibv_qp_attr attributes(const struct shared *shared, uint32_t qpn,
                              const union ibv_gid *gid);
int to_rts(const struct shared *shared, struct ibv_qp *qp, uint32_t qpn,
           const union ibv_gid *gid);
void change_state(struct world *w);

/* requests.c */
void post_send(struct world *w);
void build(struct world *w);
void bind_type_1(struct world *w);
void post_receive(struct world *w);
void look(struct world *w);
void look_for_events(struct world *w);

/* shared.c */
void begin_shared(struct shared *s);
void connect_shared(struct shared *s);
void end_shared(struct shared *s);
void close_shared(struct shared *s);

#endif
