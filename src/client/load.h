/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One process's share of `bench`: many sessions at a time, which are set up, then idle,
 * and then each send a message, and the next one when it has come back, or at its time.
 */
#ifndef CLIENT_LOAD_H
#define CLIENT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "client/histogram.h"
#include "client/options.h"
#include "program/fault.h"

struct load_plan {
	const struct client_options *options;
	const char *host, *port;
	uint64_t began_us;    /* clock_us() of all processes' beginning */
	uint64_t sessions;    /* of this process */
	uint64_t opening;     /* of them at a time that are being set up */
	uint64_t size;        /* of a message's payload, bytes */
	uint64_t for_ms;      /* how long messages are sent */
	uint64_t interval_ms; /* between a session's messages; 0: as fast as it goes */
};

/* Told when all sessions are there, or failed, and again at the end. */
struct load_result {
	uint64_t established, failed; /* to be so */
	uint64_t lost;                /* that ended before they were to */
	int fault;                    /* the first failure's, … */
	char text[FAULT_TEXT];        /* … and its sentence */
	uint64_t message_us;          /* how long messages were sent */
	uint64_t bytes;               /* of payload, one way */
	struct histogram set_up;      /* ns, each session from its beginning */
	struct histogram there;       /* ns since began_us when it was established */
	struct histogram round_trip;  /* ns */
};

/*
 * The process: tells `control` a struct load_result when the sessions are there, waits
 * for a byte, sends messages, tells another struct load_result, closes. It ends early
 * when the other end of `control` is closed. For use after fork(): does not return.
 */
_Noreturn void load_run(const struct load_plan *plan, int control);

#endif
