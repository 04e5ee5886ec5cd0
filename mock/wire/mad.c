/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/mad.h"

#include "wire/cursor.h"

enum {
	BASE_VERSION = 1,
	CLASS_CM = 7,
	CLASS_VERSION = 2,
	METHOD_SEND = 3,
	ATTRIBUTE_FIRST = 0x10,
	IP_CM_SHIFT = 24, /* service ids of the RDMA IP CM are 0x0000000001…… */
};

const char *mad_error_name(enum mad_error error)
{
	static const char *const names[] = {
		[MAD_OK] = "ok",
		[MAD_LENGTH] = "a MAD of other than 256 bytes",
		[MAD_CLASS] = "a MAD of another class or version",
		[MAD_METHOD] = "a MAD of another method than Send",
		[MAD_ATTRIBUTE] = "an unknown attribute",
	};

	return names[error];
}

const char *mad_kind_name(enum mad_kind kind)
{
	static const char *const names[MAD_KINDS] = {
		[MAD_REQ] = "REQ",           [MAD_MRA] = "MRA",
		[MAD_REJ] = "REJ",           [MAD_REP] = "REP",
		[MAD_RTU] = "RTU",           [MAD_DREQ] = "DREQ",
		[MAD_DREP] = "DREP",         [MAD_SIDR_REQ] = "SIDR_REQ",
		[MAD_SIDR_REP] = "SIDR_REP",
	};

	return names[kind];
}

/*
 * A layout is written down once, as a walk over its fields, and serves both ways: a walk
 * that reads sets the fields, one that writes leaves them as they are. Each walk covers
 * as many bits as there are, which is why none can go beyond them.
 */
struct walk {
	uint8_t *data;
	unsigned int at, bits; /* the next bit, and how many there are */
	bool writes;
};

static uint64_t walk_bits(struct walk *w, uint64_t value, unsigned int bits)
{
	uint64_t got = 0;

	if (bits > w->bits - w->at)
		return 0;
	for (unsigned int i = 0; i < bits; i++, w->at++) {
		uint8_t mask = (uint8_t)(0x80 >> w->at % 8);
		uint8_t *byte = &w->data[w->at / 8];

		if (w->writes && value >> (bits - 1 - i) & 1)
			*byte |= mask;
		got = got << 1 | ((*byte & mask) != 0);
	}
	return w->writes ? value : got;
}

#define WALK(w, field, bits) \
	((field) = (__typeof__(field))walk_bits((w), (uint64_t)(field), (bits)))

static void walk_bytes(struct walk *w, uint8_t *bytes, unsigned int count)
{
	uint8_t *at = w->data + w->at / 8;

	if (count > (w->bits - w->at) / 8)
		return;
	if (w->writes)
		memcpy(at, bytes, count);
	else
		memcpy(bytes, at, count);
	w->at += 8 * count;
}

static void skip(struct walk *w, unsigned int bits)
{
	walk_bits(w, 0, bits);
}

static bool has_ip(const struct walk *w, const struct mad_route *route)
{
	const uint8_t *at = w->data + w->at / 8;

	if (w->writes)
		return route->ip_version;
	return route->service_id >> IP_CM_SHIFT == 1 && !at[0] &&
	       (at[1] == 4 << 4 || at[1] == 6 << 4);
}

/* How many bytes of private data it leaves. */
static unsigned int walk_ip(struct walk *w, struct mad_route *route, unsigned int whole)
{
	if (!has_ip(w, route))
		return whole;
	skip(w, 8);
	WALK(w, route->ip_version, 4);
	skip(w, 4);
	WALK(w, route->source_port, 16);
	walk_bytes(w, route->source_ip, sizeof(route->source_ip));
	walk_bytes(w, route->destination_ip, sizeof(route->destination_ip));
	return whole - PRIVATE_IP;
}

static void walk_path(struct walk *w, struct mad_path *path)
{
	WALK(w, path->local_lid, 16);
	WALK(w, path->remote_lid, 16);
	walk_bytes(w, path->local_gid, sizeof(path->local_gid));
	walk_bytes(w, path->remote_gid, sizeof(path->remote_gid));
	WALK(w, path->flow_label, 20);
	skip(w, 6);
	WALK(w, path->rate, 6);
	WALK(w, path->traffic_class, 8);
	WALK(w, path->hop_limit, 8);
	WALK(w, path->sl, 4);
	WALK(w, path->subnet_local, 1);
	skip(w, 3);
	WALK(w, path->ack_timeout, 5);
	skip(w, 3);
}

static void walk_req(struct walk *w, struct mad *mad)
{
	struct mad_req *req = &mad->req;

	WALK(w, mad->local_id, 32);
	skip(w, 8);
	WALK(w, req->ece.vendor_id, 24);
	WALK(w, req->route.service_id, 64);
	walk_bytes(w, req->guid, sizeof(req->guid));
	skip(w, 32);
	WALK(w, req->qkey, 32);
	WALK(w, req->qpn, 24);
	WALK(w, req->responder_resources, 8);
	WALK(w, req->local_eec, 24);
	WALK(w, req->initiator_depth, 8);
	WALK(w, req->remote_eec, 24);
	WALK(w, req->remote_timeout, 5);
	WALK(w, req->transport, 2);
	WALK(w, req->flow_control, 1);
	WALK(w, req->psn, 24);
	WALK(w, req->local_timeout, 5);
	WALK(w, req->retry_count, 3);
	WALK(w, req->pkey, 16);
	WALK(w, req->path_mtu, 4);
	WALK(w, req->rdc_exists, 1);
	WALK(w, req->rnr_retry_count, 3);
	WALK(w, req->max_cm_retries, 4);
	WALK(w, req->srq, 1);
	WALK(w, req->extended_transport, 3);
	walk_path(w, &req->primary);
	walk_path(w, &req->alternate);
	walk_bytes(w, req->private_data, walk_ip(w, &req->route, PRIVATE_REQ_WHOLE));
}

static void walk_ids(struct walk *w, struct mad *mad)
{
	WALK(w, mad->local_id, 32);
	WALK(w, mad->remote_id, 32);
}

static void walk_mra(struct walk *w, struct mad *mad)
{
	walk_ids(w, mad);
	WALK(w, mad->mra.about, 2);
	skip(w, 6);
	WALK(w, mad->mra.service_timeout, 5);
	skip(w, 3);
	walk_bytes(w, mad->mra.private_data, PRIVATE_MRA);
}

static void walk_rej(struct walk *w, struct mad *mad)
{
	struct mad_rej *rej = &mad->rej;

	walk_ids(w, mad);
	WALK(w, rej->about, 2);
	skip(w, 6);
	WALK(w, rej->info_length, 7);
	skip(w, 1);
	WALK(w, rej->reason, 16);
	walk_bytes(w, rej->info, sizeof(rej->info));
	walk_bytes(w, rej->private_data, PRIVATE_REJ);
}

static void walk_vendor(struct walk *w, struct mad_ece *ece, unsigned int shift)
{
	uint32_t byte = ece->vendor_id >> shift & 0xff;

	WALK(w, byte, 8);
	ece->vendor_id &= ~(UINT32_C(0xff) << shift);
	ece->vendor_id |= byte << shift;
}

static void walk_rep(struct walk *w, struct mad *mad)
{
	struct mad_rep *rep = &mad->rep;

	walk_ids(w, mad);
	WALK(w, rep->qkey, 32);
	WALK(w, rep->qpn, 24);
	walk_vendor(w, &rep->ece, 16);
	WALK(w, rep->eec, 24);
	walk_vendor(w, &rep->ece, 8);
	WALK(w, rep->psn, 24);
	walk_vendor(w, &rep->ece, 0);
	WALK(w, rep->responder_resources, 8);
	WALK(w, rep->initiator_depth, 8);
	WALK(w, rep->target_ack_delay, 5);
	WALK(w, rep->failover, 2);
	WALK(w, rep->flow_control, 1);
	WALK(w, rep->rnr_retry_count, 3);
	WALK(w, rep->srq, 1);
	skip(w, 4);
	walk_bytes(w, rep->guid, sizeof(rep->guid));
	walk_bytes(w, rep->private_data, PRIVATE_REP);
}

static void walk_plain(struct walk *w, struct mad *mad)
{
	walk_ids(w, mad);
	walk_bytes(w, mad->rtu.private_data, PRIVATE_RTU);
}

static void walk_dreq(struct walk *w, struct mad *mad)
{
	walk_ids(w, mad);
	WALK(w, mad->dreq.qpn, 24);
	skip(w, 8);
	walk_bytes(w, mad->dreq.private_data, PRIVATE_DREQ);
}

static void walk_sidr_req(struct walk *w, struct mad *mad)
{
	struct mad_sidr_req *req = &mad->sidr_req;

	WALK(w, mad->local_id, 32);
	WALK(w, req->pkey, 16);
	skip(w, 16);
	WALK(w, req->route.service_id, 64);
	walk_bytes(w, req->private_data, walk_ip(w, &req->route, PRIVATE_SIDR_REQ_WHOLE));
}

/* It has one id, that of the request. */
static void walk_sidr_rep(struct walk *w, struct mad *mad)
{
	struct mad_sidr_rep *rep = &mad->sidr_rep;

	WALK(w, mad->remote_id, 32);
	WALK(w, rep->status, 8);
	WALK(w, rep->info_length, 8);
	walk_vendor(w, &rep->ece, 16);
	walk_vendor(w, &rep->ece, 8);
	WALK(w, rep->qpn, 24);
	walk_vendor(w, &rep->ece, 0);
	WALK(w, rep->service_id, 64);
	WALK(w, rep->qkey, 32);
	walk_bytes(w, rep->info, sizeof(rep->info));
	walk_bytes(w, rep->private_data, PRIVATE_SIDR_REP);
}

static void walk_body(struct walk *w, struct mad *mad)
{
	static void (*const walks[MAD_KINDS])(struct walk *, struct mad *) = {
		[MAD_REQ] = walk_req,           [MAD_MRA] = walk_mra,
		[MAD_REJ] = walk_rej,           [MAD_REP] = walk_rep,
		[MAD_RTU] = walk_plain,         [MAD_DREQ] = walk_dreq,
		[MAD_DREP] = walk_plain,        [MAD_SIDR_REQ] = walk_sidr_req,
		[MAD_SIDR_REP] = walk_sidr_rep,
	};

	walks[mad->kind](w, mad);
}

/* The attribute modifier's meaning depends on the attribute. */
static uint32_t *modifier_of(struct mad *mad)
{
	switch (mad->kind) {
	case MAD_REQ: return &mad->req.ece.options;
	case MAD_REP: return &mad->rep.ece.options;
	case MAD_SIDR_REP: return &mad->sidr_rep.ece.options;
	default: return NULL;
	}
}

/* What is reserved in the header is not looked at. */
static enum mad_error read_header(struct reader *r, struct mad *mad, uint32_t *modifier)
{
	uint8_t base = read_u8(r), class = read_u8(r), version = read_u8(r);
	uint8_t method = read_u8(r);
	uint16_t attribute;

	if (base != BASE_VERSION || class != CLASS_CM || version != CLASS_VERSION)
		return MAD_CLASS;
	if (method != METHOD_SEND)
		return MAD_METHOD;
	read_u32(r);
	mad->tid = read_u64(r);
	attribute = read_u16(r);
	read_u16(r);
	*modifier = read_u32(r);
	if (attribute < ATTRIBUTE_FIRST || attribute >= ATTRIBUTE_FIRST + MAD_KINDS)
		return MAD_ATTRIBUTE;
	mad->kind = attribute - ATTRIBUTE_FIRST;
	return MAD_OK;
}

enum mad_error mad_decode(const void *data, size_t length, struct mad *mad)
{
	struct reader r = reader_of(data, length);
	uint8_t body[MAD_SIZE];
	struct walk w = { .data = body };
	enum mad_error error;
	uint32_t modifier;

	memset(mad, 0, sizeof(*mad));
	if (length != MAD_SIZE)
		return MAD_LENGTH;
	error = read_header(&r, mad, &modifier);
	if (error)
		return error;
	w.bits = 8 * (unsigned int)reader_left(&r);
	memcpy(body, r.at, reader_left(&r));
	walk_body(&w, mad);
	if (modifier_of(mad))
		*modifier_of(mad) = modifier;
	return MAD_OK;
}

void mad_encode(const struct mad *mad, uint8_t room[MAD_SIZE])
{
	struct writer writer = writer_of(room, MAD_SIZE);
	struct mad copy = *mad;
	struct walk w = { .writes = true };
	const uint32_t *modifier = modifier_of(&copy);

	memset(room, 0, MAD_SIZE);
	write_number(&writer, BASE_VERSION, 1);
	write_number(&writer, CLASS_CM, 1);
	write_number(&writer, CLASS_VERSION, 1);
	write_number(&writer, METHOD_SEND, 1);
	write_number(&writer, 0, 4);
	write_number(&writer, mad->tid, 8);
	write_number(&writer, ATTRIBUTE_FIRST + mad->kind, 2);
	write_number(&writer, 0, 2);
	write_number(&writer, modifier ? *modifier : 0, 4);
	w.data = writer.at;
	w.bits = 8 * (unsigned int)(writer.end - writer.at);
	walk_body(&w, &copy);
}
