/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of ours in a program that does not know of them. */
#ifndef MOCK_HOST_THREAD_H
#define MOCK_HOST_THREAD_H

#include <pthread.h>

/* With every signal blocked: those are the program's. 0 or -errno, of which -ENOMEM says
 * that there was no room for what a thread needs. */
int thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                 void *arg);

#endif
