/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/linger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define PATIENCE_US 2000000
#define FINISH_US   500000
#define BYTES_MAX   65536
#define LINGERS_MAX 256

struct linger_socket {
	struct list node; /* of the worker */
	struct srdma_worker *worker;
	struct source socket;
	struct timer timer;
	size_t bytes;
};

static void end(struct linger_socket *linger)
{
	struct srdma_worker *worker = linger->worker;

	worker_unwatch(worker, &linger->socket);
	worker_drop_timer(worker, &linger->timer);
	list_remove(&linger->node);
	worker->linger_count--;
	close(linger->socket.fd);
	free(linger);
}

static void expired(struct timer *timer)
{
	end(container_of(timer, struct linger_socket, timer));
}

static void ready(struct source *source, uint32_t events)
{
	struct linger_socket *linger = container_of(source, struct linger_socket, socket);
	char sink[4096];
	ssize_t n;

	(void)events;
	while ((n = recv(source->fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0) {
		linger->bytes += (size_t)n;
		if (linger->bytes > BYTES_MAX)
			break;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	end(linger);
}

void linger_start(struct srdma_worker *worker, int fd)
{
	struct linger_socket *linger = NULL;

	shutdown(fd, SHUT_WR);
	if (worker->linger_count < LINGERS_MAX)
		linger = calloc(1, sizeof(*linger));
	if (!linger || worker_add_timer(worker))
		goto close;
	linger->worker = worker;
	linger->socket = (struct source){ fd, ready };
	linger->timer.expired = expired;
	list_append(&worker->lingers, &linger->node);
	worker->linger_count++;
	worker_set_timer(worker, &linger->timer, PATIENCE_US);
	if (worker_watch(worker, &linger->socket, POLLER_IN | POLLER_RDHUP))
		end(linger);
	return;

close:
	free(linger);
	close(fd);
}

void linger_finish(struct srdma_worker *worker)
{
	uint64_t end = clock_us() + FINISH_US;

	while (worker->linger_count && clock_us() < end)
		if (srdma_worker_run(worker, 50) < 0)
			break;
}

void linger_end_all(struct srdma_worker *worker)
{
	list_for_each_safe (node, &worker->lingers)
		end(container_of(node, struct linger_socket, node));
}
