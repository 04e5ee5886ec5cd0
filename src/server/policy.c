/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/policy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "program/fault.h"

struct policy *policy_hold(struct policy *policy)
{
	if (policy)
		atomic_fetch_add(&policy->references, 1);
	return policy;
}

static void clear_rule(struct policy_rule *rule)
{
	for (unsigned i = 0; i < rule->who_count; i++)
		free(rule->who[i].pattern);
	free(rule->who);
	free(rule->exports);
}

void policy_drop(struct policy *policy)
{
	if (!policy || atomic_fetch_sub(&policy->references, 1) > 1)
		return;
	for (unsigned i = 0; i < policy->rule_count; i++)
		clear_rule(&policy->rules[i]);
	free(policy->rules);
	free(policy);
}

/*
 * Patterns
 */

/* "scheme://authority/": what a star may stand behind. */
static bool has_authority(const char *uri)
{
	const char *at = strstr(uri, "://");

	return at && at > uri && at[3] && at[3] != '/' && strchr(at + 3, '/');
}

static bool is_uri_good(const char *pattern)
{
	const char *star = strchr(pattern, '*');

	if (!star)
		return strchr(pattern, ':') != NULL;
	return !star[1] && star > pattern && star[-1] == '/' && has_authority(pattern);
}

static bool is_dns_good(const char *pattern)
{
	const char *rest = strncmp(pattern, "*.", 2) == 0 ? pattern + 2 : pattern;

	if (rest != pattern && !strchr(rest, '.'))
		return false;
	for (const char *c = rest; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			return false;
	return isalnum((unsigned char)rest[0]);
}

static bool is_fingerprint(const char *pattern)
{
	return strlen(pattern) == 64 && strspn(pattern, "0123456789abcdefABCDEF") == 64;
}

bool policy_pattern_is_good(enum policy_kind kind, const char *pattern, const char **why)
{
	switch (kind) {
	case POLICY_URI:
		*why = "a URI, with nothing but perhaps one star, behind the last slash: "
		       "spiffe://example.org/hosts/*";
		return is_uri_good(pattern);
	case POLICY_DNS:
		*why = "a DNS name, with nothing but perhaps a star as its first part: "
		       "*.hosts.example.org";
		return is_dns_good(pattern);
	case POLICY_CN:
		*why = "a common name without a star";
		return *pattern && !strchr(pattern, '*');
	case POLICY_CERT:
		*why = "the SHA-256 of a certificate: 64 hexadecimal digits";
		return is_fingerprint(pattern);
	default: *why = "any"; return true;
	}
}

/*
 * Behind the star's place there must be plain segments: what another program would read
 * as a path that leads elsewhere ("..", "%2e") is below nothing.
 */
static bool is_plain_path(const char *path)
{
	if (strpbrk(path, "%?#\\"))
		return false;
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!length || (length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

static bool uri_matches(const char *pattern, const char *name)
{
	size_t length = strcspn(pattern, "*");

	if (!pattern[length])
		return strcmp(pattern, name) == 0;
	return strncmp(pattern, name, length) == 0 && is_plain_path(name + length);
}

/* A certificate may be for a wildcard itself; that is no client's name. */
static bool dns_matches(const char *pattern, const char *name)
{
	if (strchr(name, '*'))
		return false;
	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	name += strcspn(name, ".");
	return *name && strcasecmp(pattern + 1, name) == 0;
}

static bool cn_matches(const char *pattern, const char *name)
{
	return strcmp(pattern, name) == 0;
}

static bool some_name_matches(const struct policy_who *who,
                              const struct srdma_identity *identity)
{
	static const struct {
		enum srdma_name name;
		bool (*matches)(const char *pattern, const char *name);
	} kinds[] = {
		[POLICY_URI] = { SRDMA_NAME_URI, uri_matches },
		[POLICY_DNS] = { SRDMA_NAME_DNS, dns_matches },
		[POLICY_CN] = { SRDMA_NAME_CN, cn_matches },
	};
	const char *name;

	for (unsigned i = 0;
	     (name = srdma_identity_name(identity, kinds[who->kind].name, i)); i++)
		if (kinds[who->kind].matches(who->pattern, name))
			return true;
	return false;
}

static bool is_for(const struct policy_rule *rule, const struct srdma_identity *identity)
{
	for (unsigned i = 0; i < rule->who_count; i++) {
		const struct policy_who *who = &rule->who[i];
		bool found;

		if (who->kind == POLICY_ANY)
			found = true;
		else if (who->kind == POLICY_CERT)
			found = strcasecmp(who->pattern,
			                   srdma_identity_fingerprint(identity)) == 0;
		else
			found = some_name_matches(who, identity);
		if (found)
			return true;
	}
	return false;
}

int policy_access(const struct policy *policy, const struct exports *exports,
                  const struct srdma_identity *identity, struct access **out)
{
	struct access *access = policy ? access_new(exports) : access_new_all(exports);
	unsigned rules = 0;

	if (!access)
		return fault(FAULT_MEMORY, "out of memory");
	for (unsigned i = 0; policy && i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!is_for(rule, identity))
			continue;
		rules++;
		access->rights |= rule->rights;
		limits_join(&access->limits, &rule->limits);
		for (unsigned e = 0; e < exports->count; e++)
			access->exports[e] |= rule->exports[e];
	}
	if (policy && !rules) {
		free(access);
		return 0;
	}
	*out = access;
	return 1;
}
