// SPDX-License-Identifier: BSD-2-Clause
/*
 * libpcap writes a record into memory, and one write(2) puts it at the end of the file:
 * so several processes can share a file, and there is never half a record in it.
 */
#include "link/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "host/settings.h"
#include "link/net_send.h"
#include "link/pcap_library.h"
#include "wire/headers.h"
#include "wire/icrc.h"

enum { LONGEST = 65535, ETHERNET = 14, FILE_HEADER = 24 };

static struct {
	pthread_mutex_t lock;
	pid_t pid; /* of the process that opened it: a child opens it anew */
	bool failed;
	int fd;
	char *record; /* what libpcap writes to */
	size_t size;
	FILE *memory;
	const struct pcap_library *pcap;
	pcap_t *kind;
	pcap_dumper_t *dumper;
} out = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

bool capture_wanted(void)
{
	return settings()->pcap;
}

/* %p is the process id, %% is %. */
static int file_name(char *to, size_t size)
{
	const char *from = settings()->pcap;
	size_t used = 0;

	for (; *from; from++) {
		int length = 1;

		if (used + 16 > size)
			return -ENAMETOOLONG;
		if (from[0] == '%' && from[1] == 'p') {
			length = snprintf(to + used, size - used, "%d", (int)getpid());
			from++;
		} else {
			to[used] = *from;
			from += from[0] == '%' && from[1] == '%';
		}
		used += (size_t)length;
	}
	to[used] = '\0';
	return 0;
}

/* What libpcap wrote into memory since the last time. */
static size_t written(void)
{
	long at;

	fflush(out.memory);
	at = ftell(out.memory);
	rewind(out.memory);
	return at > 0 ? (size_t)at : 0;
}

static int append(size_t length)
{
	return write(out.fd, out.record, length) == (ssize_t)length ? 0 : -errno;
}

/* The first one that opens a file begins it; later ones add to one that began alike. */
static int begin(size_t length)
{
	char found[FILE_HEADER];
	ssize_t got;
	int err = 0;

	if (flock(out.fd, LOCK_EX))
		return -errno;
	got = pread(out.fd, found, sizeof(found), 0);
	if (got == 0)
		err = append(length);
	else if (got != FILE_HEADER || memcmp(found, out.record, FILE_HEADER))
		err = -EEXIST;
	flock(out.fd, LOCK_UN);
	return err;
}

static int make_dumper(void)
{
	out.pcap = pcap_library();
	if (!out.pcap)
		return -ELIBACC;
	out.memory = open_memstream(&out.record, &out.size);
	out.kind = out.pcap->pcap_open_dead_with_tstamp_precision(
	        DLT_EN10MB, LONGEST, PCAP_TSTAMP_PRECISION_NANO);
	if (out.memory && out.kind)
		out.dumper = out.pcap->pcap_dump_fopen(out.kind, out.memory);
	return out.dumper ? 0 : -ENOMEM;
}

static int open_file(const char *name)
{
	int err = make_dumper();

	if (err)
		return err;
	out.fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return out.fd < 0 ? -errno : begin(written());
}

static void close_file(void)
{
	if (out.fd >= 0)
		close(out.fd);
	out.fd = -1;
	if (!out.dumper)
		return;
	out.pcap->pcap_dump_close(out.dumper);
	out.pcap->pcap_close(out.kind);
	free(out.record);
	out.dumper = NULL;
}

static void open_once(void)
{
	char name[4096];
	int err;

	close_file();
	out.pid = getpid();
	err = file_name(name, sizeof(name));
	if (!err)
		err = open_file(name);
	out.failed = err;
	if (err == -EEXIST)
		mock_error("MOCKRDMA_PCAP: %s is there and not a capture of the mock's: "
		           "remove it, or name another file",
		           name);
	else if (err)
		mock_error("MOCKRDMA_PCAP: cannot write %s: %s",
		           err == -ENAMETOOLONG ? settings()->pcap : name,
		           strerror(-err));
	if (err)
		close_file();
}

/* A link-layer address to each, as there is one in every frame: locally administered. */
static void put_ethernet(uint8_t *frame, const struct capture_way *way,
                         const struct headers *headers)
{
	memset(frame, 0, ETHERNET);
	frame[0] = frame[6] = 0x02;
	memcpy(frame + 2, way->to->raw + 12, 4);
	memcpy(frame + 8, way->from->raw + 12, 4);
	frame[12] = headers->is_ipv4 ? 0x08 : 0x86;
	frame[13] = headers->is_ipv4 ? 0x00 : 0xdd;
}

static void write_frame(const uint8_t *frame, size_t length)
{
	struct pcap_pkthdr header = { .caplen = (bpf_u_int32)length,
		                      .len = (bpf_u_int32)length };
	struct timespec now;
	int err;

	clock_gettime(CLOCK_REALTIME, &now);
	header.ts.tv_sec = now.tv_sec;
	header.ts.tv_usec = (suseconds_t)now.tv_nsec; /* as the precision says */
	out.pcap->pcap_dump((u_char *)out.dumper, &header, frame);
	err = append(written());
	if (!err)
		return;
	mock_error("MOCKRDMA_PCAP: %s: %s: the capture ends here", settings()->pcap,
	           strerror(-err));
	out.failed = true;
}

static size_t length_of(const struct iovec *part, unsigned int parts)
{
	size_t length = 0;

	for (unsigned int i = 0; i < parts; i++)
		length += part[i].iov_len;
	return length;
}

static void make_headers(const struct capture_way *way, size_t length,
                         struct headers *headers)
{
	net_headers(way->from, way->to, way->path, way->source_port, headers);
	headers_next(headers, length, way->identification);
}

void capture_packet(const struct capture_way *way, const struct iovec *part,
                    unsigned int parts)
{
	static uint8_t frame[LONGEST];
	size_t length = length_of(part, parts), used = ETHERNET;
	struct headers headers;

	make_headers(way, length, &headers);
	if (ETHERNET + headers.length + length > LONGEST)
		return;
	headers_checksum(&headers, part, parts);
	pthread_mutex_lock(&out.lock);
	if (out.pid != getpid())
		open_once();
	if (!out.failed) {
		put_ethernet(frame, way, &headers);
		memcpy(frame + used, headers.ip, headers.length);
		used += headers.length;
		for (unsigned int i = 0; i < parts; used += part[i++].iov_len)
			memcpy(frame + used, part[i].iov_base, part[i].iov_len);
		write_frame(frame, used);
	}
	pthread_mutex_unlock(&out.lock);
}

void capture_sealed(const struct capture_way *way, const struct iovec *part,
                    unsigned int parts)
{
	struct iovec all[CAPTURE_PARTS];
	struct headers headers;
	uint8_t end[ICRC_LENGTH];
	uint32_t crc;

	if (parts >= CAPTURE_PARTS)
		return;
	make_headers(way, length_of(part, parts) + ICRC_LENGTH, &headers);
	crc = icrc_parts(headers.ip, part, parts);
	for (unsigned int i = 0; i < ICRC_LENGTH; i++)
		end[i] = (uint8_t)(crc >> 8 * i);
	memcpy(all, part, parts * sizeof(*part));
	all[parts] = (struct iovec){ end, sizeof(end) };
	capture_packet(way, all, parts + 1);
}
