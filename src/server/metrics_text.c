/* SPDX-License-Identifier: BSD-2-Clause */
/* The text format of Prometheus (version 0.0.4): names, units and types by its
 * conventions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/loop.h"
#include "server/metrics.h"
#include "server/server.h"

#define PREFIX "secure_server_"

static const char *const outcome_names[OUTCOMES] = {
	[OUTCOME_OK] = "ok",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_LIMIT] = "limit",
	[OUTCOME_CERTIFICATE] = "certificate",
	[OUTCOME_TLS] = "tls",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_SEAL] = "seal",
	[OUTCOME_PROTOCOL] = "protocol",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_VANISHED] = "vanished",
	[OUTCOME_CROWDED] = "crowded_out",
};

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
	        type);
}

static void single(FILE *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
	head(out, name, type, help);
	fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

/* A value of a label: what would end it is escaped. */
static void put_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		fputc((unsigned char)*text < 0x20 ? '?' : *text, out);
	}
}

static void outcomes(FILE *out, const char *name, const char *help,
                     const _Atomic uint64_t *values)
{
	head(out, name, "counter", help);
	for (int i = 0; i < OUTCOMES; i++)
		fprintf(out, PREFIX "%s{outcome=\"%s\"} %" PRIu64 "\n", name,
		        outcome_names[i], atomic_load(&values[i]));
}

/* One line for each client and direction. */
static void by_identity(FILE *out, const struct metrics *metrics, const char *name,
                        const char *help, size_t sent, size_t received)
{
	unsigned count = atomic_load(&metrics->series_count);

	head(out, name, "counter", help);
	for (unsigned i = 0; i <= count; i++) {
		const struct metrics_series *series =
		        &metrics->series[i < count ? i : METRICS_IDENTITIES];
		const struct {
			const char *direction;
			size_t offset;
		} lines[] = { { "sent", sent }, { "received", received } };

		for (int k = 0; k < 2; k++) {
			const _Atomic uint64_t *value =
			        (const void *)((const char *)series + lines[k].offset);

			fprintf(out, PREFIX "%s{direction=\"%s\",identity=\"", name,
			        lines[k].direction);
			put_label(out, series->identity ? series->identity : "other");
			fprintf(out, "\"} %" PRIu64 "\n", atomic_load(value));
		}
	}
}

static void histogram(FILE *out, const char *name, const char *labels,
                      const struct metrics_histogram *histogram)
{
	const char *comma = *labels ? "," : "";
	const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
	uint64_t count = 0;

	for (int i = 0; i < METRICS_BUCKETS; i++) {
		count += atomic_load(&histogram->buckets[i]);
		fprintf(out, PREFIX "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name,
		        labels, comma, metrics_bounds[i], count);
	}
	count += atomic_load(&histogram->buckets[METRICS_BUCKETS]);
	fprintf(out,
	        PREFIX "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n" PREFIX
	               "%s_sum%s%s%s %.6f\n" PREFIX "%s_count%s%s%s %" PRIu64 "\n",
	        name, labels, comma, count, name, open, labels, close,
	        (double)atomic_load(&histogram->sum_us) / 1e6, name, open, labels, close,
	        count);
}

/* Each thread says how many it has when it gets to it: both figures are about right. */
static void put_sessions(FILE *out, const struct server *server)
{
	uint64_t all = 0, handshakes = 0;

	for (unsigned i = 0; i < server->loop_count; i++) {
		handshakes += atomic_load(&server->loops[i]->handshakes);
		all += atomic_load(&server->loops[i]->sessions);
	}
	single(out, "sessions", "gauge",
	       "Sessions, those on their way included once the client is known.",
	       all > handshakes ? all - handshakes : 0);
	single(out, "sessions_max", "gauge", "What --max-sessions says.",
	       server->settings.max_sessions);
	single(out, "handshakes", "gauge",
	       "Connections whose clients have not proved yet who they are.", handshakes);
	single(out, "handshakes_max", "gauge", "What --max-handshakes says.",
	       server->settings.max_handshakes);
}

static void put_objects(FILE *out)
{
	struct srdma_objects objects;

	srdma_objects(&objects, sizeof(objects));
	single(out, "queue_pairs", "gauge", "Queue pairs that exist.",
	       objects.queue_pairs);
	single(out, "memory_regions", "gauge", "Memory regions that exist.",
	       objects.memory_regions);
	single(out, "memory_windows", "gauge", "Memory windows that exist.",
	       objects.memory_windows);
	single(out, "protection_domains", "gauge", "Protection domains that exist.",
	       objects.protection_domains);
	single(out, "completion_queues", "gauge", "Completion queues that exist.",
	       objects.completion_queues);
	single(out, "shared_receive_queues", "gauge", "Shared receive queues that exist.",
	       objects.shared_receive_queues);
}

static void put_files(FILE *out, const struct server_totals *totals)
{
	head(out, "files_total", "counter", "Files transferred as a whole.");
	fprintf(out,
	        PREFIX "files_total{direction=\"received\"} %" PRIu64 "\n" PREFIX
	               "files_total{direction=\"sent\"} %" PRIu64 "\n",
	        atomic_load(&totals->files_received), atomic_load(&totals->files_sent));
	head(out, "file_bytes_total", "counter", "Bytes of these files.");
	fprintf(out,
	        PREFIX "file_bytes_total{direction=\"received\"} %" PRIu64 "\n" PREFIX
	               "file_bytes_total{direction=\"sent\"} %" PRIu64 "\n",
	        atomic_load(&totals->bytes_received), atomic_load(&totals->bytes_sent));
}

/* Resident pages: the second number of the file. */
static long long pages_now(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128] = "", *second;

	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	second = strchr(line, ' ');
	return second ? strtoll(second, NULL, 10) : 0;
}

/* By the names that exporters of every program have. */
static void put_process(FILE *out)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	fprintf(out,
	        "# HELP process_cpu_seconds_total User and system CPU time.\n"
	        "# TYPE process_cpu_seconds_total counter\n"
	        "process_cpu_seconds_total %.6f\n"
	        "# HELP process_resident_memory_bytes Resident memory.\n"
	        "# TYPE process_resident_memory_bytes gauge\n"
	        "process_resident_memory_bytes %lld\n",
	        (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	                (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
	        pages_now() * sysconf(_SC_PAGESIZE));
}

static void put_clients(FILE *out, const struct metrics *m)
{
	by_identity(out, m, "messages_total", "Messages on queue pairs, by client.",
	            offsetof(struct metrics_series, messages_sent),
	            offsetof(struct metrics_series, messages_received));
	by_identity(out, m, "message_bytes_total", "Bytes of these messages.",
	            offsetof(struct metrics_series, bytes_sent),
	            offsetof(struct metrics_series, bytes_received));
	by_identity(out, m, "rdma_bytes_total",
	            "Bytes that the server wrote to (sent) and read from (received) "
	            "clients' memory, one-sided.",
	            offsetof(struct metrics_series, bytes_written),
	            offsetof(struct metrics_series, bytes_read));
}

static void put_latencies(FILE *out, const struct metrics *m)
{
	head(out, "handshake_seconds", "histogram",
	     "From a TCP connection to an established session.");
	histogram(out, "handshake_seconds", "", &m->handshake);
	head(out, "transfer_seconds", "histogram", "Transfers of files that succeeded.");
	histogram(out, "transfer_seconds", "direction=\"received\"", &m->receiving);
	histogram(out, "transfer_seconds", "direction=\"sent\"", &m->sending);
}

static void put_all(FILE *out, const struct server *server)
{
	const struct metrics *m = &server->metrics;

	head(out, "build_info", "gauge", "1, with the version.");
	fprintf(out, PREFIX "build_info{version=\"" PROJECT_VERSION "\"} 1\n");
	put_sessions(out, server);
	outcomes(out, "handshakes_total", "Connections, by how far they came.",
	         m->handshakes);
	outcomes(out, "sessions_ended_total", "Established sessions, by their end.",
	         m->ends);
	single(out, "seal_failures_total", "counter",
	       "Sessions ended because a message's seal was broken.",
	       atomic_load(&m->ends[OUTCOME_SEAL]) +
	               atomic_load(&m->handshakes[OUTCOME_SEAL]));
	single(out, "requests_refused_total", "counter",
	       "Requests of clients that were refused.", atomic_load(&m->refusals));
	put_clients(out, m);
	put_files(out, &server->totals);
	put_objects(out);
	single(out, "registered_bytes", "gauge",
	       "Memory of scratch regions and transfers.",
	       atomic_load(&server->accounts.memory.used));
	single(out, "open_files", "gauge", "Files and directories open for clients.",
	       atomic_load(&server->accounts.files.used));
	head(out, "device_refused_packets_total", "counter",
	     "Packets that a device refused since the start, by the device's counter.");
	refusals_print(server->refusals, PREFIX "device_refused_packets_total", out);
	put_latencies(out, m);
	put_process(out);
}

char *metrics_text(const struct server *server, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);
	int bad;

	if (!out)
		return NULL;
	put_all(out, server);
	bad = ferror(out);
	if (fclose(out) || bad) {
		free(text);
		return NULL;
	}
	return text;
}
