/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server was told: by its command line, and by a configuration file. */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "program/cli.h"
#include "server/exports.h"
#include "program/logger.h"
#include "server/limits.h"
#include "srdma.h"

struct export_texts {
	char **list;
	unsigned count;
};

struct settings {
	char *config;
	char *listen;
	char *metrics;
	char *metrics_host; /* of `metrics` */
	char *metrics_port;
	char *host; /* of `listen`; NULL: all addresses */
	char *port;
	char *certificate;
	char *key;
	char *ca;
	char *crl;
	char *ocsp_response;
	char *user;
	char *policy; /* file; NULL: everybody whom the authorities know may do everything
	               */
	char *device;
	char *fabric_provider;
	unsigned transport;
	uint64_t workers;    /* 0: as many as there are cores */
	uint64_t io_threads; /* 0: as many as workers, at least 2 */
	uint64_t max_sessions;
	uint64_t max_handshakes;
	uint64_t handshake_timeout_ms;
	uint64_t idle_timeout_ms;
	uint64_t drain_timeout_ms;
	uint64_t keep_partial_ms; /* 0: nothing is kept */
	uint64_t scratch_size;
	uint64_t transfer_memory;
	uint64_t max_files;
	uint64_t max_messages;
	struct limits client_limits;
	uint64_t message_size;
	unsigned connect;
	unsigned protection;
	unsigned packets; /* enum srdma_packets */
	enum srdma_log_level log_level;
	enum log_format log_format;
	bool no_sync;
	bool no_seccomp;
	bool json;
	bool help;
	bool version;
	struct export_texts export_texts;
	struct exports exports;
};

extern const struct option_spec server_options[];

/*
 * The configuration file first, if there is one, then the command line over it. 0, or a
 * fault with a sentence. With --help or --version the rest is not looked at.
 */
int settings_read(struct settings *settings, int argc, char **argv);
void settings_clear(struct settings *settings);

void settings_help(void);

/* "key = value" lines into the settings. A fault names file, line and what is wrong. */
int config_read(const char *path, struct settings *settings);

#endif
