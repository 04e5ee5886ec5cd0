// SPDX-License-Identifier: BSD-2-Clause
/* A capture as text: one line for each packet. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link/capture.h"
#include "link/pcap_library.h"
#include "wire/cursor.h"
#include "wire/headers.h"
#include "wire/icrc.h"
#include "wire/line.h"
#include "wire/mad.h"
#include "wire/protected.h"
#include "wire/roce.h"

enum {
	ETHERNET_ADDRESSES = 12,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	IPV4_LENGTH = 20,
	IPV6_LENGTH = 40,
	PROTOCOL_UDP = 17,
	LINE = 512,
};

/* A RoCE packet in a frame. */
struct frame {
	int family;
	const uint8_t *ip, *from, *to;
	const uint8_t *bth;
	size_t length; /* from the BTH on, with ICRC */
};

/* The address after the fields that nobody asks for here; the protocol, or 0. */
static unsigned int read_ipv4(struct reader *r, struct frame *frame)
{
	const uint8_t *header = read_bytes(r, IPV4_LENGTH);

	if (!header || header[0] != 0x45)
		return 0;
	frame->family = AF_INET;
	frame->from = header + 12;
	frame->to = header + 16;
	return header[9];
}

static unsigned int read_ipv6(struct reader *r, struct frame *frame)
{
	const uint8_t *header = read_bytes(r, IPV6_LENGTH);

	if (!header)
		return 0;
	frame->family = AF_INET6;
	frame->from = header + 8;
	frame->to = header + 24;
	return header[6];
}

/* False when it is another kind of packet, or not all of it is there. */
static bool find(const uint8_t *data, size_t length, struct frame *frame)
{
	struct reader r = reader_of(data, length);
	unsigned int type, protocol = 0, port, size;

	read_bytes(&r, ETHERNET_ADDRESSES);
	type = read_u16(&r);
	frame->ip = r.at;
	if (type == TYPE_IPV4)
		protocol = read_ipv4(&r, frame);
	else if (type == TYPE_IPV6)
		protocol = read_ipv6(&r, frame);
	if (protocol != PROTOCOL_UDP)
		return false;
	read_u16(&r);
	port = read_u16(&r);
	size = read_u16(&r);
	read_u16(&r);
	if (r.bad || port != ROCE_PORT || size < UDP_LENGTH + ICRC_BTH + ICRC_LENGTH)
		return false;
	frame->length = size - UDP_LENGTH;
	frame->bth = read_bytes(&r, frame->length);
	return frame->bth;
}

static bool icrc_is_right(const struct frame *frame)
{
	size_t length = frame->length - ICRC_LENGTH;
	const uint8_t *at = frame->bth + length;
	uint32_t crc = icrc(frame->ip, frame->bth, length);

	return crc == (at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24);
}

static enum roce_error describe_plain(const struct frame *frame, char *text, size_t size)
{
	enum roce_error error;
	struct roce roce;
	struct mad mad;

	error = roce_decode(frame->bth, frame->length, &roce);
	if (error)
		return error;
	if (roce.dest_qpn == 1 && !mad_decode(roce.payload, roce.length, &mad))
		mad_print(&mad, text, size);
	else
		roce_print(&roce, text, size);
	return ROCE_OK;
}

static enum roce_error describe_protected(const struct frame *frame, char *text,
                                          size_t size)
{
	struct protected_packet packet;
	enum roce_error error;

	error = protected_decode(frame->bth, frame->length - ICRC_LENGTH, &packet);
	if (!error)
		protected_print(&packet, text, size);
	return error;
}

static void add_packet(struct line *line, const struct frame *frame)
{
	enum roce_error error;
	char text[LINE / 2];

	if (opcode_is_protected(*frame->bth))
		error = describe_protected(frame, text, sizeof(text));
	else
		error = describe_plain(frame, text, sizeof(text));
	if (error) {
		line_add(line, " not a packet: %s", roce_error_name(error));
		return;
	}
	line_add(line, " %s", text);
	if (!icrc_is_right(frame))
		line_add(line, " ICRC wrong");
}

static void print(const struct pcap_pkthdr *header, const uint8_t *data,
                  struct line *line)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	struct frame frame;

	line_add(line, "%lld.%09ld", (long long)header->ts.tv_sec,
	         (long)header->ts.tv_usec);
	if (!find(data, header->caplen, &frame)) {
		line_add(line, " another packet of %u bytes", header->len);
		return;
	}
	inet_ntop(frame.family, frame.from, from, sizeof(from));
	inet_ntop(frame.family, frame.to, to, sizeof(to));
	line_add(line, " %s > %s", from, to);
	add_packet(line, &frame);
}

static int print_all(const struct pcap_library *pcap, pcap_t *file,
                     int (*visit)(void *arg, const char *text), void *arg)
{
	struct pcap_pkthdr *header;
	const uint8_t *data;
	char text[LINE];
	int err = 0;

	while (!err && pcap->pcap_next_ex(file, &header, &data) == 1) {
		struct line line = { text, sizeof(text), 0 };

		print(header, data, &line);
		err = visit(arg, text);
	}
	/* What follows the last whole packet is of one that was being written. */
	return err;
}

int capture_print(const char *name, int (*line)(void *arg, const char *text), void *arg)
{
	char why[PCAP_ERRBUF_SIZE];
	const struct pcap_library *pcap = pcap_library();
	FILE *stream;
	pcap_t *file;
	int err;

	if (!pcap)
		return -ELIBACC;
	stream = fopen(name, "re");
	if (!stream)
		return -errno;
	file = pcap->pcap_fopen_offline_with_tstamp_precision(
	        stream, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!file) {
		fclose(stream);
		return -EPROTO;
	}
	err = pcap->pcap_datalink(file) == DLT_EN10MB ? print_all(pcap, file, line, arg)
	                                              : -EPROTO;
	pcap->pcap_close(file);
	return err;
}
