/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare mutual TLS 1.3 handshakes over TCP on loopback, with the options of libsrdma and
 * nothing else: how many a second, and what memory OpenSSL takes at the server for a
 * connection at rest. It is what sessions are measured beside (bench/sessions).
 *
 * usage: handshakes CERTIFICATES [SECONDS [PROCESSES]]
 *
 * CERTIFICATES is what scripts/make-certs.sh made. Each process at either side does one
 * handshake after the other.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 500, PATH_SIZE = 512 };

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long resident_kib(void)
{
	unsigned long kib = 0;
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");

	need(file != NULL, "/proc/self/status");
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtoul(line + 8, NULL, 10);
	fclose(file);
	return kib;
}

static SSL_CTX *context(const char *directory, const char *name)
{
	SSL_CTX *made = SSL_CTX_new(TLS_method());
	char certificate[PATH_SIZE], key[PATH_SIZE], ca[PATH_SIZE];

	snprintf(certificate, sizeof(certificate), "%s/%s.pem", directory, name);
	snprintf(key, sizeof(key), "%s/%s.key", directory, name);
	snprintf(ca, sizeof(ca), "%s/ca.pem", directory);
	SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION);
	SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(made, 0);
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
	SSL_CTX_set1_groups_list(made, "X25519:P-256:P-384");
	SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	need(SSL_CTX_use_certificate_chain_file(made, certificate) == 1 &&
	             SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) == 1 &&
	             SSL_CTX_load_verify_locations(made, ca, NULL) == 1,
	     directory);
	return made;
}

static void finish(SSL *ssl)
{
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
}

/* A byte after the handshake says whether the connection is kept. */
static _Noreturn void serve(int listener, SSL_CTX *ctx, double *kib)
{
	unsigned int kept = 0;
	unsigned long before = 0;

	for (;;) {
		SSL *ssl = SSL_new(ctx);
		char what = 0;

		SSL_set_fd(ssl, accept(listener, NULL, NULL));
		if (SSL_accept(ssl) != 1 || SSL_read(ssl, &what, 1) != 1 || what != 'k') {
			finish(ssl);
			continue;
		}
		if (!kept)
			before = resident_kib();
		*kib = (double)(resident_kib() - before) / ++kept;
		SSL_write(ssl, "k", 1);
		if (kept == KEPT)
			break;
	}
	for (;;) /* they are held until somebody ends us */
		pause();
}

static SSL *handshake(const struct sockaddr_in *to, SSL_CTX *ctx)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	SSL *ssl = SSL_new(ctx);

	need(fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0,
	     "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	need(SSL_connect(ssl) == 1, "SSL_connect");
	return ssl;
}

static _Noreturn void call(const struct sockaddr_in *to, SSL_CTX *ctx, double until,
                           uint64_t *count)
{
	while (now() < until) {
		SSL *ssl = handshake(to, ctx);

		need(SSL_write(ssl, "c", 1) == 1, "SSL_write");
		finish(ssl);
		++*count;
	}
	exit(0);
}

static void keep(const struct sockaddr_in *to, SSL_CTX *ctx)
{
	char kept;

	for (int i = 0; i < KEPT; i++) {
		SSL *ssl = handshake(to, ctx);

		need(SSL_write(ssl, "k", 1) == 1 && SSL_read(ssl, &kept, 1) == 1,
		     "a connection that is kept");
	}
}

static pid_t child(void)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	return pid;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 3, began, kib = 0;
	unsigned int processes = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 0) : 2;
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t count = 0;
	struct {
		double kib;
		uint64_t count;
	} * shared;
	pid_t *server, *client;

	if (argc < 2 || !processes) {
		fputs("usage: handshakes CERTIFICATES [SECONDS [PROCESSES]]\n", stderr);
		return 2;
	}
	shared = mmap(NULL, processes * sizeof(*shared), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server = calloc(2 * processes, sizeof(*server));
	need(shared != MAP_FAILED && server, "memory");
	client = server + processes;
	need(!bind(listener, (const struct sockaddr *)&at, sizeof(at)) &&
	             !listen(listener, 1024) &&
	             !getsockname(listener, (struct sockaddr *)&at, &size),
	     "listen");
	signal(SIGPIPE, SIG_IGN);
	for (unsigned int i = 0; i < processes; i++)
		if ((server[i] = child()) == 0)
			serve(listener, context(argv[1], "server"), &shared[i].kib);
	began = now();
	for (unsigned int i = 0; i < processes; i++)
		if ((client[i] = child()) == 0)
			call(&at, context(argv[1], "client"), began + seconds,
			     &shared[i].count);
	for (unsigned int i = 0; i < processes; i++) {
		int status;

		waitpid(client[i], &status, 0);
		need(status == 0, "a client");
		count += shared[i].count;
	}
	seconds = now() - began;
	for (unsigned int i = 1; i < processes; i++) {
		kill(server[i], SIGKILL);
		waitpid(server[i], NULL, 0);
	}
	keep(&at, context(argv[1], "client"));
	kib = shared[0].kib;
	kill(server[0], SIGKILL);
	waitpid(server[0], NULL, 0);
	printf("%.0f handshakes/s, %.1f KiB a connection at rest at the server\n",
	       (double)count / seconds, kib);
	free(server);
	return 0;
}
