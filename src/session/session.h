/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session's state, and the calls between the files that make it up:
 *
 *   session.c    life: made, attended to, ended, freed
 *   dial.c       a client's TCP connection
 *   handshake.c  from TLS to established; strangers.c: how many may be before that
 *   trust.c      the peer's certificate, while the session lives
 *   frames.c     control frames once established
 *   closing.c    the end in order
 *   data.c       operations on the queue pair; messages.c: what comes in; slab.c
 *   sealing.c    keys of sealed messages; staged.c: one-sided access by those
 *   memory.c     buffers and grants; remote.c: regions of the peer
 *   info.c       what is told about a session
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "session/control.h"
#include "session/message.h"
#include "session/proof.h"
#include "session/protection.h"
#include "session/psn.h"
#include "session/receive.h"
#include "session/sealing.h"
#include "session/transport.h"
#include "session/worker.h"

struct rdma_cm_id;
struct dial;

enum phase {
	PHASE_CONNECT,  /* TCP */
	PHASE_TLS,      /* handshake */
	PHASE_HELLO,    /* waiting for the peer's HELLO */
	PHASE_ENDPOINT, /* waiting for the peer's ENDPOINT */
	PHASE_CM,       /* waiting for the connection manager */
	PHASE_READY,    /* our QP is up; waiting for the peer's READY */
	PHASE_PROOF, /* our proof is sent; waiting for the peer's, and its verdict on ours
	              */
	PHASE_OPEN,
	PHASE_CLOSING, /* one side began to close */
	PHASE_CLOSED,  /* nothing but the object is left */
};

/* What only the time until established needs. */
struct handshake {
	struct srdma_session *session;
	struct dial *dial; /* a client's addresses to try */
	SSL_CTX *tls;      /* until the channel is made */
	struct transcript transcript;
	uint8_t proof_key[PROOF_SIZE];
	struct frame peer;              /* its description, with its PSN */
	uint8_t token[FRAME_TOKEN];     /* by which the server knows our CM connection */
	struct list cm_waiting;         /* of the worker's cm */
	struct stranger_place stranger; /* a server's, until TLS is through */
	bool ready_sent;
	bool peer_ready;
	bool paused; /* the peer's proof has to come before its further frames */
};

/* An operation in flight; they end in the order of their posting (IBA 9.5). */
struct op {
	void *user; /* the caller's; where it moves a window: the grant */
	struct srdma_buffer *buffer;
	struct srdma_remote *remote;
	size_t bytes;
	uint8_t kind; /* enum srdma_op_kind; 0: our own */
	bool slab;    /* uses the next slot of the slab */
	bool window;  /* binds a window, or takes its key back */
};

struct data {
	struct op *ops; /* ring */
	unsigned ring;  /* its size */
	unsigned depth; /* operations of the caller in flight, at most */
	uint64_t posted;
	uint64_t completed;
	unsigned callers; /* of those in flight: the caller's */
	unsigned window;  /* messages that the peer may have in flight */
	unsigned credits; /* messages that we may still send */
	unsigned peer_window;
	unsigned owed;       /* credits to give back */
	unsigned uncredited; /* messages of the peer without credit given back yet */
	uint64_t sent;       /* on the QP in all, of those that message_counts() */
	uint64_t received;   /* likewise */
	size_t message_max;  /* that the peer takes */
	bool blocked;        /* on_writable is owed */
	bool broken;         /* the QP failed; with: */
	int broken_code;
	char *broken_reason;
	uint64_t awaited; /* sequence of the operation that a blocking call waits for, + 1
	                   */
	int awaited_status; /* SRDMA_EBLOCKED until it ended */
	struct list inbox;  /* messages nobody took yet */
	struct list held;   /* messages the caller has */
	struct region slab; /* copies of messages to send; none until needed */
	uint8_t *slab_memory;
	size_t slot_size;
	unsigned slab_slots;
	unsigned slab_next;
	unsigned slab_used;
	bool slab_busy; /* used since data_rest() */
};

/* One-sided operations by messages: [ended, asking) wait for answers, [asking, begun) to
 * be asked. */
struct staged {
	struct transfer *ring; /* of data.depth; NULL until needed */
	unsigned size;
	uint64_t begun;
	uint64_t asking;
	uint64_t ended;
	unsigned unsent_writes; /* of those that are to be asked */
	unsigned answers_due;
	uint64_t awaited; /* as in struct data */
	int awaited_status;
	struct list requests; /* of the peer, to be answered */
};

struct closing {
	bool local; /* asked for by our caller */
	bool sent;  /* CLOSE */
	bool peer;  /* CLOSE received */
	bool ack_sent;
	bool ack_received;
	bool fin_sent;
	bool done;           /* FIN received */
	uint64_t peer_total; /* messages that the peer sent in all, when `peer` or
	                        `ack_received` */
};

struct srdma_session {
	struct list node; /* of the worker: its sessions, or its dead */
	struct list attention;
	struct srdma_worker *worker;
	const struct srdma_handlers *handlers;
	void *user;
	uint64_t id;
	uint64_t started_us;
	uint64_t established_us; /* after started_us; 0: not yet */
	enum phase phase;
	bool client;
	bool admitted;    /* has a place among the worker's sessions */
	bool established; /* the proofs passed; stays set */
	bool freed;       /* the caller is done with it */
	bool ended;       /* session_end() is through */
	bool more;        /* frames may be left in our buffers */
	bool heard;       /* from the peer, since the keepalive timer was set */
	unsigned probes;  /* unanswered */
	int failure;      /* why it is to end, or ended */
	char *reason;
	char name[80]; /* "server 192.0.2.1:4433": for sentences */

	struct source socket;
	uint32_t socket_events;
	struct timer timer;
	struct timer expiry; /* of the peer's certificate */
	int64_t expires;     /* seconds since the epoch */
	struct control control;
	bool has_control;
	struct srdma_identity *identity;
	struct handshake *handshake; /* NULL once established */

	const struct protection *protection;
	uint8_t packets; /* FRAME_PACKETS_…; 0: in clear */
	enum srdma_connect connect;
	struct rdma_cm_id *cm_id;
	bool cm_connected;
	struct endpoint *endpoint; /* NULL: not yet, or no more */
	unsigned attested;
	char psn_local[PSN_HASH_TEXT];
	char psn_peer[PSN_HASH_TEXT];

	struct data data;
	struct sealing sealing;
	struct staged staged;
	struct closing closing;
	struct list buffers;
	struct list grants;
	struct list remotes;
	unsigned grant_count;
	unsigned grants_waiting; /* for room to bind their windows */
	unsigned remote_count;
	unsigned max_grants; /* that the peer takes */
	uint32_t next_grant;
	struct srdma_session_stats stats;
};

/*
 * session.c
 */

/* `fd` of a server's client, or -1; on failure it stays the caller's. */
int session_new(struct srdma_worker *worker, int fd,
                const struct srdma_handlers *handlers, void *user,
                struct srdma_session **out);
void session_set_name(struct srdma_session *session,
                      const struct sockaddr_storage *address);
/* It takes one of the places that SRDMA_OPT_MAX_SESSIONS gives, until it is freed.
 * SRDMA_ELIMIT. */
int session_admit(struct srdma_session *session);
int session_watch(struct srdma_session *session, uint32_t events);

/*
 * The session is to end with `code` and the sentence of srdma_detail(); the peer is told.
 * Takes effect when the worker attends to it, so callers need only return. The first
 * failure counts.
 */
void session_fail(struct srdma_session *session, int code);

/* Have session_attend() called soon. */
void session_needs_attention(struct srdma_session *session);
void session_attend(struct srdma_session *session);
void session_set_timer(struct srdma_session *session, uint64_t ms);

/* Give everything back and call on_closed. */
void session_end(struct srdma_session *session);
/* The caller is done with it; it is ended if need be, without callbacks. Once. */
void session_discard(struct srdma_session *session);
/* By worker_rest(): its endpoint and messages go with it. */
void session_reap(struct srdma_session *session);

/* SRDMA_ESTATE or the failure, unless operations can be started. */
int session_check_open(const struct srdma_session *session);

/* Queue a frame; a failure is the session's. */
void session_send(struct srdma_session *session, const struct frame *frame);
void session_update_events(struct srdma_session *session);

/*
 * dial.c
 */

int dial_start(struct srdma_session *session, const char *host, const char *port);
void dial_ready(struct srdma_session *session);
/* The step's time is over: the next address gets its chance. */
void dial_late(struct srdma_session *session);
const char *dial_host(const struct dial *dial);
void dial_free(struct dial *dial);

/*
 * handshake.c
 */

/* The TCP connection is there. */
void handshake_begin(struct srdma_session *session);
void handshake_advance_tls(struct srdma_session *session);
/* A frame before PHASE_OPEN. */
void handshake_frame(struct srdma_session *session, const struct frame *frame,
                     const uint8_t *raw, size_t length);
/* The connection manager brought our QP to RTS. */
void handshake_cm_done(struct srdma_session *session);
/* The peer's proof came over the QP. */
void handshake_proof(struct srdma_session *session, const uint8_t *proof, size_t length);
const char *handshake_waiting_for(enum phase phase);
void handshake_free(struct handshake *handshake);

/*
 * trust.c
 */

/* TLS is up: watch over the certificate. SRDMA_ECERT if it is not accepted any more. */
int trust_begin(struct srdma_session *session);
void trust_timer_expired(struct timer *timer);

/*
 * frames.c
 */

/* Handle what the peer sent, up to a bound. */
void frames_read(struct srdma_session *session);
void frames_tell_failure(struct srdma_session *session, int code, const char *text);
/* The keepalive timer expired. */
void frames_probe(struct srdma_session *session);

/*
 * closing.c
 */

void closing_begin(struct srdma_session *session);
void closing_frame(struct srdma_session *session, const struct frame *frame);
/* Go on if what it waited for is there. */
void closing_advance(struct srdma_session *session);
/* The peer closed its end of the TLS channel: whether that is how this ends. */
bool closing_is_over(const struct srdma_session *session);

/*
 * data.c
 */

int data_open(struct srdma_session *session, const struct frame_hello *peer);
int data_send_proof(struct srdma_session *session, const uint8_t *proof, size_t length);
/* Established: hand over what came early. */
void data_deliver(struct srdma_session *session);
bool data_is_writable(const struct srdma_session *session);
unsigned data_in_flight(const struct srdma_session *session);
/* There is room, or a key: go on with what waited. */
void data_unblocked(struct srdma_session *session);
/* Called now and then: give back what an idle session does not need. */
void data_rest(struct srdma_session *session);
/* The QP is gone: operations in flight end with the session's failure. */
void data_end(struct srdma_session *session);
/* Give messages and the slab back. */
void data_free(struct srdma_session *session);
extern const struct endpoint_events data_events;
/* The time that the TLS channel had to say why the QP failed is over. */
void data_broke_for_good(struct srdma_session *session);

/* Start a one-sided operation of op->bytes with a buffer, at an address of the peer. */
int data_access(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
                uint64_t address, uint64_t key, const struct op *op);

/* Put a grant's window in force, or take it back. SRDMA_EBLOCKED: no room now. */
int data_bind(struct srdma_session *session, struct srdma_grant *grant,
              const struct exposure *exposure);
int data_unbind(struct srdma_session *session, struct srdma_grant *grant,
                const struct exposure *exposure);

/*
 * staged.c
 */

/* An operation with op->bytes at an offset of a grant, of the peer. */
int staged_start(struct srdma_session *session, struct srdma_buffer *buffer,
                 size_t offset, uint32_t grant, uint64_t remote_offset,
                 const struct op *op);
/* Send what there is room and credit for. */
void staged_advance(struct srdma_session *session);
/* Whether any is under way; whether messages have to wait behind a write. */
bool staged_is_busy(const struct srdma_session *session);
bool staged_holds_back(const struct srdma_session *session);
/* They end with the session's failure. */
void staged_end(struct srdma_session *session);

/*
 * memory.c, remote.c
 */

/* Where that range of a grant in force is. NULL with SRDMA_EPROTOCOL's sentence. */
uint8_t *memory_granted(struct srdma_session *session, uint32_t id, uint64_t offset,
                        size_t length, unsigned right);

int memory_check_range(const struct srdma_buffer *buffer, size_t offset, size_t length);
/* Where that is; counts one more user. */
uint8_t *memory_use(struct srdma_buffer *buffer, size_t offset);
void memory_unuse(struct srdma_buffer *buffer);
void memory_revoked(struct srdma_session *session, uint32_t id);
/* The operation on its window is over; a failed one ends with the session. */
void memory_window_moved(struct srdma_grant *grant, int status);
/* There may be room: bind what waits. */
void memory_advance(struct srdma_session *session);
/* Deregister all: the memory is the caller's. */
void memory_end(struct srdma_session *session);
void memory_free(struct srdma_session *session);

void remote_granted(struct srdma_session *session, const struct frame_grant *grant);
void remote_revoked(struct srdma_session *session, uint32_t id);
void remote_unuse(struct srdma_session *session, struct srdma_remote *remote);
void remote_free_all(struct srdma_session *session);

#endif
