/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/report.h"
#include "program/attested.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

void report_begin(struct report *report, const char *command, bool as_json)
{
	*report = (struct report){ .command = command, .as_json = as_json };
}

void report_say(const struct report *report, const char *format, ...)
{
	va_list args;

	if (report->as_json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void report_amount(struct report *report, uint64_t bytes, uint64_t us)
{
	json_uint(&report->json, "bytes", bytes);
	json_double(&report->json, "seconds", (double)us / 1e6);
	json_double(&report->json, "bytes_per_second",
	            us ? (double)bytes * 1e6 / (double)us : 0);
}

static void add_checks(struct json *json, unsigned checked)
{
	json_open(json, "checked", '{');
	json_bool(json, "tls", checked & SRDMA_ATTESTED_TLS);
	json_bool(json, "psn_in_force", checked & SRDMA_ATTESTED_PSN_IN_FORCE);
	json_bool(json, "proof_received", checked & SRDMA_ATTESTED_PROOF_RECEIVED);
	json_bool(json, "proof_accepted", checked & SRDMA_ATTESTED_PROOF_ACCEPTED);
	json_close(json, '}');
}

static void add_session(struct json *json, const struct client *client)
{
	const struct srdma_session *session = client->session;
	struct srdma_attestation a;
	struct srdma_session_stats stats = { 0 };

	if (!client->established || srdma_session_attestation(session, &a, sizeof(a)) < 0)
		return;
	srdma_session_stats(session, &stats, sizeof(stats));
	json_open(json, "session", '{');
	json_string(json, "address", srdma_session_address(session));
	json_string(json, "server", srdma_identity_text(srdma_session_peer(session)));
	json_string(json, "tls", a.tls);
	json_string(json, "transport", attested_transport(&a));
	json_string(json, "connect", attested_connect(&a));
	json_string(json, "protection", a.protection);
	json_bool(json, "packets_protected", a.packets_protected);
	json_string(json, "device", a.device);
	json_string(json, "gid", a.gid);
	json_string(json, "qp_state", a.qp_state);
	json_string(json, "psn_local", a.psn_local);
	json_string(json, "psn_peer", a.psn_peer);
	add_checks(json, a.checked);
	json_bool(json, "psn_exchanged", a.checked == SRDMA_ATTESTED_ALL);
	json_bool(json, "proven", attested_all(&a));
	json_uint(json, "established_us", stats.established_us);
	json_close(json, '}');
}

static void print_json(struct report *report, const struct client *client, int error,
                       const char *text)
{
	struct json json = { 0 };

	json_open(&json, NULL, '{');
	json_string(&json, "command", report->command);
	json_bool(&json, "ok", !error);
	if (error) {
		json_open(&json, "error", '{');
		json_string(&json, "code", fault_name(error));
		json_string(&json, "message", text);
		json_close(&json, '}');
	}
	json_members(&json, &report->json); /* what there is to say all the same, too */
	if (client)
		add_session(&json, client);
	json_close(&json, '}');
	if (json_text(&json))
		puts(json_text(&json));
	json_free(&json);
}

/* The library does not know how our options are called. */
static const char *hint(int error)
{
	switch (-error) {
	case FAULT_CERTIFICATE: return " (options --cert, --key, --ca)";
	case FAULT_WRONG_NAME: return " (option --server-name)";
	case FAULT_TIMEOUT: return " (option --timeout)";
	default: return "";
	}
}

int report_end(struct report *report, const struct client *client, int error)
{
	char text[FAULT_TEXT + 64];

	snprintf(text, sizeof(text), "%s%s", error ? fault_text() : "", hint(error));
	if (error)
		fprintf(stderr, "secure_client: %s\n", text);
	if (report->as_json)
		print_json(report, client, error, text);
	json_free(&report->json);
	if (fflush(stdout) != 0 && !error) {
		fprintf(stderr, "secure_client: cannot write to standard output\n");
		return EXIT_FAILURE;
	}
	if (error)
		return error == -FAULT_USAGE ? EXIT_USAGE : EXIT_FAILURE;
	return EXIT_SUCCESS;
}
