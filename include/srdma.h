/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsrdma: secure RDMA sessions.
 *
 * A session is a TLS 1.3 channel with certificates on both sides, and one RDMA queue pair
 * whose endpoint (QP number, GID, starting PSNs, memory keys) was exchanged over that
 * channel only. Once it is up, messages and one-sided reads and writes go through the
 * queue pair; the TLS channel stays for grants, revocation, liveness and the close.
 *
 * - context: certificates and settings; shared by threads
 * - worker: one thread's share: devices, queues, buffers, timers, a set of sessions; one
 *   descriptor
 * - listener: a TCP port; what it accepts is handed to any worker
 * - session: one peer; belongs to one worker for life
 * - buffer: the caller's own memory, registered with one session for use without copies
 * - grant: a range of a buffer that the peer may read or write; a remote is the peer's
 *   view of it
 *
 * THREADS. Functions on contexts may be called from any thread. A worker, and everything
 * that belongs to it (sessions, buffers, grants, remotes, messages), may be used by one
 * thread at a time: the one that calls srdma_worker_run(). The exceptions, for any
 * thread, are srdma_worker_adopt(), srdma_worker_call() and srdma_worker_wake().
 * Callbacks run inside srdma_worker_run() (or a blocking call) of their own worker, never
 * inside another call, and may call any function except srdma_worker_run(),
 * srdma_worker_free() and the blocking ones.
 *
 * RETURNS. 0 (or a count, where said) or a negative SRDMA_E… code. Outputs come last and
 * are set only on success. srdma_detail() gives the failing call's own sentence, which
 * names the object and what to do about it. Nothing blocks unless its description says
 * so.
 *
 * SIGPIPE is never raised by this library.
 */
#ifndef SRDMA_H
#define SRDMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SRDMA_API __attribute__((visibility("default")))
#else
#define SRDMA_API
#endif

#define SRDMA_VERSION_MAJOR 0
#define SRDMA_VERSION_MINOR 1
#define SRDMA_VERSION_PATCH 0

struct srdma_context;
struct srdma_worker;
struct srdma_listener;
struct srdma_session;
struct srdma_identity;
struct srdma_message;
struct srdma_buffer;
struct srdma_grant;
struct srdma_remote;

/* "0.1.0": of the library in use, which may be newer than this header. */
SRDMA_API const char *srdma_version(void);

/*
 * Errors
 */

/* What a caller does next depends on the category; the code says what happened. */
enum srdma_category {
	SRDMA_OK = 0,
	SRDMA_BLOCKED,  /* not now: try again when the worker says so */
	SRDMA_CLOSED,   /* the session ended as it should: no more to come */
	SRDMA_PEER,     /* the peer or the network failed, or refused */
	SRDMA_PROTOCOL, /* the peer sent what the protocol forbids */
	SRDMA_USAGE,    /* the caller or the configuration is wrong */
	SRDMA_RESOURCE, /* memory, descriptors, device or a limit ran out */
	SRDMA_INTERNAL, /* a fault of this library */
};

enum srdma_code {
	SRDMA_EBLOCKED = -1, /* blocked: no credit, no slot or no event yet */
	SRDMA_ECLOSED = -2,  /* closed: by either side, in order */
	SRDMA_EREFUSED =
	        -3, /* peer: nothing listens there, or the peer's policy said no */
	SRDMA_EUNREACHABLE = -4, /* peer: no route, name unknown */
	SRDMA_EVANISHED = -5,    /* peer: went away without a close */
	SRDMA_ETIMEOUT = -6,     /* peer: did not answer in time */
	SRDMA_ECERT = -7,   /* peer: certificate of one side not accepted by the other */
	SRDMA_ENAME = -8,   /* peer: certificate valid, but not for the name asked for */
	SRDMA_ETLS = -9,    /* peer: any other TLS failure */
	SRDMA_EPROOF = -10, /* protocol: the queue pair's far end is not the TLS peer */
	SRDMA_EPROTOCOL = -11, /* protocol: malformed, out of order or over a limit */
	SRDMA_EVERSION = -12,  /* protocol: no common version, mode or data protection */
	SRDMA_EINVAL = -13,    /* usage: argument */
	SRDMA_ESTATE = -14,    /* usage: not in this state */
	SRDMA_ERIGHTS = -15,   /* usage: outside of the granted range or rights */
	SRDMA_ECONFIG = -16,   /* usage: a file is missing or wrong, key does not match */
	SRDMA_ENODEVICE = -17, /* resource: no RDMA device, or none at that address */
	SRDMA_ENOMEM = -18,    /* resource: memory */
	SRDMA_ELIMIT = -19,  /* resource: one of the SRDMA_OPT_ limits, or the device's */
	SRDMA_ESYSTEM = -20, /* resource: a system or verbs call failed */
	SRDMA_ERANDOM = -21, /* internal: the random generator failed */
	SRDMA_EINTERNAL = -22, /* internal */
	SRDMA_ENETWORK = -23, /* peer: the RDMA connection broke (retries exhausted, …) */
	SRDMA_ESEAL = -24,    /* protocol: a sealed message was altered, replayed, … */
	SRDMA_ECROWDED = -25, /* resource: a server's: closed for a newer connection,
	                         before its peer proved who it is */
};

/* The category of a code returned by this library; SRDMA_INTERNAL for a code it does not
 * know. */
SRDMA_API enum srdma_category srdma_category(int code);

/* "peer", "usage", …: for log lines. */
SRDMA_API const char *srdma_category_name(enum srdma_category category);

/* A general phrase for a code. Never NULL; static. */
SRDMA_API const char *srdma_strerror(int code);

/*
 * The sentence of the call that last failed in this thread: what failed, on what, what to
 * do. Never NULL. Valid until the thread's next call into the library.
 */
SRDMA_API const char *srdma_detail(void);

/*
 * Log
 */

enum srdma_log_level {
	SRDMA_LOG_ERROR = 0,
	SRDMA_LOG_WARN,
	SRDMA_LOG_INFO,
	SRDMA_LOG_DEBUG,
};

/* `line` has no newline; object ids ("session#7") are part of it. Called from any thread.
 */
typedef void srdma_log_fn(enum srdma_log_level level, const char *line, void *user);

/*
 * Where the library's log goes, for the whole process: levels above `level` are dropped.
 * NULL (the default) logs nothing. Call it before other threads use the library. Secrets
 * (keys, PSNs, memory keys) are never in a line.
 */
SRDMA_API void srdma_log_to(srdma_log_fn *fn, void *user, enum srdma_log_level level);

/*
 * Context: certificates and settings
 */

/* Options with a text value. */
enum srdma_text_option {
	SRDMA_OPT_CERTIFICATE = 1, /* file: PEM, own certificate, then its chain */
	SRDMA_OPT_KEY,             /* file: PEM, private key of the certificate */
	SRDMA_OPT_CA, /* file: PEM, authorities that peers' certificates must chain to */
	SRDMA_OPT_DEVICE, /* name of the RDMA device; unset: the one whose GID has the
	                     address of the TLS socket */
	SRDMA_OPT_SERVER_NAME, /* name or address that the server's certificate must be
	                          for; unset: the host given to connect */
	SRDMA_OPT_CRL, /* file: PEM, lists of revoked certificates, one of each authority;
	                  unset: none is looked at */
	SRDMA_OPT_OCSP_RESPONSE, /* file: DER, OCSP response that a server staples to its
	                            certificate; one of a server is checked in any case */
	SRDMA_OPT_FABRIC_PROVIDER, /* name of the libfabric provider: "efa", "tcp", "shm",
	                              "verbs", …; unset: libfabric's first that can */
};

/* What messages travel by. Both sides of a session have to have the same. */
enum srdma_transport {
	SRDMA_TRANSPORT_VERBS = 1,  /* RC queue pairs by libibverbs */
	SRDMA_TRANSPORT_FABRIC = 2, /* reliable datagrams by libfabric: AWS's EFA, … */
};

/* How a queue pair is connected; a mask. Verbs only. */
enum srdma_connect {
	SRDMA_CONNECT_DIRECT =
	        1, /* ibv_modify_qp; nothing about the QP crosses the wire in clear */
	SRDMA_CONNECT_CM = 2, /* librdmacm resolves and carries the connection */
};

/* How messages on the queue pair are protected; a mask. */
enum srdma_protection {
	SRDMA_PROTECTION_NONE = 1, /* in clear: for fabrics that encrypt or are trusted */
	SRDMA_PROTECTION_AES_256_GCM = 2,       /* sealed */
	SRDMA_PROTECTION_CHACHA20_POLY1305 = 4, /* sealed, for processors without AES */
	SRDMA_PROTECTION_SEALED = 6,            /* either of the two */
};

/* Whether single packets are protected, below the messages. */
enum srdma_packets {
	SRDMA_PACKETS_OFF = 0,
	SRDMA_PACKETS_AUTO = 1,     /* where both devices can, and both sides want it */
	SRDMA_PACKETS_REQUIRED = 2, /* no session without: SRDMA_EVERSION */
};

/* Options with a number. Default, then range. */
enum srdma_number_option {
	/* mask of enum srdma_connect: what a server accepts; a client takes DIRECT where
	   it may. 3; 1–3 */
	SRDMA_OPT_CONNECT = 1,
	/* mask of enum srdma_protection: what a server accepts, what a client offers;
	   the server takes a seal where both have one. SRDMA_PROTECTION_SEALED; 1–7 */
	SRDMA_OPT_PROTECTION,
	/* bytes: largest message that this side receives; the peer has its own. 16384;
	   1024–1048576 */
	SRDMA_OPT_MESSAGE_SIZE,
	/* messages that the peer may have in flight to this side before credit returns.
	   16; 2–1024 */
	SRDMA_OPT_CREDITS,
	/* operations (messages, reads, writes) in flight from this side, a session. 28;
	   4–4096 */
	SRDMA_OPT_SEND_DEPTH,
	/* reads in flight, a session, each way (bounded by the device); where messages
	   are sealed: requests to be answered, each with a receive buffer. 16; 1–128 */
	SRDMA_OPT_READ_DEPTH,
	/* receive buffers that a worker's sessions share, at most; it starts with few and
	   grows with the sessions. 4096; 16–1048576 */
	SRDMA_OPT_RECEIVE_BUFFERS,
	/* sessions of a worker: its own, and those of peers that proved who they are.
	   1024; 1–1000000 */
	SRDMA_OPT_MAX_SESSIONS,
	/* grants that a peer may have given us, and we it, a session. 64; 1–65535 */
	SRDMA_OPT_MAX_GRANTS,
	/* ms: for each step from TCP connect to established. 10000; 1–600000 */
	SRDMA_OPT_STEP_TIMEOUT,
	/* ms: for a close to drain before it is cut. 10000; 1–600000 */
	SRDMA_OPT_CLOSE_TIMEOUT,
	/* ms: between liveness probes over TLS when the peer is silent there; the session
	   fails with SRDMA_ETIMEOUT after three unanswered. 0: none. 15000; 0–3600000 */
	SRDMA_OPT_KEEPALIVE,
	/* local ACK timeout of the QP as verbs counts it: 4.096 µs × 2^n. 17 (0.5 s);
	   8–24 */
	SRDMA_OPT_ACK_TIMEOUT,
	/* transport retries before the QP fails. 7; 0–7 */
	SRDMA_OPT_RETRY_COUNT,
	/* µs: poll the completion queues this long before sleeping in srdma_worker_run().
	   0; 0–1000000 */
	SRDMA_OPT_SPIN,
	/* physical port of the device. 1; 1–255 */
	SRDMA_OPT_IB_PORT,
	/* A key that seals our messages is replaced after so many messages, bytes (of
	   messages), or ms. 2^22; 1–2^28 */
	SRDMA_OPT_REKEY_MESSAGES,
	/* 2^34; 1–2^37 */
	SRDMA_OPT_REKEY_BYTES,
	/* 3600000; 1–86400000 */
	SRDMA_OPT_REKEY_TIME,
	/* enum srdma_transport. SRDMA_TRANSPORT_FABRIC is refused with SRDMA_ENODEVICE by
	   srdma_worker_new() where libfabric, or the provider, is not there.
	   SRDMA_TRANSPORT_VERBS; 1–2 */
	SRDMA_OPT_TRANSPORT,
	/* connections of a worker whose peers have not proved who they are: the TLS
	   handshake is not through. They do not count as sessions. When one more comes,
	   an older one ends with SRDMA_ECROWDED. 4096; 1–1000000 */
	SRDMA_OPT_MAX_HANDSHAKES,
	/* enum srdma_packets: whether the device encrypts and authenticates each packet,
	   one-sided operations and acknowledgements included. Devices of mockrdma can,
	   between hosts; no adapter does. SRDMA_PACKETS_OFF; 0–2 */
	SRDMA_OPT_PACKET_PROTECTION,
};

/* A new context with default options and nothing loaded. Free with srdma_context_free().
 */
SRDMA_API int srdma_context_new(struct srdma_context **out);

/*
 * Options are taken over by workers, listeners and sessions when these are created.
 * `value` is copied; NULL unsets. SRDMA_EINVAL names the option and its range.
 */
SRDMA_API int srdma_context_set_text(struct srdma_context *context,
                                     enum srdma_text_option option, const char *value);
SRDMA_API int srdma_context_set_number(struct srdma_context *context,
                                       enum srdma_number_option option, uint64_t value);
SRDMA_API int srdma_context_get_number(const struct srdma_context *context,
                                       enum srdma_number_option option, uint64_t *value);

/*
 * Read certificate, key, CA, CRL and OCSP response. Required once before workers are
 * created; may be called again at any time to take over changed files: sessions that
 * start later use them (for those that are there see srdma_worker_recheck()), and on
 * failure (SRDMA_ECONFIG, the sentence names the file) nothing changes. Reads files, so
 * may block.
 */
SRDMA_API int srdma_context_load(struct srdma_context *context);

/* Drop the caller's reference: workers, listeners and sessions keep the context while
 * they live. */
SRDMA_API void srdma_context_free(struct srdma_context *context);

/*
 * Identity: who the peer's verified certificate says it is
 */

enum srdma_name {
	SRDMA_NAME_CN,    /* common names of the subject, most specific first */
	SRDMA_NAME_DNS,   /* subject alternative names: DNS */
	SRDMA_NAME_URI,   /* … URI, for example spiffe://… */
	SRDMA_NAME_EMAIL, /* … e-mail */
	SRDMA_NAME_IP,    /* … address, as text */
};

/*
 * The n-th name of a kind, from 0; NULL after the last. Names with control characters or
 * embedded zeros are left out. Lives as long as the session.
 */
SRDMA_API const char *srdma_identity_name(const struct srdma_identity *identity,
                                          enum srdma_name kind, unsigned n);

/* One line for people and logs: the first URI, DNS or CN that there is. Printable ASCII.
 */
SRDMA_API const char *srdma_identity_text(const struct srdma_identity *identity);

/* SHA-256 of the certificate (DER) as 64 hexadecimal digits. */
SRDMA_API const char *srdma_identity_fingerprint(const struct srdma_identity *identity);

/* The end of the certificate's validity, seconds since the epoch. */
SRDMA_API int64_t srdma_identity_not_after(const struct srdma_identity *identity);

/*
 * Worker
 */

/*
 * A worker for one thread. Fails with SRDMA_ENODEVICE where the machine has no RDMA
 * device (the sentence names `mockrdma run`), or not the one asked for; SRDMA_ESTATE
 * before srdma_context_load() succeeded.
 */
SRDMA_API int srdma_worker_new(struct srdma_context *context, struct srdma_worker **out);

/*
 * A descriptor that polls readable (POLLIN, level) when srdma_worker_run() has something
 * to do: sockets, completions, timers, calls of other threads. For libevent or any other
 * loop. Only poll it; it stays the worker's.
 */
SRDMA_API int srdma_worker_fd(const struct srdma_worker *worker);

/*
 * Do what there is to do, calling callbacks; if there is nothing, wait for it up to
 * `timeout_ms` (0: do not wait, -1: no limit). Returns the number of events handled, 0
 * after a timeout or an interruption by a signal, or an error of the worker itself:
 * errors of a session go to the session.
 */
SRDMA_API int srdma_worker_run(struct srdma_worker *worker, int timeout_ms);

/* Any thread: make srdma_worker_run() return soon. Async-signal-safe. */
SRDMA_API void srdma_worker_wake(struct srdma_worker *worker);

/*
 * Any thread: have fn(worker, arg) called in the worker's thread, once, inside
 * srdma_worker_run(), in the order of the calls. Calls still waiting when the worker is
 * freed are made then. SRDMA_ENOMEM.
 */
SRDMA_API int srdma_worker_call(struct srdma_worker *worker,
                                void (*fn)(struct srdma_worker *worker, void *arg),
                                void *arg);

/*
 * Any thread, after srdma_context_load(): verify the peers of all sessions anew, by the
 * authorities and lists that are loaded now, in the worker's thread. Those that would not
 * be accepted any more end with SRDMA_ECERT, and their peers are told. SRDMA_ENOMEM.
 */
SRDMA_API int srdma_worker_recheck(struct srdma_worker *worker);

/* Number of sessions, those closing included. */
SRDMA_API unsigned srdma_worker_sessions(const struct srdma_worker *worker);

/* The sessions, for iteration: first (after == NULL) and next; NULL at the end. */
SRDMA_API struct srdma_session *srdma_worker_next(const struct srdma_worker *worker,
                                                  const struct srdma_session *after);

struct srdma_worker_stats {
	uint64_t sessions_started;     /* sockets adopted, connects begun */
	uint64_t sessions_established; /* proof passed on both sides */
	uint64_t sessions_failed;      /* ended with other than SRDMA_ECLOSED */
	uint64_t messages_sent;
	uint64_t messages_received;
	uint64_t bytes_sent; /* in messages */
	uint64_t bytes_received;
	uint64_t bytes_written; /* one-sided, by us */
	uint64_t bytes_read;
	uint64_t receive_buffers; /* shared ones, of all its devices, now */
	uint64_t shared_receive; /* devices on which the sessions share a receive queue */
	uint64_t devices;        /* devices in use */
	uint64_t handshakes;     /* what SRDMA_OPT_MAX_HANDSHAKES limits, now */
	uint64_t crowded_out;    /* of these, ended with SRDMA_ECROWDED so far */
};

/*
 * `size` is sizeof(struct srdma_worker_stats) as the caller knows it: the structure may
 * grow at its end, and only what fits is written.
 */
SRDMA_API void srdma_worker_stats(const struct srdma_worker *worker,
                                  struct srdma_worker_stats *stats, size_t size);

/* What the library has open in this process, of the device and of its own. */
struct srdma_objects {
	uint64_t contexts;
	uint64_t protection_domains;
	uint64_t memory_regions;
	uint64_t queue_pairs;
	uint64_t completion_queues;
	uint64_t shared_receive_queues;
	uint64_t cm_ids;
	uint64_t sessions;
	uint64_t memory_windows;
};

/* Any thread, at any time, also after the last worker was freed. `size` as above. */
SRDMA_API void srdma_objects(struct srdma_objects *objects, size_t size);

/*
 * Free the worker. Sessions that are left are cut (as by srdma_session_abort()): their
 * on_closed is called, and all of them are freed. Not from a callback.
 */
SRDMA_API void srdma_worker_free(struct srdma_worker *worker);

/*
 * Sessions
 */

enum srdma_op_kind {
	SRDMA_OP_SEND = 1,
	SRDMA_OP_WRITE,
	SRDMA_OP_READ,
};

struct srdma_completion {
	enum srdma_op_kind kind;
	int status;   /* 0: done (sent: in the peer's memory, in order); else the code */
	void *op;     /* as given with the operation */
	size_t bytes; /* as given with the operation */
};

/*
 * Callbacks of a session, in its worker's thread; each may be NULL. `user` is the
 * session's user pointer. Set `size` to sizeof(struct srdma_handlers). The structure is
 * not copied: keep it for as long as sessions use it.
 */
struct srdma_handlers {
	size_t size;
	/*
	 * TLS is up and the peer's certificate verified; nothing of the device is spent
	 * yet. Return 0 to go on, or a negative code to refuse: the peer is told that its
	 * identity is not allowed. The place for policy and for the session's own state
	 * (srdma_session_set_user()).
	 */
	int (*on_authenticated)(struct srdma_session *session, void *user);
	/* The proof passed in both directions: operations may start. */
	void (*on_established)(struct srdma_session *session, void *user);
	/*
	 * A message arrived, in order. It is valid until the callback returns, unless
	 * kept with srdma_message_keep(). NULL callback: messages queue for srdma_recv().
	 */
	void (*on_message)(struct srdma_session *session, struct srdma_message *message,
	                   void *user);
	/* An operation that was given a non-NULL `op` ended. Each ends exactly once. */
	void (*on_complete)(struct srdma_session *session,
	                    const struct srdma_completion *completion, void *user);
	/* After an operation returned SRDMA_EBLOCKED: trying again may now succeed. */
	void (*on_writable)(struct srdma_session *session, void *user);
	/* The peer granted a region; `remote` is valid until on_revoke returns, or the
	 * close. */
	void (*on_grant)(struct srdma_session *session, struct srdma_remote *remote,
	                 void *user);
	/*
	 * The peer takes a region back: operations on it that are under way end first
	 * (their completions came before this), new ones fail.
	 */
	void (*on_revoke)(struct srdma_session *session, struct srdma_remote *remote,
	                  void *user);
	/*
	 * A grant of ours that was revoked is out of force: the memory is the caller's
	 * alone. Not called for grants that end with the session.
	 */
	void (*on_released)(struct srdma_session *session, uint64_t tag, void *user);
	/* The peer began to close: nothing new can be started, what is under way still
	 * ends. */
	void (*on_closing)(struct srdma_session *session, void *user);
	/*
	 * The last callback of every session, however far it came: SRDMA_ECLOSED after a
	 * close in order, else what went wrong, and a sentence about it (valid in the
	 * callback, and from srdma_session_reason()). The device no longer touches any
	 * memory of the session. The session stays, without function, until
	 * srdma_session_free(), which may be called here.
	 */
	void (*on_closed)(struct srdma_session *session, int code, const char *reason,
	                  void *user);
};

/*
 * Any thread: hand a connected TCP socket to a worker, which becomes the server side of a
 * session on it. On success the socket is the worker's; on failure it stays the caller's.
 * The session shows itself first in on_authenticated, or in on_closed when it does not
 * come so far. Over the worker's SRDMA_OPT_MAX_SESSIONS it is told so and closed, once it
 * has proved who it is; until then it counts in SRDMA_OPT_MAX_HANDSHAKES.
 */
SRDMA_API int srdma_worker_adopt(struct srdma_worker *worker, int socket,
                                 const struct srdma_handlers *handlers, void *user);

/*
 * Start a session as a client. `host` is a name or an address (IPv6 without brackets),
 * `port` a number or a service name. Resolving a name may block; nothing else does.
 * Success means begun: on_established or on_closed tells the rest. The session is the
 * caller's to free.
 */
SRDMA_API int srdma_connect(struct srdma_worker *worker, const char *host,
                            const char *port, const struct srdma_handlers *handlers,
                            void *user, struct srdma_session **out);

/*
 * Close in order: what was posted is delivered, on both sides, then on_closed comes with
 * SRDMA_ECLOSED on both. New operations fail from now on. No effect on a session that is
 * closing.
 */
SRDMA_API void srdma_session_close(struct srdma_session *session);

/*
 * Cut: operations under way end with SRDMA_ECLOSED, the peer is told `reason` if that can
 * be done without waiting. on_closed comes with SRDMA_ECLOSED from the next
 * srdma_worker_run().
 */
SRDMA_API void srdma_session_abort(struct srdma_session *session, const char *reason);

/*
 * Cut because the caller no longer wants this peer: `code` is SRDMA_EREFUSED (not
 * allowed), SRDMA_ECERT (its certificate counts no more) or SRDMA_ELIMIT (over a limit of
 * ours), and on_closed comes with it; the peer is told the same, with `reason`. In
 * on_authenticated it says why that refuses.
 */
SRDMA_API int srdma_session_reject(struct srdma_session *session, int code,
                                   const char *reason);

/*
 * Free a session. One that is not closed is cut, without further callbacks. Buffers,
 * grants, remotes and kept messages of the session end here too. Allowed in its own
 * callbacks.
 */
SRDMA_API void srdma_session_free(struct srdma_session *session);

enum srdma_state {
	SRDMA_STATE_CONNECTING,     /* TCP */
	SRDMA_STATE_AUTHENTICATING, /* TLS */
	SRDMA_STATE_NEGOTIATING,    /* control frames, queue pair */
	SRDMA_STATE_PROVING,        /* proof over the queue pair */
	SRDMA_STATE_ESTABLISHED,
	SRDMA_STATE_CLOSING,
	SRDMA_STATE_CLOSED,
};

SRDMA_API enum srdma_state srdma_session_state(const struct srdma_session *session);

/* A number for logs, unique in the process; from 1. */
SRDMA_API uint64_t srdma_session_id(const struct srdma_session *session);

SRDMA_API void srdma_session_set_user(struct srdma_session *session, void *user);
SRDMA_API void *srdma_session_user(const struct srdma_session *session);
SRDMA_API struct srdma_worker *srdma_session_worker(const struct srdma_session *session);

/* "192.0.2.1:40000" or "[2001:db8::1]:40000": the TCP peer. Never NULL. */
SRDMA_API const char *srdma_session_address(const struct srdma_session *session);

/* The peer's verified identity; NULL before SRDMA_STATE_NEGOTIATING. Lives with the
 * session. */
SRDMA_API const struct srdma_identity *
srdma_session_peer(const struct srdma_session *session);

/* Why a closed session ended; 0 and "" while it has not. */
SRDMA_API int srdma_session_reason(const struct srdma_session *session,
                                   const char **reason);

/* Bytes: the largest message that the peer takes. 0 before SRDMA_STATE_PROVING. */
SRDMA_API size_t srdma_session_max_message(const struct srdma_session *session);

/* What has been checked of a session; a mask. Each is set only by the code that checked
 * it. */
enum srdma_attested {
	/* TLS 1.3 with both certificates verified (and the name, on a client). */
	SRDMA_ATTESTED_TLS = 1,
	/* The QP's sq_psn and rq_psn, read back from the device, are the ones exchanged.
	 */
	SRDMA_ATTESTED_PSN_IN_FORCE = 2,
	/* The peer's proof arrived over the QP: a MAC, keyed from TLS, of both endpoints
	   with PSNs. */
	SRDMA_ATTESTED_PROOF_RECEIVED = 4,
	/* The peer confirmed over TLS that ours arrived and is right. */
	SRDMA_ATTESTED_PROOF_ACCEPTED = 8,
	/* All of the above: "PSN exchange completed". */
	SRDMA_ATTESTED_ALL = 15,
	/* All that there is over libfabric, whose endpoints have no PSNs. */
	SRDMA_ATTESTED_FABRIC = 13,
};

struct srdma_attestation {
	unsigned checked;   /* mask of enum srdma_attested */
	char psn_local[12]; /* short hash of our starting PSN, text; never the PSN. Salted
	                       with a */
	char psn_peer[12];  /* secret of the session: equal to the peer's psn_peer and
	                       psn_local */
	char tls[48];       /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
	char protection[24];        /* "aes-256-gcm", "chacha20-poly1305", "none" */
	enum srdma_connect connect; /* how the QP was connected */
	char device[64];            /* "mock0" */
	char gid[48];               /* our GID, as text */
	char qp_state[12];          /* "RTS": what the device says at this moment */
	bool shared_receive; /* the session receives from the worker's shared queue */
	enum srdma_transport transport;
	bool packets_protected; /* each packet between hosts is */
};

/* `size` as in srdma_worker_stats(). SRDMA_ESTATE before SRDMA_STATE_PROVING. */
SRDMA_API int srdma_session_attestation(const struct srdma_session *session,
                                        struct srdma_attestation *attestation,
                                        size_t size);

struct srdma_session_stats {
	uint64_t messages_sent;
	uint64_t messages_received;
	uint64_t bytes_sent; /* in messages */
	uint64_t bytes_received;
	uint64_t writes; /* one-sided operations by us, completed */
	uint64_t reads;
	uint64_t bytes_written;
	uint64_t bytes_read;
	uint64_t blocked;        /* operations that returned SRDMA_EBLOCKED */
	uint64_t established_us; /* from connect or adopt to established, µs; 0 before */
	uint64_t age_us;         /* since connect or adopt */
};

/* `size` as in srdma_worker_stats(). */
SRDMA_API void srdma_session_stats(const struct srdma_session *session,
                                   struct srdma_session_stats *stats, size_t size);

/*
 * Messages. Whole, in order, each at most srdma_session_max_message() bytes; may be
 * empty.
 */

/*
 * Send a copy of `length` bytes: `data` is free when the call returns. SRDMA_EBLOCKED: no
 * credit or slot now, nothing was taken, on_writable will come. With `op` non-NULL
 * on_complete tells the end.
 */
SRDMA_API int srdma_send(struct srdma_session *session, const void *data, size_t length,
                         void *op);

/*
 * Send from a registered buffer without a copy: the range must stay unchanged until
 * on_complete (or on_closed).
 */
SRDMA_API int srdma_send_buffer(struct srdma_session *session,
                                struct srdma_buffer *buffer, size_t offset, size_t length,
                                void *op);

/* Messages that could be sent now without SRDMA_EBLOCKED, at least. */
SRDMA_API unsigned srdma_session_writable(const struct srdma_session *session);

SRDMA_API const void *srdma_message_data(const struct srdma_message *message);
SRDMA_API size_t srdma_message_length(const struct srdma_message *message);

/*
 * Keep a message beyond its callback: its buffer, and the peer's credit for it, stay
 * taken until srdma_message_release(), in the worker's thread, which must come before
 * srdma_session_free().
 */
SRDMA_API void srdma_message_keep(struct srdma_message *message);
SRDMA_API void srdma_message_release(struct srdma_message *message);

/*
 * The next message that waits (sessions without on_message), as if kept: release it.
 * SRDMA_EBLOCKED: none yet; SRDMA_ECLOSED or another code: none will come.
 */
SRDMA_API int srdma_recv(struct srdma_session *session, struct srdma_message **out);

/*
 * Buffers: the caller's memory, registered with one session
 */

/*
 * Register `length` bytes at `address` with a session (in SRDMA_STATE_PROVING or later)
 * for srdma_send_buffer(), srdma_write(), srdma_read() and srdma_grant(). The memory
 * stays the caller's and must outlive the buffer. No remote access: that takes a grant.
 */
SRDMA_API int srdma_buffer_register(struct srdma_session *session, void *address,
                                    size_t length, struct srdma_buffer **out);

/* Bytes given at registration, and where. */
SRDMA_API void *srdma_buffer_address(const struct srdma_buffer *buffer);
SRDMA_API size_t srdma_buffer_length(const struct srdma_buffer *buffer);

/*
 * Deregister. SRDMA_EBLOCKED, and nothing happens, while operations on it are under way
 * or a grant of it is in force. Buffers left over end with srdma_session_free().
 */
SRDMA_API int srdma_buffer_unregister(struct srdma_buffer *buffer);

/*
 * Grants and one-sided operations
 */

enum srdma_rights {
	SRDMA_RIGHT_READ = 1,
	SRDMA_RIGHT_WRITE = 2,
};

/*
 * Let the peer access `length` bytes of a buffer from `offset`, with a mask of enum
 * srdma_rights, until revoked or closed. `tag` is for the application: the peer sees it
 * (srdma_remote_tag()) and knows by it which region this is. Bound to this session: no
 * other peer's access can succeed.
 */
SRDMA_API int srdma_grant(struct srdma_session *session, struct srdma_buffer *buffer,
                          size_t offset, size_t length, unsigned rights, uint64_t tag,
                          struct srdma_grant **out);

/*
 * Take a grant back; the grant is gone for the caller when this returns. The peer ends
 * what is under way on the range, and on_released(tag) tells when it is out of force (at
 * the latest after SRDMA_OPT_CLOSE_TIMEOUT, by force: access after that breaks the peer's
 * session).
 */
SRDMA_API int srdma_grant_revoke(struct srdma_grant *grant);

/* Take it out of force before returning: access under way breaks the session. No
 * on_released. */
SRDMA_API int srdma_grant_revoke_now(struct srdma_grant *grant);

SRDMA_API uint64_t srdma_remote_tag(const struct srdma_remote *remote);
SRDMA_API size_t srdma_remote_length(const struct srdma_remote *remote);
SRDMA_API unsigned srdma_remote_rights(const struct srdma_remote *remote);

/* A region in force that the peer granted with `tag` (the newest); NULL: none. */
SRDMA_API struct srdma_remote *srdma_remote_find(const struct srdma_session *session,
                                                 uint64_t tag);

/*
 * One-sided: move `length` bytes (1 to SRDMA_MAX_TRANSFER) between a registered buffer
 * and a region of the peer, without its program taking part. The buffer's range is the
 * library's until on_complete. What a write brought is in place before a message that is
 * sent after it, on the same session, is delivered. Checked here against the grant
 * (SRDMA_ERIGHTS), and by the peer. SRDMA_EBLOCKED: no slot now, on_writable will come.
 *
 * In clear the device does it alone. Where messages are sealed it goes in such, through
 * the peer's library: its worker has to run, the peer's credits are taken, and
 * srdma_send() is told SRDMA_EBLOCKED until a write that was started before has left.
 */
#define SRDMA_MAX_TRANSFER (1u << 30)

SRDMA_API int srdma_write(struct srdma_session *session, struct srdma_buffer *buffer,
                          size_t offset, struct srdma_remote *remote,
                          size_t remote_offset, size_t length, void *op);
SRDMA_API int srdma_read(struct srdma_session *session, struct srdma_buffer *buffer,
                         size_t offset, struct srdma_remote *remote, size_t remote_offset,
                         size_t length, void *op);

/*
 * Listener: a TCP port. Threads: one at a time.
 */

/*
 * Listen on `address` (a numeric address; NULL, "" or "*": all, IPv6 and IPv4) and `port`
 * ("0": any). The descriptor polls readable when srdma_listener_accept() has something.
 */
SRDMA_API int srdma_listener_new(struct srdma_context *context, const char *address,
                                 const char *port, struct srdma_listener **out);
SRDMA_API int srdma_listener_fd(const struct srdma_listener *listener);
SRDMA_API uint16_t srdma_listener_port(const struct srdma_listener *listener);

/*
 * The next connection, for srdma_worker_adopt() (or close()). SRDMA_EBLOCKED: none now.
 * SRDMA_ELIMIT: out of descriptors; wait before the next try.
 */
SRDMA_API int srdma_listener_accept(struct srdma_listener *listener, int *socket);
SRDMA_API void srdma_listener_free(struct srdma_listener *listener);

/*
 * Blocking conveniences, for programs with one session at a time: each runs the session's
 * worker (callbacks included) until it is done. `timeout_ms`: -1 for none; SRDMA_ETIMEOUT
 * leaves the session as it was unless said otherwise. When the session ends while they
 * wait, they return why.
 */

/*
 * A worker of its own, a connection, and everything up to established. On failure nothing
 * is left. srdma_session_free(), which is for outside of callbacks here, frees the worker
 * too. `handlers` may be NULL.
 */
SRDMA_API int srdma_dial(struct srdma_context *context, const char *host,
                         const char *port, const struct srdma_handlers *handlers,
                         void *user, int timeout_ms, struct srdma_session **out);

/* Returns when the message is in the peer's memory. */
SRDMA_API int srdma_send_wait(struct srdma_session *session, const void *data,
                              size_t length, int timeout_ms);

/* Copies a message of at most `size` bytes (SRDMA_EINVAL, and it stays, if it is larger).
 */
SRDMA_API int srdma_recv_wait(struct srdma_session *session, void *data, size_t size,
                              int timeout_ms, size_t *length);

/* A timeout cuts the session: the range is the caller's again when these return. */
SRDMA_API int srdma_write_wait(struct srdma_session *session, struct srdma_buffer *buffer,
                               size_t offset, struct srdma_remote *remote,
                               size_t remote_offset, size_t length, int timeout_ms);
SRDMA_API int srdma_read_wait(struct srdma_session *session, struct srdma_buffer *buffer,
                              size_t offset, struct srdma_remote *remote,
                              size_t remote_offset, size_t length, int timeout_ms);

/* Until the peer has granted a region with this tag. */
SRDMA_API int srdma_remote_wait(struct srdma_session *session, uint64_t tag,
                                int timeout_ms, struct srdma_remote **out);

/* Close in order and wait for its end: 0 if it ended in order. The session is still to be
 * freed. */
SRDMA_API int srdma_close_wait(struct srdma_session *session, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
