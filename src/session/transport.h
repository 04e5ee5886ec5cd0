/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a session's messages and one-sided operations travel by. A worker uses one
 * transport, chosen by SRDMA_OPT_TRANSPORT; a session has an endpoint of it. Above this
 * line nothing knows verbs or libfabric.
 *
 *   verbs.c   RC queue pairs: verbs_endpoint.c, adapter*.c, cm.c, device.c, probe.c
 *   fabric.c  libfabric's reliable datagrams: fabric_*.c
 */
#ifndef SESSION_TRANSPORT_H
#define SESSION_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "session/frame.h"
#include "srdma.h"

struct endpoint;
struct srdma_message;
struct srdma_worker;

/* Memory that the device may use. */
struct region {
	void *handle; /* the transport's; NULL: not registered */
	union {
		uint32_t lkey;    /* verbs */
		void *descriptor; /* libfabric */
	};
	uint64_t key;     /* by which the peer names it, if it may; and: */
	uint64_t address; /* where it begins, for the peer */
};

/* Memory that the peer reaches by itself. */
struct exposure {
	struct region region; /* with the key and the address for the peer */
	void *window;         /* the transport's; NULL: the key is in force at once */
};

/* What may be done with it, beside sending from it; the peer's part is for expose(). */
enum region_right {
	REGION_LOCAL_WRITE = 1,
	REGION_REMOTE_READ = 2,
	REGION_REMOTE_WRITE = 4,
};

/* A message to send. */
struct outgoing {
	uint64_t sequence;           /* of operations; comes back when it ended */
	const void *data;            /* stays until then, but for: */
	const struct region *region; /* NULL: `data` is free at once, and is short */
	uint32_t length;
	uint32_t word; /* goes with it */
};

/* A one-sided operation. */
struct access {
	uint64_t sequence;
	void *data;
	const struct region *region;
	uint32_t length;
	bool write;
	uint64_t address; /* of the peer's memory, as its grant counts */
	uint64_t key;
};

/* What came with a message. */
struct arrival {
	uint32_t word;
	uint32_t length;
	bool valid; /* it is a message with a word, not something else */
};

/* How an endpoint tells its session. Never out of a call that starts something. */
struct endpoint_events {
	/* The oldest operation ended well: they end in the order of their start. */
	void (*sent)(struct endpoint *endpoint, uint64_t sequence);
	/* A buffer comes back: a message; or, without an arrival, unused. In the order in
	 * which the peer sent. */
	void (*received)(struct endpoint *endpoint, struct srdma_message *message,
	                 const struct arrival *arrival);
	/* It does not work any more, by the sentence of srdma_detail(). Operations under
	 * way end with the session. */
	void (*broke)(struct endpoint *endpoint, int code);
};

/* The part that all transports have. */
struct endpoint {
	const struct transport *transport;
	const struct endpoint_events *events;
	void *owner;         /* of the events: the session */
	const char *peer;    /* the session's name of it, for sentences */
	uint32_t inline_max; /* bytes of an outgoing message without a region */
};

/* What a session wants of its endpoint. */
struct endpoint_plan {
	const struct endpoint_events *events;
	void *owner;
	const char *peer;
	struct sockaddr_storage local; /* of the TLS connection */
	struct sockaddr_storage remote;
	uint64_t connect;  /* SRDMA_CONNECT_… */
	unsigned sends;    /* operations under way */
	unsigned receives; /* buffers that the peer may count on */
	size_t message;    /* bytes of each */
	unsigned reads;
	bool one_sided; /* the peer may be granted access by the device */
};

/* Keys of single packets, for one endpoint: docs/protocol.md. */
struct packet_key {
	uint8_t key[32];
	uint8_t iv[12];
};

struct packet_keys {
	struct packet_key send, receive;
};

struct transport {
	const char *name;
	enum srdma_transport number; /* in HELLO, too */
	enum frame_type description; /* the frame that tells the peer of an endpoint */
	unsigned attests;            /* what makes a session established */

	/* A worker is made: whether this machine has it, as its settings say. */
	int (*check)(struct srdma_worker *worker);
	/* Handle what has ended and come, up to a bound; returns how much. */
	unsigned (*poll)(struct srdma_worker *worker);
	/* The worker is about to sleep: what ends or comes from now on wakes it. */
	int (*arm)(struct srdma_worker *worker);
	/* All sessions are gone. */
	void (*end)(struct srdma_worker *worker);

	/* With its receive buffers in place. On failure nothing is left. */
	int (*open)(struct srdma_worker *worker, const struct endpoint_plan *plan,
	            struct endpoint **out);
	/* What the peer must know; its secrets are the caller's to wipe. */
	void (*describe)(const struct endpoint *endpoint, struct frame *out);
	/* Whether the device can protect each packet of an endpoint by keys; and: before
	 * learn(), let it. NULL where none ever can. */
	bool (*can_protect)(void);
	int (*protect)(struct endpoint *endpoint, const struct packet_keys *keys);
	/* The peer's description came; and: go on to what it describes. */
	int (*learn)(struct endpoint *endpoint, const struct frame *peer);
	int (*connect)(struct endpoint *endpoint, const struct frame *peer);
	/* Before any traffic: that the device has in force what was exchanged. What that
	 * confirms, of enum srdma_attested, joins `attested`. */
	int (*confirm)(struct endpoint *endpoint, unsigned *attested);
	/* Short hashes of both sides' secrets; NULL where there are none. */
	int (*fingerprint)(const struct endpoint *endpoint, bool client,
	                   const uint8_t *salt, size_t salt_length, char *ours,
	                   char *theirs);
	/* Device, address and state in an attestation. */
	void (*attest)(const struct endpoint *endpoint, struct srdma_attestation *out);
	const char *(*device)(const struct endpoint *endpoint);

	/* SRDMA_ESYSTEM. */
	int (*send)(struct endpoint *endpoint, const struct outgoing *outgoing);
	int (*access)(struct endpoint *endpoint, const struct access *access);

	/* An errno value. */
	int (*reg)(struct endpoint *endpoint, void *address, size_t length,
	           unsigned rights, struct region *out);
	void (*dereg)(struct region *region);

	/*
	 * To the peer: an errno value. Where that made a window, its key comes into
	 * force, and goes out of it, by operations that end as others do: SRDMA_ESYSTEM.
	 */
	int (*expose)(struct endpoint *endpoint, void *address, size_t length,
	              unsigned rights, struct exposure *out);
	int (*bind)(struct endpoint *endpoint, const struct exposure *exposure,
	            uint64_t sequence);
	int (*unbind)(struct endpoint *endpoint, const struct exposure *exposure,
	              uint64_t sequence);
	/* While none of those is under way. The key is void when this returns. */
	void (*conceal)(struct endpoint *endpoint, struct exposure *exposure);

	/*
	 * When stop() returns the device touches nothing of the session. Messages that
	 * the session has stay readable until free(), before which all regions are given
	 * back.
	 */
	void (*stop)(struct endpoint *endpoint);
	void (*free)(struct endpoint *endpoint);
};

extern const struct transport transport_verbs;
extern const struct transport transport_fabric;

/* Never NULL for a number of enum srdma_transport. */
const struct transport *transport_find(uint64_t number);

/* "verbs", …; "unknown" for other numbers. */
const char *transport_name(uint64_t number);

#endif
