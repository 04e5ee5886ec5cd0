/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of the control channel (docs/protocol.md): pure codec, no state, no I/O. All
 * numbers are big-endian.
 *
 *    0               1               2               3
 *   +---------------+---------------+-------------------------------+
 *   |  version = 1  |     type      |        reserved = 0           |
 *   +---------------+---------------+-------------------------------+
 *   |                     length of the body                        |
 *   +---------------------------------------------------------------+
 *   |  body: 0 to 512 bytes …
 */
#ifndef SESSION_FRAME_H
#define SESSION_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION    1
#define FRAME_HEADER     8
#define FRAME_BODY_MAX   512
#define FRAME_MAX        (FRAME_HEADER + FRAME_BODY_MAX)
#define FRAME_ERROR_TEXT 200
#define FRAME_TOKEN      16
#define FRAME_GID        16
#define FRAME_FRESH      32

#define FRAME_FABRIC_PROVIDER 64
#define FRAME_FABRIC_NAME     256

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_ENDPOINT,
	FRAME_READY,
	FRAME_PROVEN,
	FRAME_ERROR,
	FRAME_GRANT,
	FRAME_REVOKE,
	FRAME_REVOKED,
	FRAME_CLOSE,
	FRAME_CLOSE_ACK,
	FRAME_FIN,
	FRAME_PING,
	FRAME_PONG,
	FRAME_REKEY,
	FRAME_REKEYED,
	FRAME_FABRIC,
	FRAME_TYPES,
};

/*
 *   +---------------+---------------+---------------+---------------+
 *   | version: min  | version: max  | role          | transport     |
 *   +---------------+---------------+---------------+---------------+
 *   | connect       | reserved = 0  | credits                       |
 *   +---------------+---------------+-------------------------------+
 *   | protection (a client: mask offered; a server: the one chosen) |
 *   +---------------------------------------------------------------+
 *   | largest message that the sender of this frame receives, bytes |
 *   +-------------------------------+-------------------------------+
 *   | grants accepted at a time     | extensions: type u16, length u16,
 *   +-------------------------------+ bytes; unknown ones are skipped …
 */
struct frame_hello {
	uint8_t version_min;
	uint8_t version_max;
	uint8_t role;
	uint8_t transport;
	uint8_t connect;
	uint16_t credits;
	uint32_t protection;
	uint32_t message_size;
	uint16_t max_grants;
	uint8_t packets; /* extension 1: FRAME_PACKETS_…; 0: there is none */
};

/* How packets are protected; a client: mask offered; a server: the one chosen. */
enum {
	FRAME_PACKETS_AES_256_GCM = 1,
};

enum frame_role {
	ROLE_CLIENT = 1,
	ROLE_SERVER = 2,
};

/*
 *   +---------------+---------------+---------------+---------------+
 *   | path MTU code | link layer    | reads: issues | reads: serves |
 *   +---------------+---------------+---------------+---------------+
 *   | reserved = 0  | QP number                                     |
 *   +---------------+-----------------------------------------------+
 *   | reserved = 0  | starting PSN of the sender of this frame      |
 *   +---------------+---------------+-------------------------------+
 *   | LID                           | CM port (server, cm), else 0  |
 *   +-------------------------------+-------------------------------+
 *   | GID, 16 bytes                                                 |
 *   +---------------------------------------------------------------+
 *   | CM token, 16 bytes (server, cm), else 0                       |
 *   +---------------------------------------------------------------+
 */
struct frame_endpoint {
	uint8_t mtu;
	uint8_t link_layer;
	uint8_t reads_out;
	uint8_t reads_in;
	uint32_t qpn;
	uint32_t psn;
	uint16_t lid;
	uint16_t cm_port;
	uint8_t gid[FRAME_GID];
	uint8_t token[FRAME_TOKEN];
};

/*
 * In place of ENDPOINT, where the transport is libfabric. u8 length of the provider's
 * name, that name; u16 length of the endpoint's address, that address: as the provider
 * has it.
 */
struct frame_fabric {
	char provider[FRAME_FABRIC_PROVIDER];
	uint16_t length;
	uint8_t name[FRAME_FABRIC_NAME];
};

/* Why the sender ends the session. Unknown numbers read as FRAME_FAILED. */
enum frame_reason {
	FRAME_REFUSED = 1,  /* identity not allowed */
	FRAME_BUSY = 2,     /* a limit */
	FRAME_MISMATCH = 3, /* version, mode, protection */
	FRAME_VIOLATION = 4,
	FRAME_NO_DEVICE = 5,
	FRAME_FAILED = 6,
	FRAME_LATE = 7,
	FRAME_ABORTED = 8,
	FRAME_UNPROVEN = 9,
	FRAME_UNSEALED = 10,    /* the seal of a message was broken */
	FRAME_CERTIFICATE = 11, /* accepted once, and no longer */
};

/* u16 reason, u16 length of the text, the text: printable ASCII, for people. */
struct frame_error {
	uint16_t reason;
	char text[FRAME_ERROR_TEXT + 1];
};

/* u32 id, u8 rights, 3 reserved bytes, u64 tag, u64 address, u64 length, u64 key. */
struct frame_grant {
	uint32_t id;
	uint8_t rights;
	uint64_t tag;
	uint64_t address;
	uint64_t length;
	uint64_t key;
};

/* u32 number of the key that they lead to, the fresh bytes. */
struct frame_rekey {
	uint32_t number;
	uint8_t fresh[FRAME_FRESH];
};

struct frame {
	enum frame_type type;
	union {
		struct frame_hello hello;
		struct frame_endpoint endpoint;
		struct frame_error error;
		struct frame_grant grant;
		struct frame_rekey rekey;
		struct frame_fabric fabric;
		uint32_t id;    /* REVOKE, REVOKED; REKEYED: number of the key */
		uint64_t count; /* CLOSE, CLOSE_ACK: messages sent on the QP in all; PING,
		                   PONG */
	};
};

/* "HELLO", …; "unknown" for other numbers. */
const char *frame_name(unsigned type);

/*
 * The first frame of `length` bytes at `data`. 0: `out` is the frame and *used its
 * length; SRDMA_EBLOCKED: more bytes are needed; SRDMA_EPROTOCOL: malformed. Values are
 * in range after this; whether the frame fits the moment is the caller's to check.
 */
int frame_parse(const uint8_t *data, size_t length, struct frame *out, size_t *used);

/* Encode into FRAME_MAX bytes; returns the length. Error text that is too long is cut. */
size_t frame_encode(const struct frame *frame, uint8_t out[FRAME_MAX]);

/* One line about a frame for the debug log, without its secrets. */
void frame_describe(const struct frame *frame, char *text, size_t size);

#endif
