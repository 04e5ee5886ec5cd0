/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "program/cli.h"
#include "srdma.h"

struct client_options {
	char *certificate;
	char *key;
	char *ca;
	char *crl;
	char *server_name;
	char *device;
	char *fabric_provider;
	unsigned transport;
	unsigned connect; /* 0: what suits */
	unsigned protection;
	unsigned packets; /* enum srdma_packets */
	uint64_t timeout_ms;
	uint64_t reconnect; /* attempts in a row; 0: none */
	enum srdma_log_level log_level;
	bool json;
	bool help;
	bool version;
};

/* Those of all commands together: a command's table says which are its own. */
struct command_options {
	uint64_t count;
	uint64_t interval_ms;
	uint64_t size;
	uint64_t offset;
	uint64_t length;
	uint64_t clients, processes, opening;
	uint64_t for_ms;
	uint64_t server_pid;
	char *text;
	char *file;
	char *output;
	bool force;
	bool no_sync;
};

extern const struct option_spec client_specs[];

void client_options_default(struct client_options *options);

/* "HOST", "HOST:PORT", "[V6]:PORT", "V6" into copies. 0 or -FAULT_USAGE. */
int split_server(const char *text, char **host, char **port);

#endif
