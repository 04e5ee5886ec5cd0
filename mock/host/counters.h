/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device counts. Each queue pair is counted for by whoever holds the lock that
 * guards it, in its owner's segment; somebody who asks adds them up. So counting costs a
 * plain addition, and no cache line that the data path does not have anyway.
 */
#ifndef MOCK_HOST_COUNTERS_H
#define MOCK_HOST_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * In this order: of each QP's requester, of its responder, then what follows from them.
 * The names are those that Soft-RoCE has, where it has one; a drop_ is a packet that was
 * dropped, for that reason.
 */
#define REQUESTER_COUNTERS(X)                                                            \
	X(REQUESTS, "requests_sent") /* but for SENDs; once for each time */             \
	X(SENDS, "sends_sent")                                                           \
	X(OUT_BYTES, "request_bytes_sent")                                               \
	X(READ_BYTES, "response_bytes_rcvd") /* of READ and atomics */                   \
	X(UNACKED, "unacked_sent")           /* of all these, those without an answer */ \
	X(SENDS_UNDONE, "sends_undone")      /* SENDs that failed, or not yet */         \
	X(RCVD_RNR, "rcvd_rnr_err")                                                      \
	X(RCVD_SEQ, "rcvd_seq_err")                                                      \
	X(RETRIES, "completer_retry_err") /* sent again, answer or not */                \
	X(RETRY_EXCEEDED, "retry_exceeded_err")                                          \
	X(RNR_EXCEEDED, "retry_rnr_exceeded_err")                                        \
	X(SEND_ERR, "send_err")               /* nobody has the destination's number */  \
	X(LOST, "answers_lost")               /* requests that nothing came back for */  \
	X(DROP_ANSWER_QP, "drop_answer_qp")   /* it was for another QP */                \
	X(DROP_ANSWER_PSN, "drop_answer_psn") /* … for nothing under way */            \
	X(DROP_ANSWER_GUESS, "drop_answer_guess") /* like drop_guess */

#define RESPONDER_COUNTERS(X)                                                    \
	X(EXECUTED, "requests_executed") /* but for those that took a receive */ \
	X(RECEIVES, "receives_executed")                                         \
	X(IN_BYTES, "request_bytes_rcvd")                                        \
	X(RESPONSE_BYTES, "response_bytes_sent")                                 \
	X(EXECUTED_UNACKED, "unacked_executed")                                  \
	X(DUPLICATE, "duplicate_request")                                        \
	X(OUT_OF_SEQ, "out_of_seq_request")                                      \
	X(SENT_RNR, "send_rnr_err")                                              \
	X(NAK_INVALID, "nak_invalid_request")                                    \
	X(NAK_ACCESS, "nak_remote_access")                                       \
	X(NAK_OPERATION, "nak_remote_operation")                                 \
	X(DROP_STATE, "drop_qp_state")        /* the QP does not receive */      \
	X(DROP_TRANSPORT, "drop_transport")   /* of another than the QP's */     \
	X(DROP_QPN, "drop_qpn")               /* the QP is gone */               \
	X(DROP_ADDRESS, "drop_address")       /* not from or to its address */   \
	X(DROP_OLD_PSN, "drop_old_psn")       /* before the first one */         \
	X(DROP_GAP, "drop_gap")               /* a gap that was reported */      \
	X(DROP_GUESS, "drop_guess")           /* from somebody who may guess */  \
	X(DROP_REPLAY, "drop_replay")         /* a READ or atomic, too late */   \
	X(DROP_OPERATION, "drop_operation")   /* unacked and not permitted */    \
	X(DROP_NO_RECEIVE, "drop_no_receive") /* … and no receive posted */    \
	X(DROP_ACCESS, "drop_access")         /* … and a wrong key or range */ \
	X(DROP_DATAGRAM, "drop_datagram")     /* its Q_Key, length, flow */      \
	X(DROP_OWNER, "drop_owner_gone")

#define DERIVED_COUNTERS(X)         \
	X(SENT_PKTS, "sent_pkts")   \
	X(RCVD_PKTS, "rcvd_pkts")   \
	X(SENT_BYTES, "sent_bytes") \
	X(RCVD_BYTES, "rcvd_bytes") \
	X(RDMA_SENDS, "rdma_sends") \
	X(RDMA_RECVS, "rdma_recvs") \
	X(LINK_DOWNED, "link_downed") /* never: there is no cable */

/* Of the process: what it did at UDP port 4791. */
#define NET_COUNTERS(X)                                                            \
	X(NET_SENT, "net_sent_pkts")                                               \
	X(NET_RCVD, "net_rcvd_pkts")       /* whole ones, for whoever here */      \
	X(NET_RELAYED, "net_relayed_pkts") /* … given to another process */      \
	X(ACK_DEFERRED, "ack_deferred")    /* until a poll finds nothing */        \
	X(DROP_ICRC, "drop_icrc")                                                  \
	X(DROP_TRUNCATED, "drop_truncated")   /* too short for BTH and ICRC */     \
	X(DROP_UNKNOWN_QP, "drop_unknown_qp") /* nobody here has its number */     \
	X(DROP_MALFORMED, "drop_malformed")   /* headers that are none */          \
	X(DROP_PLAIN, "drop_plain")           /* in clear, to a protected QP */    \
	X(DROP_TAG, "drop_tag")               /* … forged, altered */            \
	X(DROP_REPEATED, "drop_repeated")     /* … seen before */                \
	X(DROP_NO_MEMBER, "drop_no_member")   /* nobody here is in its group */    \
	X(DROP_RELAY, "drop_relay_full")      /* the other process was too slow */ \
	X(DROP_UNSENT, "drop_unsent")         /* the system did not take it */     \
	X(DISTURB_LOST, "disturbed_lost")     /* MOCKRDMA_LOSS and the others */   \
	X(DISTURB_DUPLICATED, "disturbed_duplicated")                              \
	X(DISTURB_REORDERED, "disturbed_reordered")                                \
	X(DISTURB_CORRUPTED, "disturbed_corrupted")

#define COUNTER_ENUM(name, text) COUNT_##name,
enum counter {
	REQUESTER_COUNTERS(COUNTER_ENUM) RESPONDER_COUNTERS(COUNTER_ENUM)
	        DERIVED_COUNTERS(COUNTER_ENUM) NET_COUNTERS(COUNTER_ENUM) COUNTERS,
	COUNT_REQUESTER = COUNT_REQUESTS, /* the first of each group */
	COUNT_RESPONDER = COUNT_EXECUTED,
	COUNT_DERIVED = COUNT_SENT_PKTS,
	COUNT_NET = COUNT_NET_SENT,
	COUNTERS_NET = COUNTERS - COUNT_NET,
};
#undef COUNTER_ENUM

struct counters {
	uint64_t value[COUNTERS];
};

extern const char *const counter_names[COUNTERS];

void counters_add(struct counters *to, const struct counters *from);
/* Fills in what follows from the others. */
void counters_derive(struct counters *counters);

/* A count with one writer at a time, which anyone may look at. */
typedef _Atomic uint64_t tally;

static inline void tally_add(tally *count, uint64_t more)
{
	atomic_store_explicit(count,
	                      atomic_load_explicit(count, memory_order_relaxed) + more,
	                      memory_order_relaxed);
}

#endif
