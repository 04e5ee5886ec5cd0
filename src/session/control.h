/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel: frames over TLS, whole ones in, whole ones out, with a bound on
 * what may wait in either direction. Buffers exist only while something is in them.
 */
#ifndef SESSION_CONTROL_H
#define SESSION_CONTROL_H

#include "session/frame.h"
#include "session/tls.h"

/* Frames that the peer does not read pile up here: more than this and it is given up on.
 */
#define CONTROL_QUEUE_MAX (64 * 1024)

struct control {
	struct tls *tls;
	uint8_t *in; /* FRAME_MAX bytes, or NULL */
	size_t in_used;
	size_t in_taken; /* the frame that control_next() gave last */
	uint8_t *out;
	size_t out_used;
	size_t out_sent;
	size_t out_size;
};

/* Owns `tls` from now on. */
void control_init(struct control *control, struct tls *tls);
void control_clear(struct control *control);

/*
 * The next frame of the peer: 0, with its raw bytes (until the next call) for a
 * transcript; SRDMA_EBLOCKED; SRDMA_EVANISHED; SRDMA_EPROTOCOL; other TLS failures.
 */
int control_next(struct control *control, struct frame *out, const uint8_t **raw,
                 size_t *length);

/*
 * Queue a frame and send what can be sent. `raw`, if not NULL, receives it encoded
 * (FRAME_MAX bytes). SRDMA_EPROTOCOL when the peer does not read.
 */
int control_send(struct control *control, const struct frame *frame, uint8_t *raw,
                 size_t *length);

/* Send what waits. 0: all gone; SRDMA_EBLOCKED. */
int control_flush(struct control *control);

/* Whether to poll the socket for writing. */
bool control_wants_write(const struct control *control);

#endif
