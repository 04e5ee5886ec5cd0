/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what: rules over the names in clients' certificates, from a YAML file
 * (docs/operations.md). A client whom no rule names gets nothing, not even a session.
 * What several rules give to the same client adds up; no rule takes away. Never changed
 * once read: any thread.
 */
#ifndef SERVER_POLICY_H
#define SERVER_POLICY_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/access.h"
#include "srdma.h"

enum policy_kind {
	POLICY_ANY,  /* whoever has a certificate of our authorities */
	POLICY_URI,  /* equal, or below "scheme://authority/…/" and a star */
	POLICY_DNS,  /* equal but for case, or "*.example.org": one label more */
	POLICY_CN,   /* equal; only where a rule asks for it */
	POLICY_CERT, /* SHA-256 of the certificate */
};

struct policy_who {
	enum policy_kind kind;
	char *pattern;
};

struct policy_rule {
	struct policy_who *who;
	unsigned who_count;
	unsigned rights;
	struct limits limits;
	uint8_t *exports; /* a mask of enum access_export_right for each of the exports */
};

struct policy {
	_Atomic unsigned references;
	struct policy_rule *rules;
	unsigned rule_count;
};

/*
 * Read a file; `exports` are those that rules may name. -FAULT_CONFIG, with a sentence
 * that begins FILE:LINE:COLUMN.
 */
int policy_read(const char *path, const struct exports *exports, struct policy **out);

/* Either may be NULL: no policy. */
struct policy *policy_hold(struct policy *policy);
void policy_drop(struct policy *policy);

/*
 * What it gives to a client, for free(); without a policy, everything. 1: *out is set; 0:
 * no rule names it; or -FAULT_MEMORY.
 */
int policy_access(const struct policy *policy, const struct exports *exports,
                  const struct srdma_identity *identity, struct access **out);

/* Whether a text can be a pattern of its kind; if not, `why` says what it has to be. */
bool policy_pattern_is_good(enum policy_kind kind, const char *pattern, const char **why);

#endif
