/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ends of sessions in one thread: a server's worker and a client's, run in turn until
 * something is so. What their callbacks saw is kept for the test to look at.
 */
#ifndef TESTS_DUO_H
#define TESTS_DUO_H

#include <srdma.h>
#include <stdbool.h>

struct duo_end {
	struct srdma_context *context;
	struct srdma_worker *worker;
	struct srdma_session *session; /* the newest; NULL once freed */
	/* What to do. */
	bool refuse;          /* in on_authenticated */
	bool keep;            /* messages: in `kept`, for the test to release */
	bool echo;            /* messages */
	bool free_at_message; /* free the session from within on_message */
	bool free_at_end;     /* … from within on_closed */
	/* What was seen. */
	char identity[128];
	unsigned established;
	unsigned closed;
	unsigned closing;
	unsigned writable;
	int code; /* of on_closed */
	char reason[512];
	unsigned messages;
	unsigned long long bytes;
	bool in_order; /* message n began with n, a 32-bit number, or was shorter */
	char last[65536];
	size_t last_length;
	struct srdma_message *kept[1024];
	unsigned kept_count;
	unsigned completions;
	unsigned failures; /* of those */
	int last_status;
	void *last_op;
	struct srdma_remote *remote;
	unsigned grants;
	unsigned revokes;
	unsigned completions_at_revoke;
	unsigned releases;
	unsigned long long released_tag;
};

struct duo {
	struct duo_end server;
	struct duo_end client;
	struct srdma_listener *listener;
	char port[8];
};

/* Mask of enum srdma_protection for the contexts to come; 0: as the library has it. */
extern unsigned duo_protection;
/* Likewise: SRDMA_OPT_PACKET_PROTECTION. */
extern enum srdma_packets duo_packets;

/*
 * DUO_FABRIC=PROVIDER in the environment: sessions by that provider of libfabric, in
 * place of verbs. NULL: by verbs.
 */
const char *duo_provider(void);
void duo_choose_transport(struct srdma_context *context);

/* Contexts with the certificates of pki.h; options may be set before duo_start(). */
void duo_open(struct duo *duo);
void duo_certificate(struct duo_end *end, const char *name, const char *authority);

/* Workers and the listener. */
void duo_start(struct duo *duo);

/* Begin a session; `host` is usually "127.0.0.1". */
void duo_dial(struct duo *duo, const char *host);

/* All of the above, until both ends are established. */
void duo_connect(struct duo *duo);
void duo_close(struct duo *duo);

/* One turn of both ends; waits for something to do, up to 20 ms. */
void duo_turn(struct duo *duo);

/* Turns until the condition, which must come true within the test's patience. */
#define DUO_UNTIL(duo, condition)                                              \
	do {                                                                   \
		uint64_t duo_end_ = deadline_in(PATIENCE_MS);                  \
		while (!(condition)) {                                         \
			if (deadline_passed(duo_end_))                         \
				check_failed(__FILE__, __LINE__,               \
				             "never came true: %s"             \
				             " (server: %s; client: %s)",      \
				             #condition, (duo)->server.reason, \
				             (duo)->client.reason);            \
			duo_turn(duo);                                         \
		}                                                              \
	} while (0)

/* The same tests once more, with messages in clear; from main(). */
#define DUO_SEALED_AND_CLEAR(tests, setup, teardown)                     \
	(cmocka_run_group_tests_name("sealed", tests, setup, teardown) + \
	 (duo_protection = SRDMA_PROTECTION_NONE,                        \
	  cmocka_run_group_tests_name("in clear", tests, setup, teardown)))

/* A call of the library that must succeed. */
#define CHECK_SRDMA(call)                                                      \
	do {                                                                   \
		int check_code_ = (call);                                      \
		if (check_code_)                                               \
			check_failed(__FILE__, __LINE__, "%s: %s (%d)", #call, \
			             srdma_detail(), check_code_);             \
	} while (0)

#endif
