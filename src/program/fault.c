/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/platform.h"
#include "srdma.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	enum fault code;
	const char *name;
} names[] = {
	{ FAULT_NONE, "none" },
	{ FAULT_USAGE, "usage" },
	{ FAULT_NO_EXPORT, "no_export" },
	{ FAULT_READ_ONLY, "read_only" },
	{ FAULT_NOT_FOUND, "not_found" },
	{ FAULT_EXISTS, "exists" },
	{ FAULT_NOT_A_FILE, "not_a_file" },
	{ FAULT_NO_DIRECTORY, "no_directory" },
	{ FAULT_OUTSIDE, "outside" },
	{ FAULT_BAD_NAME, "bad_name" },
	{ FAULT_DENIED, "denied" },
	{ FAULT_NO_SPACE, "no_space" },
	{ FAULT_TOO_LARGE, "too_large" },
	{ FAULT_IO, "io" },
	{ FAULT_MISMATCH, "mismatch" },
	{ FAULT_CHANGED, "changed" },
	{ FAULT_BUSY, "busy" },
	{ FAULT_CANCELLED, "cancelled" },
	{ FAULT_STOPPING, "stopping" },
	{ FAULT_PROTOCOL, "protocol" },
	{ FAULT_UNSUPPORTED, "unsupported" },
	{ FAULT_MEMORY, "memory" },
	{ FAULT_RANGE, "range" },
	{ FAULT_FORBIDDEN, "forbidden" },
	{ FAULT_REFUSED, "refused" },
	{ FAULT_UNREACHABLE, "unreachable" },
	{ FAULT_VANISHED, "vanished" },
	{ FAULT_TIMEOUT, "timeout" },
	{ FAULT_CERTIFICATE, "certificate" },
	{ FAULT_WRONG_NAME, "wrong_name" },
	{ FAULT_TLS, "tls" },
	{ FAULT_PROOF, "proof" },
	{ FAULT_NO_DEVICE, "no_device" },
	{ FAULT_CONFIG, "config" },
	{ FAULT_LIMIT, "limit" },
	{ FAULT_SYSTEM, "system" },
	{ FAULT_NETWORK, "network" },
	{ FAULT_SEAL, "seal" },
	{ FAULT_CLOSED, "closed" },
	{ FAULT_INTERNAL, "internal" },
};

static const struct {
	int number;
	enum fault code;
} system_faults[] = {
	{ ENOENT, FAULT_NOT_FOUND },  { EEXIST, FAULT_EXISTS },
	{ EISDIR, FAULT_NOT_A_FILE }, { ENOTDIR, FAULT_NO_DIRECTORY },
	{ EACCES, FAULT_DENIED },     { EPERM, FAULT_DENIED },
	{ EROFS, FAULT_READ_ONLY },   { ENOSPC, FAULT_NO_SPACE },
	{ EDQUOT, FAULT_NO_SPACE },   { EFBIG, FAULT_TOO_LARGE },
	{ ENOMEM, FAULT_MEMORY },     { ENAMETOOLONG, FAULT_BAD_NAME },
	{ EMFILE, FAULT_BUSY },       { ENFILE, FAULT_BUSY },
};

static const struct {
	int code;
	enum fault fault;
} session_faults[] = {
	{ SRDMA_ECLOSED, FAULT_CLOSED },
	{ SRDMA_EREFUSED, FAULT_REFUSED },
	{ SRDMA_EUNREACHABLE, FAULT_UNREACHABLE },
	{ SRDMA_EVANISHED, FAULT_VANISHED },
	{ SRDMA_ETIMEOUT, FAULT_TIMEOUT },
	{ SRDMA_ECERT, FAULT_CERTIFICATE },
	{ SRDMA_ENAME, FAULT_WRONG_NAME },
	{ SRDMA_ETLS, FAULT_TLS },
	{ SRDMA_EPROOF, FAULT_PROOF },
	{ SRDMA_EPROTOCOL, FAULT_PROTOCOL },
	{ SRDMA_EVERSION, FAULT_UNSUPPORTED },
	{ SRDMA_ERIGHTS, FAULT_RANGE },
	{ SRDMA_ECONFIG, FAULT_CONFIG },
	{ SRDMA_ENODEVICE, FAULT_NO_DEVICE },
	{ SRDMA_ENOMEM, FAULT_MEMORY },
	{ SRDMA_ELIMIT, FAULT_LIMIT },
	{ SRDMA_ECROWDED, FAULT_LIMIT },
	{ SRDMA_ESYSTEM, FAULT_SYSTEM },
	{ SRDMA_ENETWORK, FAULT_NETWORK },
	{ SRDMA_ESEAL, FAULT_SEAL },
};

static __thread char sentence[FAULT_TEXT];

int fault(enum fault code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return -(int)code;
}

static enum fault fault_of_errno(int error)
{
	for (size_t i = 0; i < COUNT(system_faults); i++)
		if (system_faults[i].number == error)
			return system_faults[i].code;
	return FAULT_IO;
}

int fault_errno(int error, const char *format, ...)
{
	char reason[128];
	size_t used;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	used = strlen(sentence);
	snprintf(sentence + used, sizeof(sentence) - used, ": %s",
	         platform_error_text(error, reason, sizeof(reason)));
	return -(int)fault_of_errno(error);
}

int fault_srdma_text(int code, const char *text)
{
	enum fault known = FAULT_INTERNAL;

	for (size_t i = 0; i < COUNT(session_faults); i++)
		if (session_faults[i].code == code)
			known = session_faults[i].fault;
	return fault(known, "%s", text && *text ? text : srdma_strerror(code));
}

int fault_srdma(int code)
{
	return fault_srdma_text(code, srdma_detail());
}

const char *fault_text(void)
{
	return sentence;
}

const char *fault_name(int code)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if ((int)names[i].code == abs(code))
			return names[i].name;
	return "unknown";
}

int fault_from_wire(unsigned code)
{
	return code > FAULT_NONE && code <= FAULT_FORBIDDEN ? -(int)code
	                                                    : -FAULT_PROTOCOL;
}
