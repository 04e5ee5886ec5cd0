/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpcap, loaded when a capture is first written or read: it brings a dozen libraries
 * with it, which no program should get only because it runs on the mock.
 */
#ifndef MOCK_LINK_PCAP_LIBRARY_H
#define MOCK_LINK_PCAP_LIBRARY_H

#include <pcap/pcap.h>

#define PCAP_FUNCTIONS(X)                           \
	X(pcap_open_dead_with_tstamp_precision)     \
	X(pcap_dump_fopen)                          \
	X(pcap_dump)                                \
	X(pcap_dump_close)                          \
	X(pcap_fopen_offline_with_tstamp_precision) \
	X(pcap_datalink)                            \
	X(pcap_next_ex)                             \
	X(pcap_close)

struct pcap_library {
#define PCAP_MEMBER(name) __typeof__(name) *name;
	PCAP_FUNCTIONS(PCAP_MEMBER)
#undef PCAP_MEMBER
};

/* NULL, and the reason is logged, when it is not installed. Any thread. */
const struct pcap_library *pcap_library(void);

#endif
