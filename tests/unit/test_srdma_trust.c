/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is trusted: each way in which certificates can be wrong, and what both sides say of
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

#define HOUR 3600

static struct duo duo;

static int open_pki(void **state)
{
	(void)state;
	pki_open();
	pki_issue(&(struct pki_leaf){ "foreign", "other", "DNS:localhost,IP:127.0.0.1",
	                              NULL, -HOUR, HOUR });
	pki_issue(&(struct pki_leaf){ "expired", "ca", "DNS:localhost,IP:127.0.0.1", NULL,
	                              -2 * HOUR, -HOUR });
	pki_issue(&(struct pki_leaf){ "early", "ca", "DNS:localhost,IP:127.0.0.1", NULL,
	                              HOUR, 2 * HOUR });
	pki_issue(&(struct pki_leaf){ "named", "ca", "DNS:rdma.example.org", NULL, -HOUR,
	                              HOUR });
	pki_issue(&(struct pki_leaf){ "127.0.0.1", "ca", NULL, NULL, -HOUR, HOUR });
	pki_issue(&(struct pki_leaf){ "forservers", "ca", "DNS:localhost,IP:127.0.0.1",
	                              "serverAuth", -HOUR, HOUR });
	pki_issue(&(struct pki_leaf){ "forclients", "ca", "DNS:localhost,IP:127.0.0.1",
	                              "clientAuth", -HOUR, HOUR });
	return 0;
}

struct expectation {
	int code;
	const char *text;
};

static void check_end(const char *which, const struct duo_end *end,
                      const struct expectation *expected)
{
	if (end->code != expected->code || !strstr(end->reason, expected->text))
		check_failed(__FILE__, __LINE__, "%s: %d '%s', not %d '%s'", which,
		             end->code, end->reason, expected->code, expected->text);
}

/* A connection that both must end, each with its own sentence. */
static void expect(const char *server, const char *server_ca, const char *client,
                   const char *client_ca, struct expectation at_server,
                   struct expectation at_client)
{
	duo_open(&duo);
	duo_certificate(&duo.server, server, server_ca);
	duo_certificate(&duo.client, client, client_ca);
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	check_end("server", &duo.server, &at_server);
	check_end("client", &duo.client, &at_client);
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	/* A server's refusal comes before its caller hears of the session. */
	CHECK_EQ(duo.server.identity[0], 0);
	duo_close(&duo);
}

static void client_without_certificate(void **state)
{
	(void)state;
	expect("server", "ca", NULL, "ca",
	       (struct expectation){ SRDMA_ECERT, "sent no certificate" },
	       (struct expectation){ SRDMA_ECERT,
	                             "requires a certificate and we gave none" });
}

static void client_of_a_foreign_ca(void **state)
{
	(void)state;
	expect("server", "ca", "foreign", "ca",
	       (struct expectation){ SRDMA_ECERT, "not signed by a CA that we trust" },
	       (struct expectation){ SRDMA_ECERT,
	                             "does not trust the CA of our certificate" });
}

static void client_expired(void **state)
{
	(void)state;
	expect("server", "ca", "expired", "ca",
	       (struct expectation){ SRDMA_ECERT, "has expired" },
	       (struct expectation){ SRDMA_ECERT, "expired or not yet valid" });
}

static void client_not_yet_valid(void **state)
{
	(void)state;
	expect("server", "ca", "early", "ca",
	       (struct expectation){ SRDMA_ECERT, "is not valid yet" },
	       (struct expectation){ SRDMA_ECERT, "our certificate" });
}

static void client_with_a_server_certificate(void **state)
{
	(void)state;
	expect("server", "ca", "forservers", "ca",
	       (struct expectation){ SRDMA_ECERT, "not for this purpose" },
	       (struct expectation){ SRDMA_ECERT, "for this purpose" });
}

static void server_of_a_foreign_ca(void **state)
{
	(void)state;
	expect("foreign", "ca", "client", "ca",
	       (struct expectation){ SRDMA_ECERT,
	                             "does not trust the CA of our certificate" },
	       (struct expectation){ SRDMA_ECERT, "not signed by a CA that we trust" });
}

static void server_expired(void **state)
{
	(void)state;
	expect("expired", "ca", "client", "ca",
	       (struct expectation){ SRDMA_ECERT, "expired or not yet valid" },
	       (struct expectation){ SRDMA_ECERT, "has expired" });
}

static void server_with_a_client_certificate(void **state)
{
	(void)state;
	expect("forclients", "ca", "client", "ca",
	       (struct expectation){ SRDMA_ECERT, "for this purpose" },
	       (struct expectation){ SRDMA_ECERT, "not for this purpose" });
}

static void server_of_another_name(void **state)
{
	(void)state;
	expect("named", "ca", "client", "ca",
	       (struct expectation){ SRDMA_ECERT, "does not accept our certificate" },
	       (struct expectation){ SRDMA_ENAME,
	                             "is for 'rdma.example.org', not for '127.0.0.1'" });
}

/* A common name is not a name to connect by (RFC 9525). */
static void common_name_does_not_count(void **state)
{
	(void)state;
	expect("127.0.0.1", "ca", "client", "ca",
	       (struct expectation){ SRDMA_ECERT, "does not accept our certificate" },
	       (struct expectation){ SRDMA_ENAME, "not for '127.0.0.1'" });
}

static void name_can_be_set(void **state)
{
	(void)state;
	duo_open(&duo);
	duo_certificate(&duo.server, "named", "ca");
	CHECK_SRDMA(srdma_context_set_text(duo.client.context, SRDMA_OPT_SERVER_NAME,
	                                   "rdma.example.org"));
	duo_start(&duo);
	duo_connect(&duo);
	assert_string_equal(duo.client.identity, "rdma.example.org");
	duo_close(&duo);
}

/*
 * Files
 */

static void expect_load(struct duo_end *end, const char *text)
{
	int code = srdma_context_load(end->context);

	if (code != SRDMA_ECONFIG || !strstr(srdma_detail(), text))
		check_failed(__FILE__, __LINE__, "%d '%s', not '%s'", code,
		             srdma_detail(), text);
	CHECK_EQ(srdma_category(code), SRDMA_USAGE);
}

static void set(struct duo_end *end, enum srdma_text_option option, const char *value)
{
	CHECK_SRDMA(srdma_context_set_text(end->context, option, value));
}

static void wrong_files(void **state)
{
	struct duo_end end = { 0 };

	(void)state;
	CHECK_SRDMA(srdma_context_new(&end.context));
	expect_load(&end, "no CA file is set");
	set(&end, SRDMA_OPT_CA, pki_path("nothing", ".pem"));
	expect_load(&end, "nothing.pem': No such file");
	set(&end, SRDMA_OPT_CA, pki_path("ca", ".key"));
	expect_load(&end, "must be PEM");
	set(&end, SRDMA_OPT_CA, pki_path("ca", ".pem"));
	set(&end, SRDMA_OPT_CERTIFICATE, pki_path("server", ".pem"));
	expect_load(&end, "the key is missing");
	set(&end, SRDMA_OPT_KEY, pki_path("nothing", ".key"));
	expect_load(&end, "nothing.key': No such file");
	set(&end, SRDMA_OPT_KEY, pki_path("client", ".key"));
	expect_load(&end, "does not belong to the certificate");
	set(&end, SRDMA_OPT_KEY, pki_path("server", ".pem"));
	expect_load(&end, "is not usable");
	set(&end, SRDMA_OPT_KEY, pki_path("server", ".key"));
	CHECK_SRDMA(srdma_context_load(end.context));
	srdma_context_free(end.context);
}

/* A failed reload leaves what was there; a good one is for sessions that start
 * afterwards. */
static void reload(void **state)
{
	struct srdma_session *old;

	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	old = duo.server.session;
	set(&duo.server, SRDMA_OPT_CA, pki_path("nothing", ".pem"));
	expect_load(&duo.server, "No such file");
	duo_connect(&duo);
	set(&duo.server, SRDMA_OPT_CA, pki_path("other", ".pem"));
	CHECK_SRDMA(srdma_context_load(duo.server.context));
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ECERT);
	CHECK_EQ(srdma_session_state(old), SRDMA_STATE_ESTABLISHED);
	duo.server.session = NULL; /* what is left goes with the workers */
	duo_close(&duo);
}

static void server_without_certificate(void **state)
{
	struct srdma_listener *listener;

	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo_certificate(&duo.server, NULL, "ca");
	CHECK_SRDMA(srdma_context_load(duo.server.context));
	CHECK_EQ(srdma_listener_new(duo.server.context, "127.0.0.1", "0", &listener),
	         SRDMA_ECONFIG);
	CHECK(strstr(srdma_detail(), "needs a certificate") != NULL);
	duo_close(&duo);
}

static void nothing_loaded(void **state)
{
	struct srdma_context *context;
	struct srdma_worker *worker;

	(void)state;
	CHECK_SRDMA(srdma_context_new(&context));
	CHECK_EQ(srdma_worker_new(context, &worker), SRDMA_ESTATE);
	srdma_context_free(context);
}

static void identity_has_all_names(void **state)
{
	const struct srdma_identity *identity;

	(void)state;
	duo_open(&duo);
	pki_issue(&(struct pki_leaf){
	        "everything", "ca",
	        "DNS:a.example,DNS:b.example,URI:spiffe://x/y,IP:192.0.2.7,"
	        "email:me@example.org",
	        NULL, -HOUR, HOUR });
	duo_certificate(&duo.client, "everything", "ca");
	duo_start(&duo);
	duo_connect(&duo);
	identity = srdma_session_peer(duo.server.session);
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_CN, 0),
	                    "everything");
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_DNS, 0),
	                    "a.example");
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_DNS, 1),
	                    "b.example");
	CHECK(srdma_identity_name(identity, SRDMA_NAME_DNS, 2) == NULL);
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_URI, 0),
	                    "spiffe://x/y");
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_IP, 0), "192.0.2.7");
	assert_string_equal(srdma_identity_name(identity, SRDMA_NAME_EMAIL, 0),
	                    "me@example.org");
	assert_string_equal(srdma_identity_text(identity), "spiffe://x/y");
	CHECK_EQ(strlen(srdma_identity_fingerprint(identity)), 64);
	CHECK(srdma_identity_not_after(identity) > 1700000000);
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_without_certificate),
		cmocka_unit_test(client_of_a_foreign_ca),
		cmocka_unit_test(client_expired),
		cmocka_unit_test(client_not_yet_valid),
		cmocka_unit_test(client_with_a_server_certificate),
		cmocka_unit_test(server_of_a_foreign_ca),
		cmocka_unit_test(server_expired),
		cmocka_unit_test(server_with_a_client_certificate),
		cmocka_unit_test(server_of_another_name),
		cmocka_unit_test(common_name_does_not_count),
		cmocka_unit_test(name_can_be_set),
		cmocka_unit_test(wrong_files),
		cmocka_unit_test(reload),
		cmocka_unit_test(server_without_certificate),
		cmocka_unit_test(nothing_loaded),
		cmocka_unit_test(identity_has_all_names),
	};

	return cmocka_run_group_tests(tests, open_pki, pki_tear_down);
}
