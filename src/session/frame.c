/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/frame.h"

#include <stdio.h>
#include <string.h>

#include "common/cursor.h"
#include "session/error.h"
#include "session/psn.h"

#define QPN_MASK 0xffffffu

#define EXTENSION_PACKETS 1

static void get_extension(struct reader *r, struct frame_hello *hello)
{
	unsigned type = get_u16(r);
	size_t length = get_u16(r);

	if (type != EXTENSION_PACKETS) {
		get_bytes(r, length);
		return;
	}
	/* Once, and with a use. */
	r->bad |= length != 1 || hello->packets;
	hello->packets = get_u8(r);
	r->bad |= !hello->packets;
}

static void get_hello(struct reader *r, struct frame *f)
{
	struct frame_hello *h = &f->hello;

	h->version_min = get_u8(r);
	h->version_max = get_u8(r);
	h->role = get_u8(r);
	h->transport = get_u8(r);
	h->connect = get_u8(r);
	r->bad |= get_u8(r) != 0;
	h->credits = get_u16(r);
	h->protection = get_u32(r);
	h->message_size = get_u32(r);
	h->max_grants = get_u16(r);
	while (!r->bad && r->left)
		get_extension(r, h);
	r->bad |= h->version_min > h->version_max || !h->credits || !h->message_size;
	r->bad |= h->role != ROLE_CLIENT && h->role != ROLE_SERVER;
}

static void put_hello(struct writer *w, const struct frame *f)
{
	const struct frame_hello *h = &f->hello;

	put_u8(w, h->version_min);
	put_u8(w, h->version_max);
	put_u8(w, h->role);
	put_u8(w, h->transport);
	put_u8(w, h->connect);
	put_u8(w, 0);
	put_u16(w, h->credits);
	put_u32(w, h->protection);
	put_u32(w, h->message_size);
	put_u16(w, h->max_grants);
	if (!h->packets)
		return;
	put_u16(w, EXTENSION_PACKETS);
	put_u16(w, 1);
	put_u8(w, h->packets);
}

static void get_endpoint(struct reader *r, struct frame *f)
{
	struct frame_endpoint *e = &f->endpoint;

	e->mtu = get_u8(r);
	e->link_layer = get_u8(r);
	e->reads_out = get_u8(r);
	e->reads_in = get_u8(r);
	e->qpn = get_u32(r);
	e->psn = get_u32(r);
	e->lid = get_u16(r);
	e->cm_port = get_u16(r);
	get_copy(r, e->gid, sizeof(e->gid));
	get_copy(r, e->token, sizeof(e->token));
	/* QP numbers and PSNs have 24 bits (IBA 9.2.7, 9.2.9); MTU codes are 1..5
	 * (IBA 9.4.3). */
	r->bad |= e->qpn & ~QPN_MASK || e->qpn < 2 || e->psn & ~PSN_MASK || !e->psn;
	r->bad |= e->mtu < 1 || e->mtu > 5;
}

static void put_endpoint(struct writer *w, const struct frame *f)
{
	const struct frame_endpoint *e = &f->endpoint;

	put_u8(w, e->mtu);
	put_u8(w, e->link_layer);
	put_u8(w, e->reads_out);
	put_u8(w, e->reads_in);
	put_u32(w, e->qpn);
	put_u32(w, e->psn);
	put_u16(w, e->lid);
	put_u16(w, e->cm_port);
	put_bytes(w, e->gid, sizeof(e->gid));
	put_bytes(w, e->token, sizeof(e->token));
}

/* Text from the network goes to logs and terminals: whatever is not plain becomes '?'. */
static void copy_plain(char *to, const uint8_t *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	to[length] = '\0';
}

static void get_fabric(struct reader *r, struct frame *f)
{
	struct frame_fabric *p = &f->fabric;
	size_t length = get_u8(r);

	if (!length || length >= sizeof(p->provider) || length > r->left)
		r->bad = true;
	else
		copy_plain(p->provider, get_bytes(r, length), length);
	p->length = get_u16(r);
	r->bad |= !p->length || p->length > sizeof(p->name);
	if (!r->bad)
		get_copy(r, p->name, p->length);
}

static void put_fabric(struct writer *w, const struct frame *f)
{
	const struct frame_fabric *p = &f->fabric;
	size_t length = strnlen(p->provider, sizeof(p->provider) - 1);

	put_u8(w, (uint8_t)length);
	put_bytes(w, p->provider, length);
	put_u16(w, p->length);
	put_bytes(w, p->name, p->length);
}

static void get_error(struct reader *r, struct frame *f)
{
	size_t length;

	f->error.reason = get_u16(r);
	length = get_u16(r);
	if (length > FRAME_ERROR_TEXT || length > r->left)
		r->bad = true;
	else
		copy_plain(f->error.text, get_bytes(r, length), length);
	if (f->error.reason < FRAME_REFUSED || f->error.reason > FRAME_CERTIFICATE)
		f->error.reason = FRAME_FAILED;
}

static void put_error(struct writer *w, const struct frame *f)
{
	size_t length = strnlen(f->error.text, FRAME_ERROR_TEXT);

	put_u16(w, f->error.reason);
	put_u16(w, (uint16_t)length);
	put_bytes(w, f->error.text, length);
}

static void get_grant(struct reader *r, struct frame *f)
{
	struct frame_grant *g = &f->grant;

	g->id = get_u32(r);
	g->rights = get_u8(r);
	r->bad |= get_uint(r, 3) != 0;
	g->tag = get_u64(r);
	g->address = get_u64(r);
	g->length = get_u64(r);
	g->key = get_u64(r);
	r->bad |= !g->rights || g->rights & ~(SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE);
	r->bad |=
	        !g->length || g->address + g->length < g->address || g->length > SIZE_MAX;
}

static void put_grant(struct writer *w, const struct frame *f)
{
	const struct frame_grant *g = &f->grant;

	put_u32(w, g->id);
	put_u8(w, g->rights);
	put_uint(w, 0, 3);
	put_u64(w, g->tag);
	put_u64(w, g->address);
	put_u64(w, g->length);
	put_u64(w, g->key);
}

static void get_id(struct reader *r, struct frame *f)
{
	f->id = get_u32(r);
}

static void put_id(struct writer *w, const struct frame *f)
{
	put_u32(w, f->id);
}

static void get_rekey(struct reader *r, struct frame *f)
{
	f->rekey.number = get_u32(r);
	get_copy(r, f->rekey.fresh, sizeof(f->rekey.fresh));
}

static void put_rekey(struct writer *w, const struct frame *f)
{
	put_u32(w, f->rekey.number);
	put_bytes(w, f->rekey.fresh, sizeof(f->rekey.fresh));
}

static void get_count(struct reader *r, struct frame *f)
{
	f->count = get_u64(r);
}

static void put_count(struct writer *w, const struct frame *f)
{
	put_u64(w, f->count);
}

static void get_nothing(struct reader *r, struct frame *f)
{
	(void)r;
	(void)f;
}

static void put_nothing(struct writer *w, const struct frame *f)
{
	(void)w;
	(void)f;
}

static const struct {
	const char *name;
	void (*get)(struct reader *r, struct frame *f);
	void (*put)(struct writer *w, const struct frame *f);
} types[FRAME_TYPES] = {
	[FRAME_HELLO] = { "HELLO", get_hello, put_hello },
	[FRAME_ENDPOINT] = { "ENDPOINT", get_endpoint, put_endpoint },
	[FRAME_READY] = { "READY", get_nothing, put_nothing },
	[FRAME_PROVEN] = { "PROVEN", get_nothing, put_nothing },
	[FRAME_ERROR] = { "ERROR", get_error, put_error },
	[FRAME_GRANT] = { "GRANT", get_grant, put_grant },
	[FRAME_REVOKE] = { "REVOKE", get_id, put_id },
	[FRAME_REVOKED] = { "REVOKED", get_id, put_id },
	[FRAME_CLOSE] = { "CLOSE", get_count, put_count },
	[FRAME_CLOSE_ACK] = { "CLOSE_ACK", get_count, put_count },
	[FRAME_FIN] = { "FIN", get_nothing, put_nothing },
	[FRAME_PING] = { "PING", get_count, put_count },
	[FRAME_PONG] = { "PONG", get_count, put_count },
	[FRAME_REKEY] = { "REKEY", get_rekey, put_rekey },
	[FRAME_REKEYED] = { "REKEYED", get_id, put_id },
	[FRAME_FABRIC] = { "FABRIC", get_fabric, put_fabric },
};

const char *frame_name(unsigned type)
{
	return type > 0 && type < FRAME_TYPES ? types[type].name : "unknown";
}

/*
 * Version and type are judged as soon as the header is there, so that a peer of another
 * protocol is told so at once instead of being waited for.
 */
int frame_parse(const uint8_t *data, size_t length, struct frame *out, size_t *used)
{
	struct reader header = reader_of(data, length), body;
	struct frame frame = { 0 };
	unsigned version, type, reserved;
	uint32_t size;

	if (length < FRAME_HEADER)
		return SRDMA_EBLOCKED;
	version = get_u8(&header);
	type = get_u8(&header);
	reserved = get_u16(&header);
	size = get_u32(&header);
	if (version != FRAME_VERSION)
		return fail(SRDMA_EPROTOCOL, "control frame of version %u, not %u",
		            version, FRAME_VERSION);
	if (!type || type >= FRAME_TYPES)
		return fail(SRDMA_EPROTOCOL, "control frame of unknown type %u", type);
	if (reserved || size > FRAME_BODY_MAX)
		return fail(SRDMA_EPROTOCOL, "control frame %s with a malformed header",
		            frame_name(type));
	if (size > header.left)
		return SRDMA_EBLOCKED;
	frame.type = type;
	body = reader_of(header.at, size);
	types[type].get(&body, &frame);
	if (body.bad || body.left)
		return fail(SRDMA_EPROTOCOL, "control frame %s with a malformed body",
		            frame_name(type));
	*out = frame;
	*used = FRAME_HEADER + size;
	return 0;
}

size_t frame_encode(const struct frame *frame, uint8_t out[FRAME_MAX])
{
	struct writer header = writer_of(out, FRAME_HEADER);
	struct writer body = writer_of(out + FRAME_HEADER, FRAME_BODY_MAX);

	types[frame->type].put(&body, frame);
	put_u8(&header, FRAME_VERSION);
	put_u8(&header, (uint8_t)frame->type);
	put_u16(&header, 0);
	put_u32(&header, (uint32_t)body.used);
	return FRAME_HEADER + body.used;
}

void frame_describe(const struct frame *frame, char *text, size_t size)
{
	const struct frame_hello *h = &frame->hello;
	const struct frame_endpoint *e = &frame->endpoint;
	const char *name = frame_name(frame->type);

	switch (frame->type) {
	case FRAME_HELLO:
		snprintf(text, size, "%s connect %u protection %u message %u credits %u",
		         name, h->connect, h->protection, h->message_size, h->credits);
		break;
	case FRAME_ENDPOINT:
		snprintf(text, size, "%s mtu code %u reads %u/%u", name, e->mtu,
		         e->reads_out, e->reads_in);
		break;
	case FRAME_ERROR:
		snprintf(text, size, "%s %u: %s", name, frame->error.reason,
		         frame->error.text);
		break;
	case FRAME_GRANT:
		snprintf(text, size, "%s %u: %llu bytes, rights %u", name,
		         frame->grant.id, (unsigned long long)frame->grant.length,
		         frame->grant.rights);
		break;
	case FRAME_FABRIC:
		snprintf(text, size, "%s provider %s", name, frame->fabric.provider);
		break;
	case FRAME_REKEY: snprintf(text, size, "%s %u", name, frame->rekey.number); break;
	case FRAME_REKEYED:
	case FRAME_REVOKE:
	case FRAME_REVOKED: snprintf(text, size, "%s %u", name, frame->id); break;
	case FRAME_CLOSE:
	case FRAME_CLOSE_ACK:
		snprintf(text, size, "%s after %llu messages", name,
		         (unsigned long long)frame->count);
		break;
	default: snprintf(text, size, "%s", name); break;
	}
}
