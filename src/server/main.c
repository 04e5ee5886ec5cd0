/* SPDX-License-Identifier: BSD-2-Clause */
/* secure_server: files and memory for clients that prove who they are, over RDMA. */
#include <stdio.h>
#include <stdlib.h>

#include "program/fault.h"
#include "program/logger.h"
#include "server/server.h"

#define EXIT_USAGE 2

static int usage_error(void)
{
	fprintf(stderr, "secure_server: %s\nTry 'secure_server --help'.\n", fault_text());
	return EXIT_USAGE;
}

static int print(const struct settings *settings)
{
	if (settings->help)
		settings_help();
	else
		puts("secure_server " PROJECT_VERSION);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(struct server *server)
{
	const struct settings *settings = &server->settings;
	enum log_format format = settings->json ? LOG_JSON : settings->log_format;
	int error = logger_start(settings->log_level, format);

	if (error) {
		log_say(SRDMA_LOG_ERROR, "%s", fault_text());
		return EXIT_FAILURE;
	}
	error = server_start(server);
	if (error)
		log_say(SRDMA_LOG_ERROR, "%s", fault_text());
	else
		server_run(server);
	server_finish(server);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct server server;
	int status;

	if (settings_read(&server.settings, argc, argv))
		status = usage_error();
	else if (server.settings.help || server.settings.version)
		status = print(&server.settings);
	else
		status = serve(&server);
	settings_clear(&server.settings);
	return status;
}
