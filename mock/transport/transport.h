/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transports' protocols (IBA chapter 9): requester, responder, completer, retry.
 * mock/api and mock/cm reach queue pairs through here.
 */
#ifndef MOCK_TRANSPORT_TRANSPORT_H
#define MOCK_TRANSPORT_TRANSPORT_H

#include <infiniband/verbs.h>
#include "link/link.h"
#include "object/mr.h"
#include "object/qp.h"
#include "object/srq.h"

/* Once per process, before any QP: connects the layers. */
void transport_init(void);

/* qp.c: what changing a QP entails. */
int transport_qp_create(struct ibv_pd *pd, struct ibv_qp_init_attr *attr, struct qp **qp);
/* As ibv_query_qp(3), all of it. */
void transport_qp_query(struct qp *qp, struct ibv_qp_attr *attr,
                        struct ibv_qp_init_attr *init);
/* The addresses that the QP talks between, and the link that joins them. */
int qp_set_path(struct qp *qp, const struct ibv_ah_attr *av);
/* What the responder goes by; its lock is held. */
void qp_set_responder(struct qp *qp, enum ibv_qp_state next, int mask);
/* Returns when no requester or responder, in whatever process, works on it. */
void transport_qp_destroy(struct qp *qp);
/* As ibv_modify_qp(3); -EINVAL, -EHOSTUNREACH when no link reaches the destination. */
int transport_qp_modify(struct qp *qp, const struct ibv_qp_attr *attr, int mask);
/* As mockrdma_qp_protect(), with a negative code. */
struct mockrdma_protection;
int transport_qp_protect(struct qp *qp, const struct mockrdma_protection *keys);
/* The send queue has come to rest in SQD: tells who asked to know. */
void transport_drained(struct qp *qp);
/* Waits until no work in progress uses the PD's keys. */
void transport_settle(struct pd *pd);

/* datagram.c: -EINVAL, -ENOMEM, -EHOSTUNREACH when no link reaches the destination. */
int transport_ah_create(struct ibv_pd *pd, const struct ibv_ah_attr *attr,
                        struct ah **ah);

/* post.c: *bad is the first request that was not taken. 0, -EINVAL, -ENOMEM. */
int transport_post_send(struct qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad);
int transport_post_recv(struct qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad);
int transport_post_srq_recv(struct srq *srq, struct ibv_recv_wr *wr,
                            struct ibv_recv_wr **bad);

/* builder.c: ibv_wr_start() to ibv_wr_complete(). */
void builder_start(struct qp *qp);
void builder_add(struct qp *qp, enum ibv_wr_opcode opcode);
/* An operation that the QP was not made for fails the whole batch. */
void builder_refuse(struct qp *qp);
void builder_bind(struct qp *qp, const struct ibv_mw *mw, uint32_t rkey,
                  const struct ibv_mw_bind_info *info);
void builder_sges(struct qp *qp, size_t count, const struct ibv_sge *sge);
void builder_destination(struct qp *qp, const struct ibv_ah *ah, uint32_t qpn,
                         uint32_t qkey);
void builder_srqn(struct qp *qp, uint32_t srqn);
void builder_inline(struct qp *qp, size_t count, const struct ibv_data_buf *buf);
int builder_complete(struct qp *qp);
void builder_abort(struct qp *qp);

/* poll.c */
int transport_poll(struct cq *cq, int count, struct ibv_wc *wc);
/* As ibv_req_notify_cq(3), of a CQ with a channel. */
void transport_arm(struct cq *cq, bool solicited_only);
/* ibv_start_poll(3) and the like: -ENOENT when there is none, -EBUSY, -EINVAL. The entry
 * that is current is cq->current, its status and ID in cq->ex. */
int transport_poll_begin(struct cq *cq);
int transport_poll_next(struct cq *cq);

/* requester.c: works on what is posted; the requester's lock is held. */
void requester_run(struct qp *qp);
/* The gather or scatter list in our own memory, once its keys are checked (IBA 10.6.3).
 */
enum ibv_wc_status requester_list(const struct qp *qp, struct wqe *wqe, unsigned int mask,
                                  struct iovec *iov, unsigned int *iovs);
void requester_number(struct qp *qp, struct wqe *wqe);
enum ibv_wc_status requester_check(const struct qp *qp, const struct wqe *wqe,
                                   unsigned int mask);

/* unacked.c: UC and UD, where nothing comes back, and all that goes by packets. As step()
 * in requester.c; false when it can do nothing more now. */
bool apart_step(struct qp *qp);
/* The packet of a message, but for where it goes; why it cannot be sent, else. */
enum ibv_wc_status unacked_fill(const struct qp *qp, struct wqe *wqe, struct iovec *iov,
                                struct packet *packet);

/* window.c: binds or invalidates a memory window, the request at sq.next; the lock is
 * held. */
void window_step(struct qp *qp, struct wqe *wqe);
/* As ibv_bind_mw(3), for type 1: 0, -EINVAL, -ENOMEM. */
int transport_bind_mw(struct qp *qp, struct ibv_mw *mw, const struct ibv_mw_bind *bind);
/* Waits until no responder that is at work now uses the PD's windows. */
void transport_settle_responders(uint32_t pd);

/* A request went out. */
static inline void count_request(struct qp *qp, const struct packet *packet)
{
	unsigned int read = (packet->mask & (OP_READ | OP_ATOMIC)) != 0;

	_Static_assert(OP_SEND == 1 && COUNT_SENDS == COUNT_REQUESTS + 1 &&
	                       COUNT_READ_BYTES == COUNT_OUT_BYTES + 1,
	               "counters in pairs");
	count_requester(qp->sh, COUNT_REQUESTS + (packet->mask & OP_SEND), 1);
	count_requester(qp->sh, COUNT_OUT_BYTES + read, packet->length);
}

/* completer.c: what the answer means for the work request at sq.next. */
void completer_take(struct qp *qp, const struct wqe *wqe, const struct packet *packet,
                    const struct reply *reply);
/* Tells of a SEND that is done with: sq.next is behind it. */
void completer_sent(struct qp *qp, uint64_t wr_id, uint32_t length);
/* Nothing is to be waited for. */
void completer_done(struct qp *qp, const struct wqe *wqe);
/* Ends the work request at sq.next with an error, and the connection with it; of UC and
 * UD only the send queue (IBA 9.9.2.3, 10.3.1.7). */
void completer_fail(struct qp *qp, const struct wqe *wqe, enum ibv_wc_status status);

/* retry.c */
/* As the waits below, for one that mostly ends early: costs no timer each time. */
void retry_wait_at_most(struct qp *qp, enum sq_wait wait, uint64_t ns);
void retry_after_loss(struct qp *qp);
void retry_after_rnr(struct qp *qp, unsigned int timer);
void retry_reset(struct qp *qp);
/* One of the retries that are left is used up. */
void retry_again(struct qp *qp);
void retry_fire(struct timer *timer);

/* credit.c: the requester's lock is held, but for credit_look(), which any poll calls. */
bool credit_have(struct qp *qp);
void credit_wait(struct qp *qp);
void credit_forget(struct qp *qp);
void credit_look(void);

/* flush.c: the requester's lock is held. */
void flush_to_error(struct qp *qp);
void flush_to_sqe(struct qp *qp);
void flush_sq(struct qp *qp);

/* responder.c */
void responder_receive(struct peer *owner, struct qp_shared *qp,
                       const struct packet *packet, struct reply *reply);
/* Takes the responder's lock, and mends the QP when its last holder died with it. */
void responder_lock(struct peer *owner, struct qp_shared *qp);
/* Waits until whoever holds that lock now has given it back. */
void responder_settle(struct qp_shared *qp);
/* Returns all receives that are posted; the lock is held, the state ERR. */
void responder_flush(const struct peer *owner, struct qp_shared *qp);
/* Has the owner's engine raise an event of the QP, whoever runs its responder. */
void responder_tell(const struct peer *owner, struct qp_shared *qp,
                    enum ibv_event_type type);
/* The QP moves to ERR, and returns its receives; the lock is held. */
void responder_to_error(const struct peer *owner, struct qp_shared *qp);
void responder_init(void);

#endif
