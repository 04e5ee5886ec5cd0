/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/options.h"

#include <stdlib.h>
#include <string.h>

#include "program/fault.h"

#define DEFAULT_PORT    "4433"
#define DEFAULT_TIMEOUT 30000

#define AT(member) OPTION_AT(struct client_options, member)

const struct option_spec client_specs[] = {
	{ "cert", 0, "FILE", "own certificate and its chain, PEM", option_text,
	  AT(certificate) },
	{ "key", 0, "FILE", "private key of the certificate, PEM", option_text, AT(key) },
	{ "ca", 0, "FILE",
	  "authorities that the server's certificate must come from, PEM", option_text,
	  AT(ca) },
	{ "crl", 0, "FILE",
	  "lists of revoked certificates, PEM, one of each authority (default: none is "
	  "looked at)",
	  option_text, AT(crl) },
	{ "server-name", 0, "NAME",
	  "name that the server's certificate must be for (default: HOST)", option_text,
	  AT(server_name) },
	{ "device", 'd', "NAME",
	  "RDMA device (default: the one that has the address of the connection)",
	  option_text, AT(device) },
	{ "transport", 0, "HOW",
	  "what messages travel by: verbs (RDMA queue pairs), or fabric (libfabric, as "
	  "for AWS's EFA); the server has to do the same (default: verbs)",
	  option_transport, AT(transport) },
	{ "fabric-provider", 0, "NAME",
	  "libfabric's provider, of those that fi_info -t FI_EP_RDM lists, as efa, tcp, "
	  "shm or verbs (default: its first)",
	  option_text, AT(fabric_provider) },
	{ "connect", 0, "HOW",
	  "how the queue pair is connected: direct, cm (librdmacm), or any: direct if "
	  "the "
	  "server takes it (default: any)",
	  option_connect, AT(connect) },
	{ "data-protection", 0, "HOW",
	  "how messages are protected: sealed (aes-256-gcm or chacha20-poly1305, or one "
	  "of "
	  "these by name), or none: in clear, if the server allows it; several, with "
	  "commas, offer the server a choice (default: sealed)",
	  option_protection, AT(protection) },
	{ "packet-protection", 0, "HOW",
	  "whether the device protects each packet, too: off, auto (where both sides' "
	  "devices are mockrdma's), or required (default: off)",
	  option_packets, AT(packets) },
	{ "timeout", 't', "TIME",
	  "give up when the server has not answered for so long (default: 30s)",
	  option_duration, AT(timeout_ms), 1, 3600000 },
	{ "reconnect", 0, "N",
	  "when there is no session, or put, get or ls lose theirs, try again, up to N "
	  "times in a row with longer and longer waits; put and get go on where they "
	  "were (default: 0)",
	  option_count, AT(reconnect), 0, 1000000 },
	{ "log-level", 0, "LEVEL", "error, warn, info or debug (default: error)",
	  option_log_level, AT(log_level) },
	{ "json", 0, NULL, "print results as JSON, one object for each command",
	  option_flag, AT(json) },
	{ "help", 'h', NULL, "print this, or the help of a command, and exit",
	  option_flag, AT(help) },
	{ "version", 'V', NULL, "print the version and exit", option_flag, AT(version) },
	OPTIONS_END,
};

void client_options_default(struct client_options *options)
{
	*options = (struct client_options){
		.transport = SRDMA_TRANSPORT_VERBS,
		.protection = SRDMA_PROTECTION_SEALED,
		.timeout_ms = DEFAULT_TIMEOUT,
		.log_level = SRDMA_LOG_ERROR,
	};
}

static int copy(const char *from, size_t length, const char *number, char **host,
                char **port)
{
	*host = strndup(from, length);
	*port = strdup(number);
	if (*host && *port)
		return 0;
	free(*host);
	free(*port);
	return fault(FAULT_MEMORY, "out of memory");
}

int split_server(const char *text, char **host, char **port)
{
	const char *end, *colon = strchr(text, ':');

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || end == text + 1 || (end[1] && (end[1] != ':' || !end[2])))
			return fault(FAULT_USAGE, "'%s' is not [ADDRESS]:PORT", text);
		return copy(text + 1, (size_t)(end - text - 1),
		            end[1] ? end + 2 : DEFAULT_PORT, host, port);
	}
	if (!*text || (colon && !strchr(colon + 1, ':') && (colon == text || !colon[1])))
		return fault(FAULT_USAGE, "'%s' is not HOST or HOST:PORT", text);
	/* More than one: an IPv6 address without a port. */
	if (!colon || strchr(colon + 1, ':'))
		return copy(text, strlen(text), DEFAULT_PORT, host, port);
	return copy(text, (size_t)(colon - text), colon + 1, host, port);
}
