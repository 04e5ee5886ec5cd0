/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy: what its file may say and where mistakes are, and whom its names match. */
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/pki.h"
#include "program/fault.h"
#include "server/policy.h"
#include "session/identity.h"

static char data[] = "data", pub[] = "pub";
static struct export list[] = { { .name = data }, { .name = pub } };
static const struct exports exports = { list, 2 };
static char path[64];

static int set_up(void **state)
{
	(void)state;
	pki_open();
	snprintf(path, sizeof(path), "policy.XXXXXX");
	close((int)CHECK_CALL(mkstemp(path)));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_close();
	return 0;
}

static int read_text(const char *text, struct policy **out)
{
	FILE *file = CHECK_OBJECT(fopen(path, "w"));

	fputs(text, file);
	fclose(file);
	return policy_read(path, &exports, out);
}

/* The rights of a certificate with these names: -1 when no rule names it. */
static int rights_of(const struct policy *policy, const char *cn, const char *names,
                     uint8_t *on_data)
{
	struct srdma_identity *identity;
	struct access *access;
	X509 *certificate;
	FILE *file;
	int found, rights = -1;

	pki_issue(&(struct pki_leaf){ cn, "ca", names, NULL, -60, 3600 });
	file = CHECK_OBJECT(fopen(pki_path(cn, ".pem"), "r"));
	certificate = CHECK_OBJECT(PEM_read_X509(file, NULL, NULL, NULL));
	fclose(file);
	CHECK_EQ(identity_new(certificate, &identity), 0);
	found = policy_access(policy, &exports, identity, &access);
	CHECK(found >= 0);
	if (found) {
		rights = (int)access->rights;
		if (on_data)
			*on_data = access->exports[0];
		free(access);
	}
	identity_free(identity);
	X509_free(certificate);
	return rights;
}

static void check_names(const char *who, const char *cn, const char *names, bool expected)
{
	struct policy *policy;
	char text[256];
	int rights;

	snprintf(text, sizeof(text), "rules:\n  - who: [%s]\n    allow: [ping]\n", who);
	if (read_text(text, &policy))
		check_failed(__FILE__, __LINE__, "%s: %s", who, fault_text());
	rights = rights_of(policy, cn, names, NULL);
	if (rights != (expected ? ACCESS_PING : -1))
		check_failed(__FILE__, __LINE__, "%s for %s, %s: %d", who, cn, names,
		             rights);
	policy_drop(policy);
}

static void test_names(void **state)
{
	static const struct {
		const char *who, *cn, *names;
		bool expected;
	} rows[] = {
		{ "any", "a", NULL, true },
		{ "{uri: 'spiffe://x/a'}", "a", "URI:spiffe://x/a", true },
		{ "{uri: 'spiffe://x/a'}", "a", "URI:spiffe://x/A", false },
		{ "{uri: 'spiffe://x/a'}", "a", "URI:spiffe://x/ab", false },
		{ "{uri: 'spiffe://x/a'}", "a", "URI:b:c,URI:spiffe://x/a", true },
		{ "{uri: 'spiffe://x/a'}", "a", "DNS:spiffe.x", false },
		/* The text of one kind is not a name of another. */
		{ "{uri: 'spiffe://x/a'}", "spiffe:a", "DNS:a", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/a", true },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/a/b", true },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/hh/a", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/../a", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/b/..", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/%2e%2e/a", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h//a", false },
		{ "{uri: 'spiffe://x/h/*'}", "a", "URI:spiffe://x/h/a?b", false },
		{ "{dns: a.example.org}", "x", "DNS:A.Example.ORG", true },
		{ "{dns: a.example.org}", "x", "DNS:b.example.org", false },
		{ "{dns: '*.example.org'}", "x", "DNS:b.EXAMPLE.org", true },
		{ "{dns: '*.example.org'}", "x", "DNS:b.c.example.org", false },
		{ "{dns: '*.example.org'}", "x", "DNS:example.org", false },
		{ "{dns: '*.example.org'}", "x", "DNS:*.example.org", false },
		{ "{dns: '*.example.org'}", "x", "DNS:bexample.org", false },
		{ "{dns: a.example.org}", "a.example.org", "DNS:other", false },
		{ "{cn: a.example.org}", "a.example.org", "DNS:other", true },
		{ "{cn: a.example.org}", "other", "DNS:a.example.org", false },
		{ "{cn: b}, {dns: c}", "a", "DNS:c", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_names(rows[i].who, rows[i].cn, rows[i].names, rows[i].expected);
}

static void test_fingerprint(void **state)
{
	struct policy *policy;
	char text[200];

	(void)state;
	snprintf(text, sizeof(text), "rules: [{who: [{sha256: '%064d'}], allow: [all]}]",
	         0);
	CHECK_EQ(read_text(text, &policy), 0);
	CHECK_EQ(rights_of(policy, "a", "DNS:a", NULL), -1);
	policy_drop(policy);
}

static void test_sum(void **state)
{
	static const char *const text = "rules:\n"
	                                "  - who: [any]\n"
	                                "    exports: {pub: [ls, get], '*': [ls]}\n"
	                                "  - who: [{dns: a}]\n"
	                                "    allow: [ping, scratch-write]\n"
	                                "    exports: {data: [replace]}\n"
	                                "  - who: [{dns: b}]\n"
	                                "    allow: [all]\n"
	                                "    exports: {'*': [all]}\n";
	struct policy *policy;
	uint8_t on_data;

	(void)state;
	CHECK_EQ(read_text(text, &policy), 0);
	CHECK_EQ(rights_of(policy, "x", "DNS:c", &on_data), 0);
	CHECK_EQ(on_data, ACCESS_LS);
	CHECK_EQ(rights_of(policy, "x", "DNS:a", &on_data),
	         ACCESS_PING | ACCESS_SCRATCH_WRITE);
	CHECK_EQ(on_data, ACCESS_LS | ACCESS_PUT | ACCESS_REPLACE);
	CHECK_EQ(rights_of(policy, "x", "DNS:b", &on_data), ACCESS_ALL);
	CHECK_EQ(on_data, ACCESS_EXPORT_ALL);
	policy_drop(policy);
	CHECK_EQ(rights_of(NULL, "x", "DNS:z", &on_data), ACCESS_ALL);
	CHECK_EQ(on_data, ACCESS_EXPORT_ALL);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", ":1:1: a policy lacks 'rules'" },
		{ "{}", ":1:1: a policy lacks 'rules'" },
		{ "- x", ":1:1: this has to be 'name: value' of a policy" },
		{ "rules: x", ":1:8: this has to be a list of rules" },
		{ "rules: []", ":1:8: this has to be a list of rules, and not empty" },
		{ "# c\nrulez: []", ":2:1: a policy has no 'rulez'" },
		{ "rules:\n  - allow: [ping]", ":2:5: a rule lacks 'who'" },
		{ "rules:\n  - who: []", ":2:10: this has to be a list of names" },
		{ "rules:\n  - who: [any]\n    who: [any]",
		  ":3:5: 'who' stands here twice" },
		{ "rules:\n  - who: [all]", ":2:11: this has to be one of 'uri" },
		{ "rules:\n  - who: [{uri: 'a:b', dns: c}]",
		  ":2:11: this has to be one" },
		{ "rules:\n  - who: [{email: a}]", ":2:12: a name has no 'email'" },
		{ "rules:\n  - who: [{uri: '*'}]", ":2:17: this is not a URI" },
		{ "rules:\n  - who: [{uri: 'spiffe://*'}]", ":2:17: this is not a URI" },
		{ "rules:\n  - who: [{uri: 'a://b/*/c'}]", ":2:17: this is not a URI" },
		{ "rules:\n  - who: [{uri: 'a://b/c*'}]", ":2:17: this is not a URI" },
		{ "rules:\n  - who: [{uri: [a]}]", ":2:17: this is not a text" },
		{ "rules:\n  - who: [{dns: '*'}]", ":2:17: this is not a DNS name" },
		{ "rules:\n  - who: [{dns: '*.org'}]", ":2:17: this is not a DNS name" },
		{ "rules:\n  - who: [{dns: 'a.*.org'}]", ":2:17: this is not a DNS" },
		{ "rules:\n  - who: [{cn: ''}]", ":2:16: this is not a common name" },
		{ "rules:\n  - who: [{sha256: ab}]", ":2:20: this is not the SHA-256" },
		{ "rules:\n  - who: [any]\n    allow: [ping, fly]",
		  ":3:19: there is no right 'fly' here; there are: ping, send" },
		{ "rules:\n  - who: [any]\n    allow: ping",
		  ":3:12: this has to be a list" },
		{ "rules:\n  - who: [any]\n    exports: {date: [ls]}",
		  ":3:15: the server has no export 'date' (option --export)" },
		{ "rules:\n  - who: [any]\n    limits: {sessions: 0}",
		  ":3:24: '0' is no number of sessions from 1 on" },
		{ "rules:\n  - who: [any]\n    limits: {speed: 1}",
		  ":3:14: there is no limit 'speed'; there are: sessions" },
		{ "rules:\n  - who: [any]\n    limits: {files: [1]}",
		  ":3:21: this has to be a text" },
		{ "rules:\n  - who: [any]\n    exports: {data: [ping]}",
		  ":3:22: there is no right 'ping' here; there are: ls" },
		{ "rules:\n  - who: [any]\n    exports: {data: [ls], data: [get]}",
		  ":3:27: 'data' stands here twice" },
		{ "rules:\n  - who: [any]\n   x: y", ":3:4: " },
		{ "rules:\n  - who: [any", ":3:1: " },
		{ "rules: [{who: [any]}]\n---\nx: y",
		  ":3:1: there is a second document" },
		{ "rules: [\"a\\0b\"]", ":1:9: this has to be 'name: value' of a rule" },
		{ "? [a]\n: b", ":1:3: a name has to be a text" },
		{ "rules: *nowhere", ":1:8: " },
		{ "a: \xff", ": byte 4: " },
	};
	struct policy *policy;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char expected[200];

		CHECK_EQ(read_text(rows[i].text, &policy), -FAULT_CONFIG);
		snprintf(expected, sizeof(expected), "%s%s", path, rows[i].expected);
		if (strncmp(fault_text(), expected, strlen(expected)) != 0)
			check_failed(__FILE__, __LINE__, "%s: '%s', not '%s'",
			             rows[i].text, fault_text(), expected);
	}
	CHECK_EQ(policy_read("nowhere", &exports, &policy), -FAULT_NOT_FOUND);
	assert_non_null(strstr(fault_text(), "cannot read the policy 'nowhere'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
