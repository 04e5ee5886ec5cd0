/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: many sessions at a time from a few processes, and messages in all of them. The
 * processes (load.c) are forked before anything of the device is open; this one only
 * tells them when to go on, and adds up.
 */
#include "client/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/platform.h"
#include "client/command.h"
#include "common/clock.h"
#include "program/descriptors.h"

enum {
	DESCRIPTORS = 64,     /* of a process, beside one for each session */
	SETTLED_US = 1000000, /* what is at rest after that, is at rest */
};

struct process {
	pid_t pid;
	int control;
};

struct bench {
	const struct call *call;
	struct process *processes;
	uint64_t count;
	struct load_result *one; /* of a process, while it is read */
	struct bench_result result;
};

/* --- the processes ------------------------------------------------------------------ */

static int need_descriptors(uint64_t sessions)
{
	uint64_t needed = sessions + DESCRIPTORS;
	uint64_t allowed = descriptors_allow(needed);

	if (allowed >= needed)
		return 0;
	return fault(FAULT_USAGE,
	             "%" PRIu64 " sessions in a process need %" PRIu64
	             " descriptors, and it may have %" PRIu64
	             ": raise --processes, or 'ulimit -n'",
	             sessions, needed, allowed);
}

static int begin_process(struct bench *bench, const struct load_plan *plan)
{
	int ends[2];
	pid_t pid;

	if (platform_stream_pair(ends))
		return fault_errno(errno, "cannot make a process");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		for (uint64_t i = 0; i < bench->count; i++)
			close(bench->processes[i].control);
		load_run(plan, ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return fault_errno(errno, "cannot make a process");
	}
	bench->processes[bench->count++] = (struct process){ pid, ends[0] };
	return 0;
}

static int begin_all(struct bench *bench)
{
	const struct command_options *o = &bench->call->options;
	struct load_plan plan = { .options = &bench->call->client->options,
		                  .host = bench->call->host,
		                  .port = bench->call->port,
		                  .began_us = clock_us(),
		                  .size = o->size,
		                  .for_ms = o->for_ms,
		                  .interval_ms = o->interval_ms };
	int error = need_descriptors((o->clients + o->processes - 1) / o->processes);

	for (uint64_t i = 0; !error && i < o->processes; i++) {
		plan.sessions =
		        o->clients / o->processes + (i < o->clients % o->processes);
		plan.opening =
		        o->opening / o->processes + (i < o->opening % o->processes);
		plan.opening += !plan.opening;
		if (plan.sessions)
			error = begin_process(bench, &plan);
	}
	bench->result.set_up_us = plan.began_us;
	return error;
}

/* Whole, or the process is gone. */
static bool read_one(const struct process *process, struct load_result *one)
{
	char *at = (char *)one;
	size_t left = sizeof(*one);

	while (left) {
		ssize_t got = read(process->control, at, left);

		if (got < 0 && errno == EINTR && !client_was_interrupted())
			continue;
		if (got <= 0)
			return false;
		at += got;
		left -= (size_t)got;
	}
	return true;
}

static void join(struct load_result *all, const struct load_result *one)
{
	all->established += one->established;
	all->failed += one->failed;
	all->lost += one->lost;
	all->bytes += one->bytes;
	if (one->message_us > all->message_us)
		all->message_us = one->message_us;
	if (one->fault && !all->fault) {
		all->fault = one->fault;
		memcpy(all->text, one->text, sizeof(all->text));
	}
	histogram_join(&all->set_up, &one->set_up);
	histogram_join(&all->there, &one->there);
	histogram_join(&all->round_trip, &one->round_trip);
}

/* What all of them say next. */
static int hear(struct bench *bench)
{
	memset(&bench->result.all, 0, sizeof(bench->result.all));
	for (uint64_t i = 0; i < bench->count; i++) {
		if (!read_one(&bench->processes[i], bench->one))
			return client_was_interrupted()
			               ? fault(FAULT_CANCELLED, "interrupted")
			               : fault(FAULT_INTERNAL, "a process of ours ended "
			                                       "early");
		join(&bench->result.all, bench->one);
	}
	return 0;
}

static int go_on(struct bench *bench)
{
	for (uint64_t i = 0; i < bench->count; i++)
		if (write(bench->processes[i].control, "g", 1) != 1)
			return fault(FAULT_INTERNAL, "a process of ours ended early");
	return 0;
}

static void end_all(struct bench *bench, bool early)
{
	for (uint64_t i = 0; i < bench->count; i++) {
		if (early)
			kill(bench->processes[i].pid, SIGTERM);
		close(bench->processes[i].control);
	}
	for (uint64_t i = 0; i < bench->count; i++)
		while (waitpid(bench->processes[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
}

/* --- the server's memory ------------------------------------------------------------ */

/* "RssAnon:     1234 kB" */
static void take_size(const char *line, const char *name, uint64_t *bytes)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) == 0)
		*bytes = strtoull(line + length, NULL, 10) * 1024;
}

static int read_memory(uint64_t pid, struct bench_memory *memory)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/status", pid);
	file = fopen(path, "re");
	if (!file)
		return fault_errno(errno, "--server-pid: cannot read %s", path);
	*memory = (struct bench_memory){ 0 };
	while (fgets(line, sizeof(line), file)) {
		take_size(line, "RssAnon:", &memory->own);
		take_size(line, "RssShmem:", &memory->shared);
	}
	fclose(file);
	return 0;
}

static int weigh(struct bench *bench, struct bench_memory *memory)
{
	uint64_t pid = bench->call->options.server_pid;

	bench->result.has_memory = pid != 0;
	return pid ? read_memory(pid, memory) : 0;
}

/* --- what it says ------------------------------------------------------------------- */

static double per_session(const struct bench_result *r, uint64_t before, uint64_t with)
{
	return r->all.established
	               ? ((double)with - (double)before) / (double)r->all.established
	               : 0;
}

static double rate(uint64_t count, uint64_t us)
{
	return us ? (double)count * 1e6 / (double)us : 0;
}

static void report_times(const struct call *call, const char *name, const char *what,
                         const struct histogram *h)
{
	struct json *json = &call->report->json;

	if (!h->count)
		return;
	json_open(json, name, '{');
	json_double(json, "min", (double)h->least / 1e6);
	json_double(json, "mean", (double)h->sum / (double)h->count / 1e6);
	json_double(json, "p50", (double)histogram_at(h, 0.5) / 1e6);
	json_double(json, "p90", (double)histogram_at(h, 0.9) / 1e6);
	json_double(json, "p99", (double)histogram_at(h, 0.99) / 1e6);
	json_double(json, "p999", (double)histogram_at(h, 0.999) / 1e6);
	json_double(json, "max", (double)h->most / 1e6);
	json_close(json, '}');
	report_say(call->report,
	           "%s in ms: p50 %.3f, p90 %.3f, p99 %.3f, p99.9 %.3f, max %.3f", what,
	           (double)histogram_at(h, 0.5) / 1e6, (double)histogram_at(h, 0.9) / 1e6,
	           (double)histogram_at(h, 0.99) / 1e6,
	           (double)histogram_at(h, 0.999) / 1e6, (double)h->most / 1e6);
}

static void report_memory(const struct call *call, const struct bench_result *r)
{
	double own = per_session(r, r->before.own, r->with.own);
	double shared = per_session(r, r->before.shared, r->with.shared);
	struct json *json = &call->report->json;

	if (!r->has_memory)
		return;
	json_double(json, "server_bytes_per_session", own);
	json_double(json, "server_shared_bytes_per_session", shared);
	report_say(call->report,
	           "server's memory: %.2f KiB a session of its own, %.2f KiB shared",
	           own / 1024, shared / 1024);
}

static void report(const struct call *call, const struct bench_result *r)
{
	struct json *json = &call->report->json;

	json_uint(json, "clients", r->clients);
	json_uint(json, "processes", r->processes);
	json_uint(json, "established", r->all.established);
	json_uint(json, "failed", r->all.failed);
	json_uint(json, "lost", r->all.lost);
	json_double(json, "sessions_per_second", rate(r->all.established, r->set_up_us));
	json_uint(json, "messages", r->all.round_trip.count);
	json_uint(json, "message_size", r->size);
	json_double(json, "messages_per_second",
	            rate(r->all.round_trip.count, r->all.message_us));
	report_say(call->report,
	           "%" PRIu64 " of %" PRIu64 " sessions from %" PRIu64
	           " processes, in %.2f s: %.0f/s; %" PRIu64 " failed, %" PRIu64 " lost",
	           r->all.established, r->clients, r->processes,
	           (double)r->set_up_us / 1e6, rate(r->all.established, r->set_up_us),
	           r->all.failed, r->all.lost);
	report_times(call, "set_up_ms", "set-up", &r->all.set_up);
	if (r->all.round_trip.count)
		report_say(call->report,
		           "%" PRIu64 " messages of %" PRIu64
		           " bytes there and back: %.0f/s",
		           r->all.round_trip.count, r->size,
		           rate(r->all.round_trip.count, r->all.message_us));
	report_times(call, "round_trip_ms", "round trip", &r->all.round_trip);
	report_memory(call, r);
}

/* --- in all ------------------------------------------------------------------------- */

static int measure(struct bench *bench)
{
	int error = weigh(bench, &bench->result.before);

	if (!error)
		error = begin_all(bench);
	if (!error)
		error = hear(bench);
	bench->result.set_up_us = clock_us() - bench->result.set_up_us;
	if (!error && bench->call->options.server_pid)
		usleep(SETTLED_US);
	if (!error)
		error = weigh(bench, &bench->result.with);
	if (!error && bench->result.all.established)
		error = go_on(bench);
	if (!error && bench->result.all.established)
		error = hear(bench);
	return error;
}

/* What the user is told at the end when not all was well. */
static int judge(const struct load_result *all, uint64_t clients)
{
	if (all->failed || all->lost)
		return fault((enum fault) - all->fault,
		             "%" PRIu64 " of %" PRIu64 " sessions failed, %" PRIu64
		             " were lost; the first: %.250s",
		             all->failed, clients, all->lost, all->text);
	return all->fault ? fault((enum fault) - all->fault, "%s", all->text) : 0;
}

static int run_all(struct bench *bench)
{
	const struct command_options *o = &bench->call->options;
	int error;

	bench->processes = calloc(o->processes, sizeof(*bench->processes));
	bench->one = malloc(sizeof(*bench->one));
	if (!bench->processes || !bench->one)
		return fault(FAULT_MEMORY, "out of memory");
	error = measure(bench);
	end_all(bench, error);
	if (error)
		return error;
	report(bench->call, &bench->result);
	if (o->output)
		error = bench_write_page(o->output, &bench->result);
	return error ? error : judge(&bench->result.all, o->clients);
}

static int run(struct call *call)
{
	static struct bench bench;
	int error;

	bench = (struct bench){ .call = call };
	bench.result.server = call->host;
	bench.result.clients = call->options.clients;
	bench.result.processes = call->options.processes;
	bench.result.size = call->options.size;
	error = run_all(&bench);
	free(bench.processes);
	free(bench.one);
	return error;
}

static const struct option_spec options[] = {
	{ "clients", 'n', "N", "sessions at a time (default: 100)", option_count,
	  OPTION_AT(struct command_options, clients), 1, 1000000 },
	{ "processes", 'p', "N", "processes that have them (default: 2)", option_count,
	  OPTION_AT(struct command_options, processes), 1, 1024 },
	{ "opening", 0, "N", "of them at a time that are being set up (default: 64)",
	  option_count, OPTION_AT(struct command_options, opening), 1, 1000000 },
	{ "size", 's', "SIZE", "bytes in a message (default: 56)", option_size,
	  OPTION_AT(struct command_options, size), 0, 1 << 20 },
	{ "for", 0, "TIME",
	  "how long each session sends a message, and the next when it has come back "
	  "(default: 5s)",
	  option_duration, OPTION_AT(struct command_options, for_ms), 0, 3600000 },
	{ "interval", 'i', "TIME",
	  "each session sends a message so often, not as soon as the last has come back",
	  option_duration, OPTION_AT(struct command_options, interval_ms), 0, 3600000 },
	{ "report", 'o', "FILE", "write a page with plots there (HTML)", option_text,
	  OPTION_AT(struct command_options, output) },
	{ "server-pid", 0, "PID",
	  "the server's process on this host: say what memory it takes for a session",
	  option_count, OPTION_AT(struct command_options, server_pid), 1, INT32_MAX },
	OPTIONS_END,
};

const struct command bench_command = {
	.name = "bench",
	.arguments = "[OPTION...]",
	.help = "set up many sessions at a time, send messages in all of them, and print "
	        "how long that takes",
	.options = options,
	.alone = true,
	.run = run,
};
