/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates that were good once: revoked before and during a session, expired during
 * it, and what a server's OCSP response says. */
#include <openssl/ocsp.h>
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
	pki_issue(&(struct pki_leaf){ "second", "ca", "DNS:localhost,IP:127.0.0.1", NULL,
	                              -HOUR, HOUR });
	pki_issue_stapled(
	        &(struct pki_leaf){ "stapled", "ca", "IP:127.0.0.1", NULL, -HOUR, HOUR });
	pki_crl("nobody", "ca", NULL, HOUR);
	pki_crl("client", "ca", "client", HOUR);
	pki_crl("server", "ca", "server", HOUR);
	pki_crl("late", "ca", NULL, -60);
	pki_crl("other", "other", NULL, HOUR);
	return 0;
}

static int load_crl(struct duo_end *end, const char *name)
{
	CHECK_SRDMA(srdma_context_set_text(end->context, SRDMA_OPT_CRL,
	                                   name ? pki_path(name, ".crl") : NULL));
	return srdma_context_load(end->context);
}

static void check_ends(const char *at_server, const char *at_client)
{
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ECERT);
	CHECK_EQ(duo.client.code, SRDMA_ECERT);
	if (!strstr(duo.server.reason, at_server) ||
	    !strstr(duo.client.reason, at_client))
		check_failed(__FILE__, __LINE__, "server: '%s', client: '%s'",
		             duo.server.reason, duo.client.reason);
}

static void client_on_the_list(void **state)
{
	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(load_crl(&duo.server, "client"));
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	check_ends("is revoked", "says that our certificate is revoked");
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	duo_close(&duo);
}

static void server_on_the_list(void **state)
{
	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(load_crl(&duo.client, "server"));
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	check_ends("says that our certificate is revoked", "is revoked");
	duo_close(&duo);
}

/* Others stay, and the keys of the server are changed beside them. */
static void revoked_while_it_lasts(void **state)
{
	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(load_crl(&duo.server, "nobody"));
	duo_start(&duo);
	duo_connect(&duo);
	duo_certificate(&duo.server, "second", "ca");
	CHECK_SRDMA(srdma_context_load(duo.server.context));
	CHECK_SRDMA(srdma_worker_recheck(duo.server.worker));
	CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
	DUO_UNTIL(&duo, duo.server.messages == 1);
	CHECK_EQ(duo.server.closed + duo.client.closed, 0);
	CHECK_SRDMA(load_crl(&duo.server, "client"));
	CHECK_SRDMA(srdma_worker_recheck(duo.server.worker));
	check_ends("is revoked", "is revoked");
	duo_close(&duo);
}

static void authority_gone_while_it_lasts(void **state)
{
	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	duo_certificate(&duo.server, "server", "other");
	CHECK_SRDMA(srdma_context_load(duo.server.context));
	CHECK_SRDMA(srdma_worker_recheck(duo.server.worker));
	check_ends("not signed by a CA that we trust", "not signed by a CA");
	duo_close(&duo);
}

/* Called again from within its own calls: freed with some of them left. */
static void worker_freed_meanwhile(void **state)
{
	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	CHECK_SRDMA(srdma_worker_recheck(duo.server.worker));
	CHECK_SRDMA(srdma_worker_recheck(duo.client.worker));
	duo_close(&duo);
}

/* What would be refused by all is not taken over; what was, stays. */
static void lists_that_are_no_use(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "late", "is out of date: get a newer one" },
		{ "other", "has no list of '/CN=ca'" },
		{ "nowhere", "cannot read the CRL file" },
		{ "forged", "is not signed by '/CN=ca'" },
		{ "empty", "is not usable" },
	};
	FILE *file;

	(void)state;
	duo_open(&duo);
	/* Another key by the same name. */
	CHECK_EQ(rename(pki_path("ca", ".pem"), pki_path("ca", ".was")), 0);
	pki_authority("ca");
	pki_crl("forged", "ca", NULL, HOUR);
	CHECK_EQ(rename(pki_path("ca", ".was"), pki_path("ca", ".pem")), 0);
	file = CHECK_OBJECT(fopen(pki_path("empty", ".crl"), "w"));
	fclose(file);
	CHECK_SRDMA(load_crl(&duo.server, "client"));
	duo_start(&duo);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_EQ(load_crl(&duo.server, rows[i].name), SRDMA_ECONFIG);
		if (!strstr(srdma_detail(), rows[i].text))
			check_failed(__FILE__, __LINE__, "%s: %s", rows[i].name,
			             srdma_detail());
	}
	duo_dial(&duo, "127.0.0.1");
	check_ends("is revoked", "our certificate is revoked");
	duo_close(&duo);
}

/* One session with a certificate that lives so long; whether it was established. */
static bool outlived(long seconds)
{
	bool established;

	pki_issue(&(struct pki_leaf){ "brief", "ca", "URI:a:b", NULL, -HOUR, seconds });
	duo_open(&duo);
	duo_certificate(&duo.client, "brief", "ca");
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	check_ends("has expired", "");
	established = duo.server.established && duo.client.established;
	duo_close(&duo);
	return established;
}

/* However slow this machine is: some time is enough to get established. */
static void expires_while_it_lasts(void **state)
{
	long seconds = 1;

	(void)state;
	while (!outlived(seconds) && seconds < 60)
		seconds *= 2;
	CHECK(seconds < 60);
	assert_non_null(strstr(duo.server.reason, "has expired: it must be renewed"));
	assert_non_null(strstr(duo.client.reason, "ended the session: the certificate"));
}

/*
 * OCSP
 */

static void staple(const char *leaf, const char *response)
{
	duo_open(&duo);
	duo_certificate(&duo.server, leaf, "ca");
	if (response)
		CHECK_SRDMA(srdma_context_set_text(duo.server.context,
		                                   SRDMA_OPT_OCSP_RESPONSE,
		                                   pki_path(response, ".ocsp")));
}

static void stapled_good(void **state)
{
	(void)state;
	pki_ocsp("good", "ca", "stapled", "ca", V_OCSP_CERTSTATUS_GOOD, HOUR);
	staple("stapled", "good");
	duo_start(&duo);
	duo_connect(&duo);
	duo_close(&duo);
}

/* It was put there by hand: our server would not send some of them. */
static void stapled_bad(void **state)
{
	static const struct {
		const char *signer;
		int status;
		const char *text;
	} rows[] = {
		{ "ca", V_OCSP_CERTSTATUS_REVOKED, "the certificate is revoked" },
		{ "ca", V_OCSP_CERTSTATUS_UNKNOWN, "does not know the certificate" },
		{ "other", V_OCSP_CERTSTATUS_GOOD, "not signed by the certificate's" },
		{ "client", V_OCSP_CERTSTATUS_GOOD, "not signed by the certificate's" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pki_ocsp("bad", rows[i].signer, "second", "ca", rows[i].status, HOUR);
		staple("second", "bad");
		duo_start(&duo);
		duo_dial(&duo, "127.0.0.1");
		check_ends("does not accept the OCSP response of our certificate",
		           rows[i].text);
		CHECK_EQ(duo.server.established + duo.client.established, 0);
		duo_close(&duo);
	}
}

static void nothing_stapled(void **state)
{
	(void)state;
	staple("stapled", NULL);
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	check_ends("does not accept the OCSP response", "there has to be");
	duo_close(&duo);
}

/* One out of date is not sent; for a certificate that can do without, that is no matter.
 */
static void stapled_late(void **state)
{
	(void)state;
	pki_ocsp("late", "ca", "second", "ca", V_OCSP_CERTSTATUS_GOOD, -HOUR);
	staple("second", "late");
	duo_start(&duo);
	duo_connect(&duo);
	duo_close(&duo);
}

static void responses_that_are_no_use(void **state)
{
	(void)state;
	pki_ocsp("wrong", "ca", "client", "ca", V_OCSP_CERTSTATUS_GOOD, HOUR);
	staple("second", "wrong");
	CHECK_EQ(srdma_context_load(duo.server.context), SRDMA_ECONFIG);
	assert_non_null(strstr(srdma_detail(), "is not about our certificate"));
	CHECK_SRDMA(srdma_context_set_text(duo.server.context, SRDMA_OPT_OCSP_RESPONSE,
	                                   pki_path("ca", ".pem")));
	CHECK_EQ(srdma_context_load(duo.server.context), SRDMA_ECONFIG);
	assert_non_null(strstr(srdma_detail(), "it must be a response in DER"));
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_on_the_list),
		cmocka_unit_test(server_on_the_list),
		cmocka_unit_test(revoked_while_it_lasts),
		cmocka_unit_test(authority_gone_while_it_lasts),
		cmocka_unit_test(worker_freed_meanwhile),
		cmocka_unit_test(expires_while_it_lasts),
		cmocka_unit_test(stapled_good),
		cmocka_unit_test(stapled_bad),
		cmocka_unit_test(nothing_stapled),
		cmocka_unit_test(stapled_late),
		cmocka_unit_test(responses_that_are_no_use),
		cmocka_unit_test(lists_that_are_no_use),
	};

	return cmocka_run_group_tests(tests, open_pki, pki_tear_down);
}
