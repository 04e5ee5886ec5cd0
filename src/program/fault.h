/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can go wrong in the programs: 0 or the negative of one of these, everywhere, with
 * a sentence that names the object and what to do. The same codes travel in FAIL
 * messages, so their numbers are fixed.
 */
#ifndef PROGRAM_FAULT_H
#define PROGRAM_FAULT_H

#define FAULT_TEXT 400 /* bytes of a sentence, the zero included */

enum fault {
	FAULT_NONE = 0,
	FAULT_USAGE = 1,        /* command line or configuration */
	FAULT_NO_EXPORT = 2,    /* the server shares nothing under this name */
	FAULT_READ_ONLY = 3,    /* the export takes no files */
	FAULT_NOT_FOUND = 4,    /* no such file or directory */
	FAULT_EXISTS = 5,       /* there is one already, and it was not to be replaced */
	FAULT_NOT_A_FILE = 6,   /* a directory, a device, … */
	FAULT_NO_DIRECTORY = 7, /* a part of the path is not a directory */
	FAULT_OUTSIDE = 8,      /* the path leaves the export */
	FAULT_BAD_NAME = 9,     /* a name that no file may have */
	FAULT_DENIED = 10,      /* the system's permissions */
	FAULT_NO_SPACE = 11,    /* disk or quota full */
	FAULT_TOO_LARGE = 12,   /* over a limit of the file system or of the process */
	FAULT_IO = 13,          /* any other failure of the file system */
	FAULT_MISMATCH = 14,    /* SHA-256 or length differ */
	FAULT_CHANGED = 15,     /* the file changed while it was read */
	FAULT_BUSY = 16,        /* a limit of the server is reached for now */
	FAULT_CANCELLED = 17,   /* the other side gave up */
	FAULT_STOPPING = 18,    /* the server is being stopped */
	FAULT_PROTOCOL = 19,    /* a message that does not belong there */
	FAULT_UNSUPPORTED = 20, /* not offered by this server */
	FAULT_MEMORY = 21,
	FAULT_RANGE = 22,     /* outside of the scratch region */
	FAULT_FORBIDDEN = 23, /* the server's policy */
	/* Of the session: they never travel. */
	FAULT_REFUSED = 100,
	FAULT_UNREACHABLE,
	FAULT_VANISHED,
	FAULT_TIMEOUT,
	FAULT_CERTIFICATE,
	FAULT_WRONG_NAME,
	FAULT_TLS,
	FAULT_PROOF,
	FAULT_NO_DEVICE,
	FAULT_CONFIG,
	FAULT_LIMIT,
	FAULT_SYSTEM,
	FAULT_NETWORK,
	FAULT_SEAL,
	FAULT_CLOSED,
	FAULT_INTERNAL,
};

/* Remembers the sentence for this thread and returns -code. */
int fault(enum fault code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same for a failed system call: the code follows from `error` (an errno), and the
 * sentence gets the system's reason at its end.
 */
int fault_errno(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a code of libsrdma, whose own sentence it takes over. */
int fault_srdma(int code);
int fault_srdma_text(int code, const char *text);

/* The last sentence of this thread. Never NULL. */
const char *fault_text(void);

/* "no_space": for JSON. Takes the code or its negative; never NULL. */
const char *fault_name(int code);

/* A code that came from the peer: FAULT_PROTOCOL for one that never travels. */
int fault_from_wire(unsigned code);

#endif
