/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/control.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "session/error.h"

void control_init(struct control *control, struct tls *tls)
{
	*control = (struct control){ .tls = tls };
}

/* Frames carry PSNs and memory keys. */
static void drop_in(struct control *control)
{
	if (control->in)
		OPENSSL_cleanse(control->in, FRAME_MAX);
	free(control->in);
	control->in = NULL;
	control->in_used = 0;
	control->in_taken = 0;
}

static void drop_out(struct control *control)
{
	if (control->out)
		OPENSSL_cleanse(control->out, control->out_size);
	free(control->out);
	control->out = NULL;
	control->out_used = 0;
	control->out_sent = 0;
	control->out_size = 0;
}

void control_clear(struct control *control)
{
	drop_in(control);
	drop_out(control);
	tls_free(control->tls);
	control->tls = NULL;
}

static void consume(struct control *control)
{
	if (!control->in_taken)
		return;
	control->in_used -= control->in_taken;
	memmove(control->in, control->in + control->in_taken, control->in_used);
	OPENSSL_cleanse(control->in + control->in_used, control->in_taken);
	control->in_taken = 0;
}

static int fill(struct control *control)
{
	size_t length;
	int error;

	if (!control->in)
		control->in = malloc(FRAME_MAX);
	if (!control->in)
		return fail(SRDMA_ENOMEM, "out of memory for a control frame");
	error = tls_read(control->tls, control->in + control->in_used,
	                 FRAME_MAX - control->in_used, &length);
	if (!error)
		control->in_used += length;
	else if (!control->in_used)
		drop_in(control);
	return error;
}

int control_next(struct control *control, struct frame *out, const uint8_t **raw,
                 size_t *length)
{
	int error;

	consume(control);
	for (;;) {
		error = control->in_used ? frame_parse(control->in, control->in_used, out,
		                                       &control->in_taken)
		                         : SRDMA_EBLOCKED;
		if (error != SRDMA_EBLOCKED)
			break;
		error = fill(control);
		if (error)
			return error;
	}
	if (!error) {
		*raw = control->in;
		*length = control->in_taken;
	}
	return error;
}

/* Room for one more frame; a grown buffer leaves no copy of its content behind. */
static int reserve(struct control *control, size_t length)
{
	size_t size = control->out_size ? control->out_size : 256;
	uint8_t *grown;

	while (size - control->out_used < length)
		size *= 2;
	if (size > CONTROL_QUEUE_MAX)
		return fail(SRDMA_EPROTOCOL,
		            "the peer does not read its control channel");
	if (size == control->out_size)
		return 0;
	grown = malloc(size);
	if (!grown)
		return fail(SRDMA_ENOMEM, "out of memory for control frames");
	if (control->out) {
		memcpy(grown, control->out, control->out_used);
		OPENSSL_cleanse(control->out, control->out_size);
		free(control->out);
	}
	control->out = grown;
	control->out_size = size;
	return 0;
}

int control_send(struct control *control, const struct frame *frame, uint8_t *raw,
                 size_t *length)
{
	uint8_t bytes[FRAME_MAX];
	size_t size = frame_encode(frame, bytes);
	int error = reserve(control, size);

	if (!error) {
		memcpy(control->out + control->out_used, bytes, size);
		control->out_used += size;
		if (raw) {
			memcpy(raw, bytes, size);
			*length = size;
		}
		error = control_flush(control);
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return error == SRDMA_EBLOCKED ? 0 : error;
}

int control_flush(struct control *control)
{
	size_t written;
	int error;

	while (control->out_sent < control->out_used) {
		error = tls_write(control->tls, control->out + control->out_sent,
		                  control->out_used - control->out_sent, &written);
		if (error)
			return error;
		control->out_sent += written;
	}
	drop_out(control);
	return 0;
}

bool control_wants_write(const struct control *control)
{
	return control->out_used > control->out_sent;
}
