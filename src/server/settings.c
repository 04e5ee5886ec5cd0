/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/app.h"
#include "program/fault.h"
#include "program/units.h"

#define DEFAULT_PORT "4433"

static int option_export(const struct option_spec *spec, void *place, const char *value);
static int option_listen(const struct option_spec *spec, void *place, const char *value);
static int option_limits(const struct option_spec *spec, void *place, const char *value);
static int option_metrics(const struct option_spec *spec, void *place, const char *value);

#define AT(member) OPTION_AT(struct settings, member)
#define GiB        (UINT64_C(1) << 30)
#define HOURS(n)   ((n)*UINT64_C(3600000))

static int option_log_format(const struct option_spec *spec, void *place,
                             const char *value)
{
	static const char *const formats[] = {
		[LOG_TEXT] = "text",
		[LOG_JSON] = "json",
		[LOG_JOURNAL] = "journald",
	};

	(void)spec;
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(value, formats[i]) == 0) {
			*(enum log_format *)place = (enum log_format)i;
			return 0;
		}
	}
	return fault(FAULT_USAGE, "'%s' is none of text, json, journald", value);
}

const struct option_spec server_options[] = {
	{ "config", 'c', "FILE",
	  "read settings from FILE: 'name = value' lines, named as "
	  "the options here; the command line goes before it",
	  option_text, AT(config), .command_line_only = true },
	{ "listen", 'l', "ADDR:PORT",
	  "accept clients there (default: port 4433 of all addresses); port 0: any, "
	  "which "
	  "the log then names",
	  option_listen, AT(listen) },
	{ "cert", 0, "FILE", "certificate of the server and its chain, PEM", option_text,
	  AT(certificate) },
	{ "key", 0, "FILE", "private key of the certificate, PEM", option_text, AT(key) },
	{ "ca", 0, "FILE", "authorities that clients' certificates must come from, PEM",
	  option_text, AT(ca) },
	{ "crl", 0, "FILE",
	  "lists of revoked certificates, PEM, one of each authority (default: none is "
	  "looked at)",
	  option_text, AT(crl) },
	{ "ocsp-response", 0, "FILE",
	  "OCSP response about the server's certificate, DER, which clients get with it",
	  option_text, AT(ocsp_response) },
	{ "policy", 0, "FILE",
	  "who may do what, by the names in certificates; whom it does not name gets "
	  "nothing (default: every client of the authorities may do everything)",
	  option_text, AT(policy) },
	{ "export", 'e', "NAME=DIR[:ro]",
	  "share the directory DIR under NAME, ':ro' for reading only; may be repeated",
	  option_export, AT(export_texts) },
	{ "device", 'd', "NAME",
	  "RDMA device (default: the one that has the address a client connected to)",
	  option_text, AT(device) },
	{ "transport", 0, "HOW",
	  "what messages travel by: verbs (RDMA queue pairs), or fabric (libfabric, as "
	  "for AWS's EFA); every client has to do the same (default: verbs)",
	  option_transport, AT(transport) },
	{ "fabric-provider", 0, "NAME",
	  "libfabric's provider, of those that fi_info -t FI_EP_RDM lists, as efa, tcp, "
	  "shm or verbs (default: its first)",
	  option_text, AT(fabric_provider) },
	{ "connect", 0, "HOW",
	  "how queue pairs may be connected: direct, cm (librdmacm), or any (default: "
	  "any)",
	  option_connect, AT(connect) },
	{ "data-protection", 0, "HOW",
	  "how messages may be protected: sealed (aes-256-gcm or chacha20-poly1305, or "
	  "one of these by name), none (in clear: for networks that encrypt or are "
	  "trusted), or several, with commas (default: sealed)",
	  option_protection, AT(protection) },
	{ "packet-protection", 0, "HOW",
	  "whether the device protects each packet, too: off, auto (where both sides' "
	  "devices are mockrdma's), or required (default: off)",
	  option_packets, AT(packets) },
	{ "user", 'u', "NAME", "become this user before anything is served; needs root",
	  option_text, AT(user) },
	{ "no-seccomp", 0, NULL,
	  "do not filter system calls: for a device whose driver needs others",
	  option_flag, AT(no_seccomp) },
	{ "workers", 'w', "N", "threads that serve sessions (default: one for each core)",
	  option_count, AT(workers), 1, 256 },
	{ "io-threads", 0, "N",
	  "threads that read, write and hash files (default: as --workers, at least 2)",
	  option_count, AT(io_threads), 1, 256 },
	{ "max-sessions", 0, "N", "clients at a time (default: 10000)", option_count,
	  AT(max_sessions), 1, 1000000 },
	{ "max-handshakes", 0, "N",
	  "connections at a time that have not proved who they are, beside the clients; "
	  "when more come the older give way (default: 4096)",
	  option_count, AT(max_handshakes), 1, 1000000 },
	{ "max-files", 0, "N",
	  "files and directories open for clients at a time; 0: no limit (default: 0)",
	  option_count, AT(max_files), 0, 1000000 },
	{ "max-messages", 0, "N",
	  "messages of clients a second, together; 0: no limit (default: 0)",
	  option_count, AT(max_messages), 0, 1000000000 },
	{ "client-limits", 0, "LIMITS",
	  "of each client, over all its sessions: NAME=VALUE,... with sessions, memory "
	  "(registered), files (open) and messages (a second); a policy may give others "
	  "(default: none)",
	  option_limits, AT(client_limits) },
	{ "handshake-timeout", 0, "TIME",
	  "give a client so long for each step up to an established session "
	  "(default: 10s)",
	  option_duration, AT(handshake_timeout_ms), 1, 600000 },
	{ "idle-timeout", 0, "TIME",
	  "close a session that asks for nothing this long; 0: never (default: 10m)",
	  option_duration, AT(idle_timeout_ms), 0, HOURS(1000) },
	{ "drain-timeout", 0, "TIME",
	  "when told to stop, let transfers under way go on this long (default: 30s)",
	  option_duration, AT(drain_timeout_ms), 0, HOURS(24) },
	{ "keep-partial", 0, "TIME",
	  "when a session breaks, keep what came of its files this long, nameless, for "
	  "a client that reconnects to go on; 0: nothing (default: 2m)",
	  option_duration, AT(keep_partial_ms), 0, HOURS(24) },
	{ "scratch", 0, "SIZE",
	  "memory of each session that its client may write and read one-sided, taken "
	  "when "
	  "asked for; 0: none (default: 64k)",
	  option_size, AT(scratch_size), 0, 16 << 20 },
	{ "transfer-memory", 0, "SIZE",
	  "for all transfers together; when it runs short they get less each "
	  "(default: 512M)",
	  option_size, AT(transfer_memory), 1 << 20, 1024 * GiB },
	{ "message-size", 0, "SIZE", "largest message that is received (default: 64k)",
	  option_size, AT(message_size), 8192, 1 << 20 },
	{ "no-sync", 0, NULL,
	  "do not wait until a received file is on the disk before it is named and "
	  "confirmed: faster, and not safe against a crash of the machine",
	  option_flag, AT(no_sync) },
	{ "metrics", 0, "ADDR:PORT",
	  "answer monitors there, by HTTP to whoever asks: /metrics (Prometheus), "
	  "/healthz, /readyz (default: nowhere)",
	  option_metrics, AT(metrics) },
	{ "log-level", 0, "LEVEL", "error, warn, info or debug (default: info)",
	  option_log_level, AT(log_level) },
	{ "log-format", 0, "HOW",
	  "text, json (one object a line), or journald: to systemd's journal, with "
	  "fields "
	  "(default: text)",
	  option_log_format, AT(log_format) },
	{ "json", 0, NULL, "the same as --log-format json", option_flag, AT(json) },
	{ "help", 'h', NULL, "print this and exit", option_flag, AT(help),
	  .command_line_only = true },
	{ "version", 'V', NULL, "print the version and exit", option_flag, AT(version),
	  .command_line_only = true },
	OPTIONS_END,
};

static void set_defaults(struct settings *settings)
{
	*settings = (struct settings){
		.transport = SRDMA_TRANSPORT_VERBS,
		.connect = SRDMA_CONNECT_DIRECT | SRDMA_CONNECT_CM,
		.protection = SRDMA_PROTECTION_SEALED,
		.log_level = SRDMA_LOG_INFO,
		.max_sessions = 10000,
		.max_handshakes = 4096,
		.handshake_timeout_ms = 10000,
		.idle_timeout_ms = 600000,
		.drain_timeout_ms = 30000,
		.keep_partial_ms = 120000,
		.scratch_size = 64 << 10,
		.transfer_memory = 512 << 20,
		.message_size = APP_MESSAGE_SIZE,
	};
}

/* Directories are opened when all is read. */
static int option_export(const struct option_spec *spec, void *place, const char *value)
{
	struct export_texts *texts = place;
	char **list = realloc(texts->list, (texts->count + 1) * sizeof(*list));

	(void)spec;
	if (!list)
		return fault(FAULT_MEMORY, "out of memory");
	texts->list = list;
	list[texts->count] = strdup(value);
	if (!list[texts->count])
		return fault(FAULT_MEMORY, "out of memory");
	texts->count++;
	return 0;
}

static int check_port(const char *value, const char *port)
{
	uint64_t number;

	if (*port && parse_count(port, &number) == 0 && number <= 65535)
		return 0;
	return fault(FAULT_USAGE, "'%s' has no port from 0 to 65535", value);
}

/* "192.0.2.1:4433", "[::1]:4433", "*:4433", ":4433", "4433", "[::1]", "192.0.2.1" */
static int split_listen(const char *value, char **host, char **port)
{
	const char *from = value, *to, *number = DEFAULT_PORT;
	uint64_t plain;

	if (*value == '[') {
		from++;
		to = strchr(value, ']');
		if (!to || (to[1] && to[1] != ':'))
			return fault(FAULT_USAGE, "'%s' is not [ADDR]:PORT", value);
		number = to[1] ? to + 2 : number;
	} else if (parse_count(value, &plain) == 0) {
		to = from;
		number = value;
	} else {
		to = strchr(value, ':');
		if (to && strchr(to + 1, ':'))
			return fault(FAULT_USAGE,
			             "'%s': put an IPv6 address in brackets, [ADDR]:PORT",
			             value);
		number = to ? to + 1 : number;
		to = to ? to : value + strlen(value);
	}
	if (check_port(value, number))
		return -FAULT_USAGE;
	*host = strndup(from, (size_t)(to - from));
	*port = strdup(number);
	return *host && *port ? 0 : fault(FAULT_MEMORY, "out of memory");
}

static int option_listen(const struct option_spec *spec, void *place, const char *value)
{
	char *host = NULL, *port = NULL;
	int error = split_listen(value, &host, &port);

	free(host);
	free(port);
	return error ? error : option_text(spec, place, value);
}

/* An address has to be said: 0.0.0.0 and [::] are all, and for all the world. */
static int split_metrics(const char *value, char **host, char **port)
{
	int error = split_listen(value, host, port);
	const char *end = strrchr(value, ':');

	if (error)
		return error;
	if (**host && **host != '*' && end && strcmp(end + 1, *port) == 0)
		return 0;
	free(*host);
	free(*port);
	*host = *port = NULL;
	return fault(FAULT_USAGE, "'%s' is not ADDR:PORT, as in 127.0.0.1:9633", value);
}

static int option_metrics(const struct option_spec *spec, void *place, const char *value)
{
	char *host = NULL, *port = NULL;
	int error = split_metrics(value, &host, &port);

	free(host);
	free(port);
	if (error)
		return error;
	return option_text(spec, place, value);
}

static int option_limits(const struct option_spec *spec, void *place, const char *value)
{
	(void)spec;
	return limits_parse(value, place);
}

static int finish(struct settings *settings)
{
	const char *lacking = !settings->certificate ? "cert"
	                      : !settings->key       ? "key"
	                      : !settings->ca        ? "ca"
	                                             : NULL;
	int error;

	if (lacking)
		return fault(FAULT_USAGE,
		             "no --%s: the server needs --cert FILE, --key FILE and "
		             "--ca FILE (scripts/make-certs.sh makes a set to try with)",
		             lacking);
	error = split_listen(settings->listen ? settings->listen : DEFAULT_PORT,
	                     &settings->host, &settings->port);
	if (!error && settings->metrics)
		error = split_metrics(settings->metrics, &settings->metrics_host,
		                      &settings->metrics_port);
	for (unsigned i = 0; !error && i < settings->export_texts.count; i++)
		error = exports_add(&settings->exports, settings->export_texts.list[i]);
	if (!settings->workers)
		settings->workers = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (!settings->io_threads)
		settings->io_threads = settings->workers < 2 ? 2 : settings->workers;
	return error;
}

static int read_command_line(struct settings *settings, int argc, char **argv)
{
	struct cli cli = { .tables = { { server_options, settings } } };
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));
	int words, error;

	if (!copy)
		return fault(FAULT_MEMORY, "out of memory");
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	error = cli_take(&cli, argc, copy, &words);
	if (!error && words && !settings->help && !settings->version)
		error = fault(FAULT_USAGE, "'%s' is not an option", copy[1]);
	free(copy);
	return error;
}

/* The command line is read twice: it names the file, and it goes before the file. */
int settings_read(struct settings *settings, int argc, char **argv)
{
	char *config;
	int error;

	set_defaults(settings);
	error = read_command_line(settings, argc, argv);
	if (error || settings->help || settings->version)
		return error;
	if (settings->config) {
		config = settings->config;
		settings->config = NULL;
		settings_clear(settings);
		set_defaults(settings);
		error = config_read(config, settings);
		free(config);
		if (!error)
			error = read_command_line(settings, argc, argv);
	}
	return error ? error : finish(settings);
}

void settings_clear(struct settings *settings)
{
	cli_clear(server_options, settings);
	for (unsigned i = 0; i < settings->export_texts.count; i++)
		free(settings->export_texts.list[i]);
	free(settings->export_texts.list);
	settings->export_texts = (struct export_texts){ 0 };
	exports_clear(&settings->exports);
	free(settings->metrics);
	free(settings->metrics_host);
	free(settings->metrics_port);
	settings->metrics = settings->metrics_host = settings->metrics_port = NULL;
	free(settings->listen);
	free(settings->host);
	free(settings->port);
	settings->listen = settings->host = settings->port = NULL;
}

void settings_help(void)
{
	puts("usage: secure_server --cert FILE --key FILE --ca FILE [OPTION...]\n\n"
	     "Serves files and memory to clients that prove who they are, over RDMA.\n");
	cli_help(stdout, server_options, 0);
	puts("\nSIGHUP: read certificates, key, CRL, OCSP response and policy again.\n"
	     "SIGTERM and SIGINT: no new clients, transfers under way end, then the "
	     "server.\nA second one ends it at once.\n\n"
	     "Without an RDMA device: mockrdma run -- secure_server ...\n\n"
	     "Exit status: 0 stopped as told, 1 failed, 2 the settings are wrong.");
}
