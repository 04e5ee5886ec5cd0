/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/platform.h"
#include "session/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum srdma_category category;
	const char *text;
} codes[] = {
	[0] = { SRDMA_OK, "success" },
	[-SRDMA_EBLOCKED] = { SRDMA_BLOCKED, "not now, try again later" },
	[-SRDMA_ECLOSED] = { SRDMA_CLOSED, "the session is closed" },
	[-SRDMA_EREFUSED] = { SRDMA_PEER, "the peer refused" },
	[-SRDMA_EUNREACHABLE] = { SRDMA_PEER, "the peer cannot be reached" },
	[-SRDMA_EVANISHED] = { SRDMA_PEER,
	                       "the peer went away without closing the session" },
	[-SRDMA_ETIMEOUT] = { SRDMA_PEER, "the peer did not answer in time" },
	[-SRDMA_ECERT] = { SRDMA_PEER, "a certificate was not accepted" },
	[-SRDMA_ENAME] = { SRDMA_PEER, "the certificate is for another name" },
	[-SRDMA_ETLS] = { SRDMA_PEER, "TLS failed" },
	[-SRDMA_EPROOF] = { SRDMA_PROTOCOL,
	                    "the queue pair does not lead to the TLS peer" },
	[-SRDMA_EPROTOCOL] = { SRDMA_PROTOCOL, "the peer violated the protocol" },
	[-SRDMA_EVERSION] = { SRDMA_PROTOCOL,
	                      "no common version, mode or data protection" },
	[-SRDMA_EINVAL] = { SRDMA_USAGE, "invalid argument" },
	[-SRDMA_ESTATE] = { SRDMA_USAGE, "not possible in this state" },
	[-SRDMA_ERIGHTS] = { SRDMA_USAGE, "outside of what was granted" },
	[-SRDMA_ECONFIG] = { SRDMA_USAGE, "the configuration is wrong" },
	[-SRDMA_ENODEVICE] = { SRDMA_RESOURCE, "no RDMA device" },
	[-SRDMA_ENOMEM] = { SRDMA_RESOURCE, "out of memory" },
	[-SRDMA_ELIMIT] = { SRDMA_RESOURCE, "a limit was reached" },
	[-SRDMA_ESYSTEM] = { SRDMA_RESOURCE, "a system call failed" },
	[-SRDMA_ERANDOM] = { SRDMA_INTERNAL, "the random generator failed" },
	[-SRDMA_EINTERNAL] = { SRDMA_INTERNAL, "a fault of the library" },
	[-SRDMA_ENETWORK] = { SRDMA_PEER, "the RDMA connection broke" },
	[-SRDMA_ESEAL] = { SRDMA_PROTOCOL, "the seal of a message is broken" },
	[-SRDMA_ECROWDED] = { SRDMA_RESOURCE, "closed for a newer connection" },
};

static const char *const category_names[] = {
	[SRDMA_OK] = "ok",
	[SRDMA_BLOCKED] = "blocked",
	[SRDMA_CLOSED] = "closed",
	[SRDMA_PEER] = "peer",
	[SRDMA_PROTOCOL] = "protocol",
	[SRDMA_USAGE] = "usage",
	[SRDMA_RESOURCE] = "resource",
	[SRDMA_INTERNAL] = "internal",
};

static _Thread_local char detail[512];

static bool known(int code)
{
	return code <= 0 && code > -(int)(sizeof(codes) / sizeof(codes[0]));
}

enum srdma_category srdma_category(int code)
{
	return known(code) ? codes[-code].category : SRDMA_INTERNAL;
}

const char *srdma_category_name(enum srdma_category category)
{
	if ((unsigned)category >= sizeof(category_names) / sizeof(category_names[0]))
		return "unknown";
	return category_names[category];
}

const char *srdma_strerror(int code)
{
	return known(code) ? codes[-code].text : "unknown error";
}

const char *srdma_detail(void)
{
	return detail;
}

int srdma_fail(int code, const char *format, ...)
{
	char text[sizeof(detail)];
	va_list args;

	/* By way of a second buffer: an argument may be srdma_detail() itself. */
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(detail, text, sizeof(detail));
	return code;
}

const char *errno_text(int number)
{
	static _Thread_local char text[128];

	return platform_error_text(abs(number), text, sizeof(text));
}
