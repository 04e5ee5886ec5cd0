/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is on this mock host, for tools such as `mockrdma ls`: exported by libmockrdma.so,
 * found with dlsym(3). It takes no part in the host and no lock: it only reads, and what
 * it shows may have changed meanwhile.
 *
 * Each object is a list of named fields. Names and meanings stay; new ones may come, in
 * any place. The kinds, and their fields (mockrdma(1) explains them):
 *
 *   process   pid program since shared
 *   device    pid name netdev
 *   qp        pid device qpn type state peer_qpn peer_gid peer_pid
 *   cq        pid cq size entries channel overrun
 *   mr        pid pd address length access
 *   listener  pid port_space address port listening
 *   counters  pid program, then one field for each counter; the last one, with pid 0, is
 * the host's total, those included that have gone
 */
#ifndef MOCKRDMA_INSPECT_H
#define MOCKRDMA_INSPECT_H

#include <stdint.h>

struct mockrdma_field {
	const char *name;
	const char *text; /* NULL: it is a number */
	uint64_t number;
};

/* Called for each object; the fields live until it returns. Not 0: no more, please. */
typedef int mockrdma_visit(void *arg, const struct mockrdma_field *fields,
                           unsigned int count);

/*
 * Visits all objects of a kind. 0, also when nobody is on the host; what visit()
 * returned; -EINVAL for an unknown kind, -EPROTO when the host is of another version,
 * -errno.
 */
int mockrdma_inspect(const char *kind, mockrdma_visit *visit, void *arg);
typedef int mockrdma_inspect_function(const char *kind, mockrdma_visit *visit, void *arg);

/*
 * Calls line() for each packet of a capture file (MOCKRDMA_PCAP), with what it says. 0,
 * what line() returned when that was not 0, -EPROTO when it is no such file, -errno.
 */
int mockrdma_dump(const char *file, int (*line)(void *arg, const char *text), void *arg);
typedef int mockrdma_dump_function(const char *file,
                                   int (*line)(void *arg, const char *text), void *arg);

#endif
