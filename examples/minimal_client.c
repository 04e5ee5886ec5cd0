/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends a text to examples/minimal_server.c and prints what comes back.
 *
 *   minimal_client CERTIFICATE KEY CA HOST PORT TEXT
 */
#include <srdma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT 10000 /* ms */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "minimal_client: %s: %s\n", what, srdma_detail());
	exit(1);
}

int main(int argc, char **argv)
{
	struct srdma_attestation attestation;
	struct srdma_context *context;
	struct srdma_session *session;
	char answer[65536];
	size_t length;

	if (argc != 7) {
		fprintf(stderr,
		        "usage: minimal_client CERTIFICATE KEY CA HOST PORT TEXT\n");
		return 2;
	}
	if (srdma_context_new(&context) ||
	    srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE, argv[1]) ||
	    srdma_context_set_text(context, SRDMA_OPT_KEY, argv[2]) ||
	    srdma_context_set_text(context, SRDMA_OPT_CA, argv[3]) ||
	    srdma_context_load(context))
		die("context");
	if (srdma_dial(context, argv[4], argv[5], NULL, NULL, TIMEOUT, &session))
		die("connect");

	if (!srdma_session_attestation(session, &attestation, sizeof(attestation)) &&
	    attestation.checked == SRDMA_ATTESTED_ALL)
		printf("connected to %s by %s over %s; PSNs %s and %s proven\n",
		       srdma_identity_text(srdma_session_peer(session)),
		       attestation.device, attestation.tls, attestation.psn_local,
		       attestation.psn_peer);

	if (srdma_send_wait(session, argv[6], strlen(argv[6]), TIMEOUT))
		die("send");
	if (srdma_recv_wait(session, answer, sizeof(answer), TIMEOUT, &length))
		die("receive");
	printf("%.*s\n", (int)length, answer);

	if (srdma_close_wait(session, TIMEOUT))
		die("close");
	srdma_session_free(session);
	srdma_context_free(context);
	return 0;
}
