/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/retry.h"

#include <openssl/rand.h>
#include <time.h>

#include "common/clock.h"
#include "program/logger.h"

#define FIRST_WAIT_MS 100
#define LAST_WAIT_MS  10000
#define STEADY_US     (LAST_WAIT_MS * UINT64_C(1000)) /* a session that held so long */

/* What another attempt can find otherwise: not certificates, names, rights or files. */
static bool may_pass(int error)
{
	switch (-error) {
	case FAULT_BUSY:
	case FAULT_STOPPING:
	case FAULT_REFUSED:
	case FAULT_UNREACHABLE:
	case FAULT_VANISHED:
	case FAULT_TIMEOUT:
	case FAULT_NETWORK:
	case FAULT_CLOSED: return true;
	default: return false;
	}
}

/*
 * Twice as long each time, up to a limit, and half of it by chance: clients that a server
 * lost at the same time shall not all come back at the same time.
 */
static uint64_t wait_ms(uint64_t failures)
{
	uint64_t most = LAST_WAIT_MS;
	uint32_t random = 0;

	if (failures < 8 && FIRST_WAIT_MS << failures < LAST_WAIT_MS)
		most = FIRST_WAIT_MS << failures;
	if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
		return most;
	return most / 2 + random % (most / 2 + 1);
}

/* A signal ends it. */
static void pause_ms(uint64_t ms)
{
	const struct timespec time = { .tv_sec = (time_t)(ms / 1000),
		                       .tv_nsec = (long)(ms % 1000 * 1000000) };

	nanosleep(&time, NULL);
}

void retry_begin(struct retry *retry)
{
	retry->began_us = clock_us();
}

bool retry_again(struct retry *retry, struct call *call, const struct command *command,
                 int error)
{
	struct client *client = call->client;
	uint64_t ms;

	if (client->established && clock_us() - retry->began_us > STEADY_US)
		retry->failures = 0;
	if (retry->failures >= client->options.reconnect || !may_pass(error) ||
	    client_was_interrupted())
		return false;
	if (client->established && (!command->repeats || call->resume.once))
		return false;
	ms = wait_ms(retry->failures++);
	log_say(SRDMA_LOG_WARN, "%s: trying again in %llu ms (%llu of %llu)",
	        fault_text(), (unsigned long long)ms, (unsigned long long)retry->failures,
	        (unsigned long long)client->options.reconnect);
	client_close(client);
	pause_ms(ms);
	return true;
}
