/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What monitors ask, by HTTP of libevent in the main thread. Whoever reaches the port may
 * ask: it belongs on an address for monitors alone.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "program/logger.h"
#include "server/metrics.h"
#include "server/server.h"

#define TIMEOUT_SECONDS 10
#define REQUEST_LIMIT   8192

struct metrics_http {
	struct server *server;
	struct evhttp *http;
};

static void answer(struct evhttp_request *request, int code, const char *phrase,
                   const char *type, const char *body, size_t length)
{
	struct evbuffer *buffer = evbuffer_new();
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (buffer)
		evbuffer_add(buffer, body, length);
	evhttp_send_reply(request, code, phrase, buffer);
	if (buffer)
		evbuffer_free(buffer);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	const struct metrics_http *http = arg;
	size_t length;
	char *text = metrics_text(http->server, &length);

	if (text)
		answer(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8",
		       text, length);
	else
		evhttp_send_error(request, HTTP_INTERNAL, "out of memory");
	free(text);
}

static void on_health(struct evhttp_request *request, void *arg)
{
	(void)arg;
	answer(request, HTTP_OK, "OK", "text/plain", "ok\n", 3);
}

/* Whether it is worth sending a client here. */
static void on_ready(struct evhttp_request *request, void *arg)
{
	const struct metrics_http *http = arg;

	if (http->server->acceptor)
		answer(request, HTTP_OK, "OK", "text/plain", "ready\n", 6);
	else
		answer(request, HTTP_SERVUNAVAIL, "Service Unavailable", "text/plain",
		       "no new clients\n", 15);
}

static uint16_t port_of(struct evhttp_bound_socket *bound)
{
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof(name);

	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&name, &length);
	/* The port is at the same place for both families. */
	return ntohs(((const struct sockaddr_in *)&name)->sin_port);
}

static int bind_it(struct metrics_http *http)
{
	const struct settings *settings = &http->server->settings;
	const char *host = settings->metrics_host;
	uint16_t port = (uint16_t)strtoul(settings->metrics_port, NULL, 10);
	struct evhttp_bound_socket *bound =
	        evhttp_bind_socket_with_handle(http->http, host, port);

	if (!bound)
		return fault_errno(errno, "cannot listen on '%.200s' (option --metrics)",
		                   settings->metrics);
	log_say(SRDMA_LOG_INFO, "metrics on %s port %u", host, port_of(bound));
	return 0;
}

int metrics_http_new(struct server *server, struct metrics_http **out)
{
	struct metrics_http *http = calloc(1, sizeof(*http));
	int error;

	if (http)
		http->http = evhttp_new(server->base);
	if (!http || !http->http) {
		free(http);
		return fault(FAULT_MEMORY, "out of memory");
	}
	http->server = server;
	evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(http->http, TIMEOUT_SECONDS);
	evhttp_set_max_headers_size(http->http, REQUEST_LIMIT);
	evhttp_set_max_body_size(http->http, REQUEST_LIMIT);
	evhttp_set_cb(http->http, "/metrics", on_metrics, http);
	evhttp_set_cb(http->http, "/healthz", on_health, http);
	evhttp_set_cb(http->http, "/readyz", on_ready, http);
	error = bind_it(http);
	if (error)
		metrics_http_free(http);
	else
		*out = http;
	return error;
}

void metrics_http_free(struct metrics_http *http)
{
	if (!http)
		return;
	evhttp_free(http->http);
	free(http);
}
