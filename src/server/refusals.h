/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that the devices of this machine refused, by what they count themselves (the
 * hw_counters of sysfs): of a device that is attacked the log is to tell, and a metric.
 */
#ifndef SERVER_REFUSALS_H
#define SERVER_REFUSALS_H

#include <stdio.h>

struct event_base;
struct refusals;

/* Reads them each second in the thread of that loop, from what they are now on. A fault
 * when there is no memory or timer; no devices, or devices that count nothing, are none.
 */
int refusals_watch(struct event_base *base, struct refusals **out);
void refusals_free(struct refusals *refusals);

/* Lines of a metric with that name, in the text format of Prometheus; in that thread. */
void refusals_print(const struct refusals *refusals, const char *name, FILE *out);

#endif
