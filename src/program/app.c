/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/app.h"

#include "program/fault.h"
#include "common/cursor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void get_payload(struct reader *r, struct app_message *m)
{
	m->payload.length = r->left;
	m->payload.at = (const char *)get_bytes(r, r->left);
}

static void put_payload(struct writer *w, const struct app_message *m)
{
	put_bytes(w, m->payload.at, m->payload.length);
}

static struct app_bytes get_text(struct reader *r, size_t most)
{
	struct app_bytes text = { .length = get_u16(r) };

	if (text.length > most)
		r->bad = true;
	text.at = (const char *)get_bytes(r, text.length);
	return text;
}

static void put_text(struct writer *w, const struct app_bytes *text, size_t most)
{
	if (text->length > most)
		w->bad = true;
	put_u16(w, (uint16_t)text->length);
	put_bytes(w, text->at, text->length);
}

static void get_nothing(struct reader *r, struct app_message *m)
{
	(void)r;
	(void)m;
}

static void put_nothing(struct writer *w, const struct app_message *m)
{
	(void)w;
	(void)m;
}

static void get_length(struct reader *r, struct app_message *m)
{
	m->length = get_u64(r);
}

static void put_length(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->length);
}

static void get_range(struct reader *r, struct app_message *m)
{
	m->range.offset = get_u64(r);
	m->range.length = get_u64(r);
}

static void put_range(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->range.offset);
	put_u64(w, m->range.length);
}

static void get_digest(struct reader *r, struct app_message *m)
{
	get_copy(r, m->digest, SHA256_BYTES);
}

static void put_digest(struct writer *w, const struct app_message *m)
{
	put_bytes(w, m->digest, SHA256_BYTES);
}

static void get_path(struct reader *r, struct app_message *m)
{
	m->path = get_text(r, APP_PATH_MAX);
}

static void put_path(struct writer *w, const struct app_message *m)
{
	put_text(w, &m->path, APP_PATH_MAX);
}

static void get_entries(struct reader *r, struct app_message *m)
{
	uint8_t last = get_u8(r);

	if (last > 1)
		r->bad = true;
	m->entries.last = last;
	m->entries.rest.length = r->left;
	m->entries.rest.at = (const char *)get_bytes(r, r->left);
}

static void put_entries(struct writer *w, const struct app_message *m)
{
	put_u8(w, m->entries.last);
	put_bytes(w, m->entries.rest.at, m->entries.rest.length);
}

static void get_put(struct reader *r, struct app_message *m)
{
	m->put.size = get_u64(r);
	m->put.flags = get_u32(r);
	m->put.path = get_text(r, APP_PATH_MAX);
	if (m->put.flags & APP_PUT_RESUMABLE)
		get_copy(r, m->put.token, APP_TOKEN);
	if (m->put.flags & ~(uint32_t)APP_PUT_FLAGS)
		r->bad = true;
}

static void put_put(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->put.size);
	put_u32(w, m->put.flags);
	put_text(w, &m->put.path, APP_PATH_MAX);
	if (m->put.flags & APP_PUT_RESUMABLE)
		put_bytes(w, m->put.token, APP_TOKEN);
}

static void get_found(struct reader *r, struct app_message *m)
{
	m->found.size = get_u64(r);
	m->found.changed = (int64_t)get_u64(r);
}

static void put_found(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->found.size);
	put_u64(w, (uint64_t)m->found.changed);
}

static void get_ready(struct reader *r, struct app_message *m)
{
	m->ready.slot_size = get_u32(r);
	m->ready.slots = get_u16(r);
}

static void put_ready(struct writer *w, const struct app_message *m)
{
	put_u32(w, m->ready.slot_size);
	put_u16(w, m->ready.slots);
}

static void get_resume(struct reader *r, struct app_message *m)
{
	get_ready(r, m);
	m->ready.offset = get_u64(r);
	get_copy(r, m->ready.sha256, SHA256_BYTES);
}

static void put_resume(struct writer *w, const struct app_message *m)
{
	put_ready(w, m);
	put_u64(w, m->ready.offset);
	put_bytes(w, m->ready.sha256, SHA256_BYTES);
}

static void get_features(struct reader *r, struct app_message *m)
{
	m->features = get_u32(r);
}

static void put_features(struct writer *w, const struct app_message *m)
{
	put_u32(w, m->features);
}

static void get_chunk(struct reader *r, struct app_message *m)
{
	m->chunk.index = get_u64(r);
	m->chunk.length = get_u32(r);
}

static void put_chunk(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->chunk.index);
	put_u32(w, m->chunk.length);
}

static void get_taken(struct reader *r, struct app_message *m)
{
	m->taken = get_u64(r);
}

static void put_taken(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->taken);
}

static void get_end(struct reader *r, struct app_message *m)
{
	m->end.length = get_u64(r);
	get_copy(r, m->end.sha256, SHA256_BYTES);
}

static void put_end(struct writer *w, const struct app_message *m)
{
	put_u64(w, m->end.length);
	put_bytes(w, m->end.sha256, SHA256_BYTES);
}

static void get_fail(struct reader *r, struct app_message *m)
{
	m->fail.fault = get_u16(r);
	m->fail.text = get_text(r, APP_TEXT_MAX);
}

static void put_fail(struct writer *w, const struct app_message *m)
{
	put_u16(w, m->fail.fault);
	put_text(w, &m->fail.text, APP_TEXT_MAX);
}

static const struct {
	const char *name;
	void (*get)(struct reader *r, struct app_message *m);
	void (*put)(struct writer *w, const struct app_message *m);
} types[APP_TYPES] = {
	[APP_PING] = { "PING", get_payload, put_payload },
	[APP_PONG] = { "PONG", get_payload, put_payload },
	[APP_TEXT] = { "TEXT", get_payload, put_payload },
	[APP_ECHO] = { "ECHO", get_payload, put_payload },
	[APP_SCRATCH] = { "SCRATCH", get_nothing, put_nothing },
	[APP_SCRATCH_READY] = { "SCRATCH_READY", get_length, put_length },
	[APP_DIGEST] = { "DIGEST", get_range, put_range },
	[APP_DIGEST_IS] = { "DIGEST_IS", get_digest, put_digest },
	[APP_LIST] = { "LIST", get_path, put_path },
	[APP_ENTRIES] = { "ENTRIES", get_entries, put_entries },
	[APP_PUT] = { "PUT", get_put, put_put },
	[APP_GET] = { "GET", get_path, put_path },
	[APP_FOUND] = { "FOUND", get_found, put_found },
	[APP_READY] = { "READY", get_ready, put_ready },
	[APP_CHUNK] = { "CHUNK", get_chunk, put_chunk },
	[APP_TAKEN] = { "TAKEN", get_taken, put_taken },
	[APP_END] = { "END", get_end, put_end },
	[APP_DONE] = { "DONE", get_end, put_end },
	[APP_FAIL] = { "FAIL", get_fail, put_fail },
	[APP_FEATURES] = { "FEATURES", get_features, put_features },
	[APP_RESUME] = { "RESUME", get_resume, put_resume },
};

const char *app_type_name(unsigned type)
{
	return type < APP_TYPES && types[type].name ? types[type].name : "unknown";
}

int app_decode(const void *data, size_t length, struct app_message *out)
{
	struct app_message message = { 0 };
	struct reader r = reader_of(data, length);
	uint8_t version = get_u8(&r), type = get_u8(&r);
	uint16_t reserved = get_u16(&r);

	message.id = get_u32(&r);
	if (r.bad)
		return fault(FAULT_PROTOCOL, "a message of %zu bytes is too short",
		             length);
	if (version != APP_VERSION)
		return fault(FAULT_PROTOCOL,
		             "a message has version %u of the programs' protocol, this "
		             "program speaks %u: use the same release on both sides",
		             version, APP_VERSION);
	if (type >= APP_TYPES || !types[type].get || reserved)
		return fault(FAULT_PROTOCOL, "a message has the unknown type %u", type);
	message.type = (enum app_type)type;
	types[type].get(&r, &message);
	if (r.bad || r.left)
		return fault(FAULT_PROTOCOL, "a %s message of %zu bytes is malformed",
		             types[type].name, length);
	*out = message;
	return 0;
}

size_t app_encode(const struct app_message *message, void *data, size_t size)
{
	struct writer w = writer_of(data, size);

	put_u8(&w, APP_VERSION);
	put_u8(&w, (uint8_t)message->type);
	put_u16(&w, 0);
	put_u32(&w, message->id);
	types[message->type].put(&w, message);
	return w.bad ? 0 : w.used;
}

int app_next_entry(struct app_bytes *rest, struct app_entry *out)
{
	struct reader r = reader_of(rest->at, rest->length);
	struct app_entry entry;
	uint8_t kind;

	if (!rest->length)
		return 0;
	kind = get_u8(&r);
	entry.kind = (enum app_entry_kind)kind;
	entry.size = get_u64(&r);
	entry.changed = (int64_t)get_u64(&r);
	entry.name.length = get_u8(&r);
	entry.name.at = (const char *)get_bytes(&r, entry.name.length);
	if (r.bad || !kind || kind >= APP_ENTRY_KINDS || !entry.name.length)
		return fault(FAULT_PROTOCOL, "an entry of a list is malformed");
	rest->at = (const char *)r.at;
	rest->length = r.left;
	*out = entry;
	return 1;
}

size_t app_add_entry(const struct app_entry *entry, void *data, size_t used, size_t size)
{
	struct writer w = { .start = data, .size = size, .used = used };

	put_u8(&w, (uint8_t)entry->kind);
	put_u64(&w, entry->size);
	put_u64(&w, (uint64_t)entry->changed);
	put_u8(&w, (uint8_t)entry->name.length);
	put_bytes(&w, entry->name.at, entry->name.length);
	return w.bad || entry->name.length > APP_NAME_MAX ? 0 : w.used;
}
