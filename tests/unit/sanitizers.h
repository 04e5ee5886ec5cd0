/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this test runs under ThreadSanitizer, which cannot follow every fork. */
#ifndef TESTS_UNIT_SANITIZERS_H
#define TESTS_UNIT_SANITIZERS_H

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#endif
