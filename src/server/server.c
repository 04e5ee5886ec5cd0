/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/server.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>
#include <stdlib.h>

#include "program/descriptors.h"
#include "program/logger.h"
#include "program/units.h"
#include "server/loop.h"
#include "server/policy.h"
#include "server/privileges.h"
#include "server/sandbox.h"

#define DESCRIPTORS 128 /* beside those of sessions and of files */

static int set_context(struct server *server)
{
	const struct settings *s = &server->settings;
	struct srdma_context *context;
	int error = srdma_context_new(&context);

	if (error)
		return fault_srdma(error);
	server->context = context;
	if ((error = srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE,
	                                    s->certificate)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_KEY, s->key)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_CA, s->ca)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_CRL, s->crl)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_OCSP_RESPONSE,
	                                    s->ocsp_response)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_DEVICE, s->device)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_FABRIC_PROVIDER,
	                                    s->fabric_provider)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_TRANSPORT,
	                                      s->transport)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_CONNECT, s->connect)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_PROTECTION,
	                                      s->protection)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_PACKET_PROTECTION,
	                                      s->packets)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_MESSAGE_SIZE,
	                                      s->message_size)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_STEP_TIMEOUT,
	                                      s->handshake_timeout_ms)) ||
	    (error = srdma_context_load(context)))
		return fault_srdma(error);
	return 0;
}

/* A limit is the server's: each loop gets its share, and one at least. */
static int share_out(struct server *server, unsigned number,
                     enum srdma_number_option option, uint64_t max)
{
	uint64_t loops = server->settings.workers;
	uint64_t share = max / loops + (number < max % loops);

	return srdma_context_set_number(server->context, option, share ? share : 1);
}

static int make_loop(struct server *server, unsigned number)
{
	const struct settings *settings = &server->settings;
	int error =
	        share_out(server, number, SRDMA_OPT_MAX_SESSIONS, settings->max_sessions);

	if (!error)
		error = share_out(server, number, SRDMA_OPT_MAX_HANDSHAKES,
		                  settings->max_handshakes);
	if (error)
		return fault_srdma(error);
	error = loop_new(server, number, &server->loops[number]);
	server->loop_count += !error;
	return error;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(server->base);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	parking_sweep(&server->parking);
}

/* What nobody came back for shall not stay on the disk much longer than it is kept. */
static int watch_parking(struct server *server)
{
	uint64_t ms = server->settings.keep_partial_ms / 4;
	struct timeval interval;

	if (!server->settings.keep_partial_ms)
		return 0;
	ms = ms < 100 ? 100 : ms > 10000 ? 10000 : ms;
	interval = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		                     .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	server->sweep = event_new(server->base, -1, EV_PERSIST, on_sweep, server);
	if (!server->sweep || event_add(server->sweep, &interval) < 0)
		return fault(FAULT_SYSTEM, "libevent cannot make a timer");
	return 0;
}

static int make_base(struct server *server)
{
	if (evthread_use_pthreads() < 0)
		return fault(FAULT_SYSTEM, "libevent has no threads");
	server->base = event_base_new();
	if (server->base)
		server->ended = event_new(server->base, -1, EV_PERSIST, on_ended, server);
	if (!server->ended)
		return fault(FAULT_SYSTEM, "libevent cannot make a loop");
	if (watch_parking(server))
		return -FAULT_SYSTEM;
	return signals_watch(server);
}

static int make_loops(struct server *server)
{
	unsigned count = (unsigned)server->settings.workers;
	int error = 0;

	/* More threads than sessions would have none to serve. */
	if (count > server->settings.max_sessions)
		count = (unsigned)server->settings.max_sessions;
	server->settings.workers = count;
	server->loops = calloc(count, sizeof(*server->loops));
	if (!server->loops)
		return fault(FAULT_MEMORY, "out of memory");
	for (unsigned i = 0; !error && i < count; i++)
		error = make_loop(server, i);
	return error;
}

static int start_loops(struct server *server)
{
	sigset_t all, before;
	int error = 0;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; !error && i < server->loop_count; i++)
		error = loop_start(server->loops[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void announce(const struct server *server)
{
	const struct exports *exports = &server->settings.exports;

	log_say(SRDMA_LOG_INFO,
	        "secure_server %s: %u workers, %llu I/O threads, at most "
	        "%llu sessions",
	        PROJECT_VERSION, server->loop_count,
	        (unsigned long long)server->settings.io_threads,
	        (unsigned long long)server->settings.max_sessions);
	for (unsigned i = 0; i < exports->count; i++)
		log_say(SRDMA_LOG_INFO, "export '%s': %s%s", exports->list[i].name,
		        exports->list[i].path,
		        exports->list[i].read_only ? ", read-only" : "");
	if (!server->policy)
		log_say(SRDMA_LOG_WARN,
		        "no --policy: every client with a certificate of the authorities "
		        "may do everything");
}

/*
 * What only root may read is read, the exports are open; the device and the listener
 * belong to who we are from now on.
 */
static int step_down(const struct settings *settings)
{
	int error = privileges_drop(settings->user);

	if (!error)
		error = exports_check(&settings->exports);
	if (!error && !settings->no_seccomp)
		error = sandbox_enter();
	return error;
}

/*
 * A descriptor for each session and handshake, and those of files, workers and the like.
 * Systems allow a program far fewer than it may ask for. With too few, the last clients
 * wait in the listener's queue: said here, where something can be done about it. Whoever
 * has not proved who he is shall not bring that about: they get a quarter at most.
 */
static void allow_descriptors(struct settings *settings)
{
	uint64_t needed = settings->max_sessions + settings->max_handshakes +
	                  settings->max_files + DESCRIPTORS;
	uint64_t allowed = descriptors_allow(needed);

	if (allowed >= needed)
		return;
	if (settings->max_handshakes > allowed / 4)
		settings->max_handshakes = allowed / 4 ? allowed / 4 : 1;
	log_say(SRDMA_LOG_WARN,
	        "%llu descriptors are allowed, and --max-sessions with --max-handshakes "
	        "and --max-files needs %llu: raise 'ulimit -n' (LimitNOFILE= in a unit), "
	        "or lower --max-sessions; at most %llu handshakes until then",
	        (unsigned long long)allowed, (unsigned long long)needed,
	        (unsigned long long)settings->max_handshakes);
}

int server_start(struct server *server)
{
	int error = set_context(server);

	metrics_init(&server->metrics);
	parking_init(&server->parking, server->settings.keep_partial_ms);
	accounts_init(&server->accounts, server->settings.max_files,
	              server->settings.max_messages, server->settings.transfer_memory);
	if (!error)
		error = server_load_policy(server);
	allow_descriptors(&server->settings);
	if (!error)
		error = step_down(&server->settings);
	if (!error)
		error = make_base(server);
	if (!error)
		error = jobs_new((unsigned)server->settings.io_threads, &server->jobs);
	if (!error)
		error = make_loops(server);
	if (error)
		return error;
	announce(server);
	error = start_loops(server);
	if (!error)
		error = acceptor_new(server, &server->acceptor);
	if (!error)
		error = refusals_watch(server->base, &server->refusals);
	if (!error && server->settings.metrics)
		error = metrics_http_new(server, &server->metrics_http);
	return error;
}

void server_run(struct server *server)
{
	event_base_dispatch(server->base);
}

/* Nothing of the device may be left, nor of the sessions. */
static void log_left(void)
{
	struct srdma_objects o;
	struct json fields = { 0 };
	struct log_about about = { .event = "left", .fields = &fields };

	srdma_objects(&o, sizeof(o));
	about.level = o.sessions || o.queue_pairs || o.memory_regions ||
	                              o.memory_windows || o.protection_domains ||
	                              o.completion_queues || o.shared_receive_queues ||
	                              o.cm_ids || o.contexts
	                      ? SRDMA_LOG_ERROR
	                      : SRDMA_LOG_INFO;
	json_uint(&fields, "sessions", o.sessions);
	json_uint(&fields, "queue_pairs", o.queue_pairs);
	json_uint(&fields, "memory_regions", o.memory_regions);
	json_uint(&fields, "memory_windows", o.memory_windows);
	json_uint(&fields, "protection_domains", o.protection_domains);
	json_uint(&fields, "completion_queues", o.completion_queues);
	json_uint(&fields, "shared_receive_queues", o.shared_receive_queues);
	json_uint(&fields, "cm_ids", o.cm_ids);
	json_uint(&fields, "contexts", o.contexts);
	log_about(&about,
	          "left open: %llu sessions, %llu QPs, %llu MRs, %llu PDs, "
	          "%llu CQs, %llu SRQs, %llu CM ids, %llu device contexts, %llu MWs",
	          (unsigned long long)o.sessions, (unsigned long long)o.queue_pairs,
	          (unsigned long long)o.memory_regions,
	          (unsigned long long)o.protection_domains,
	          (unsigned long long)o.completion_queues,
	          (unsigned long long)o.shared_receive_queues,
	          (unsigned long long)o.cm_ids, (unsigned long long)o.contexts,
	          (unsigned long long)o.memory_windows);
	json_free(&fields);
}

static void log_end(const struct server *server)
{
	const struct server_totals *t = &server->totals;
	char received[UNITS_TEXT], sent[UNITS_TEXT];
	struct json fields = { 0 };
	const struct log_about about = {
		.level = SRDMA_LOG_INFO,
		.event = "stopped",
		.fields = &fields,
	};

	json_uint(&fields, "sessions", t->sessions);
	json_uint(&fields, "refused", t->refused);
	json_uint(&fields, "failed", t->failed);
	json_uint(&fields, "files_received", t->files_received);
	json_uint(&fields, "files_sent", t->files_sent);
	json_uint(&fields, "bytes_received", t->bytes_received);
	json_uint(&fields, "bytes_sent", t->bytes_sent);
	log_about(&about,
	          "stopped: served %llu sessions (%llu failed), refused %llu; %llu files "
	          "received (%s), %llu sent (%s)",
	          (unsigned long long)t->sessions, (unsigned long long)t->failed,
	          (unsigned long long)t->refused, (unsigned long long)t->files_received,
	          format_size(received, t->bytes_received),
	          (unsigned long long)t->files_sent, format_size(sent, t->bytes_sent));
	json_free(&fields);
}

/* Jobs end before the workers that they report to, and hold memory of their sessions. */
void server_finish(struct server *server)
{
	bool ran = server->signals > 0;

	acceptor_free(server->acceptor);
	for (unsigned i = 0; i < server->loop_count; i++) {
		if (!ran && server->loops[i]->started)
			loop_drain(server->loops[i]);
		loop_join(server->loops[i]);
	}
	jobs_end(server->jobs);
	for (unsigned i = 0; i < server->loop_count; i++)
		loop_free(server->loops[i]);
	free(server->loops);
	jobs_free(server->jobs);
	parking_clear(&server->parking);
	metrics_http_free(server->metrics_http);
	refusals_free(server->refusals);
	metrics_clear(&server->metrics);
	if (server->base) {
		signals_unwatch();
		if (server->ended)
			event_free(server->ended);
		if (server->sweep)
			event_free(server->sweep);
		event_base_free(server->base);
	}
	policy_drop(server->policy);
	accounts_clear(&server->accounts);
	libevent_global_shutdown();
	srdma_context_free(server->context);
	if (!ran)
		return;
	log_end(server);
	log_left();
}
