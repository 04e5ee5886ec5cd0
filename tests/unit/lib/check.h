/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks that work wherever a test runs: in the process of cmocka they fail the test, in
 * a process that a test forked they say what was wrong and end that process with status
 * 1, which fails the test that waits for it.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#define CHECK(condition)       \
	((condition) ? (void)0 \
	             : check_failed(__FILE__, __LINE__, "not so: %s", #condition))

/* Integers of any kind; the message shows both. */
#define CHECK_EQ(actual, expected)                                    \
	check_equal(__FILE__, __LINE__, #actual, (long long)(actual), \
	            (long long)(expected))

/* For calls that answer -1 and set errno. */
#define CHECK_CALL(call) check_call(__FILE__, __LINE__, #call, (long long)(call))

/* For calls that answer -1 or NULL and set errno to what is expected. */
#define CHECK_FAILS(call, error)                                              \
	do {                                                                  \
		errno = 0;                                                    \
		long long check_result_ = (long long)(intptr_t)(call);        \
		check_fails(__FILE__, __LINE__, #call, check_result_, error); \
	} while (0)

/* For calls that answer an object, or NULL and set errno; is the object. */
#define CHECK_OBJECT(call)                                          \
	({                                                          \
		__auto_type check_object_ = (call);                 \
		if (!check_object_)                                 \
			check_no_object(__FILE__, __LINE__, #call); \
		check_object_;                                      \
	})

#define CHECK_BYTES(actual, expected, size) \
	check_bytes(__FILE__, __LINE__, #actual, actual, expected, size)

/* From now on this process is not cmocka's but one that a test forked, called name. */
void check_in_child(const char *name);

_Noreturn void check_failed(const char *file, int line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void check_equal(const char *file, int line, const char *what, long long actual,
                 long long expected);
long long check_call(const char *file, int line, const char *call, long long result);
void check_fails(const char *file, int line, const char *call, long long result,
                 int error);
_Noreturn void check_no_object(const char *file, int line, const char *call);
void check_bytes(const char *file, int line, const char *what, const void *actual,
                 const void *expected, unsigned long size);

#endif
