// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "host/bell.h"
#include "host/plain_socket.h"
#include "host/random.h"

/* Abstract names begin with a zero byte and end where the length says. */
socklen_t bell_address(uint64_t name, struct sockaddr_un *address)
{
	static const char prefix[] = {
		'\0', 'm', 'o', 'c', 'k', 'r', 'd', 'm', 'a', '.'
	};
	char *digit = address->sun_path + sizeof(prefix);

	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, prefix, sizeof(prefix));
	for (int shift = 60; shift >= 0; shift -= 4)
		*digit++ = "0123456789abcdef"[name >> shift & 15];
	return (socklen_t)(digit - (char *)address);
}

static int open_socket(void)
{
	int fd = plain_socket(AF_UNIX);

	return fd < 0 ? -errno : fd;
}

int bell_create(int *fd, uint64_t *name)
{
	struct sockaddr_un address;
	int err, sock = open_socket();
	uint64_t drawn;
	socklen_t length;

	if (sock < 0)
		return sock;
	do {
		drawn = random_u64();
		length = bell_address(drawn, &address);
		if (bind(sock, (struct sockaddr *)&address, length) == 0) {
			*fd = sock;
			*name = drawn;
			return 0;
		}
		err = -errno;
	} while (err == -EADDRINUSE);
	close(sock);
	return err;
}

/*
 * The one socket that this process rings from; nobody can send to it. Made on first use,
 * and again when the program closed it behind our back.
 */
static _Atomic int ringer = -1;

static int ringer_get(int broken)
{
	int fd = atomic_load_explicit(&ringer, memory_order_acquire);
	int fresh;

	if (fd >= 0 && fd != broken)
		return fd;
	fresh = open_socket();
	if (fresh < 0)
		return fresh;
	if (atomic_compare_exchange_strong(&ringer, &fd, fresh))
		return fresh;
	close(fresh);
	return fd;
}

static int ring(int fd, uint64_t name)
{
	struct sockaddr_un address;
	socklen_t length = bell_address(name, &address);

	if (sendto(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
	           length) < 0)
		return -errno;
	return 0;
}

/* sendto() is a cancellation point; posting and polling, with locks held, are not. */
COLD void bell_ring(uint64_t name)
{
	int saved = errno, cancel, fd, err;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	fd = ringer_get(-1);
	err = fd < 0 ? fd : ring(fd, name);
	if (err == -EBADF || err == -ENOTSOCK) {
		fd = ringer_get(fd);
		if (fd >= 0)
			ring(fd, name);
	}
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
}

void bell_forget(void)
{
	int fd = atomic_exchange(&ringer, -1);

	if (fd >= 0)
		close(fd);
}

/* recv() is one, too: whoever silences a bell has something in hand already. */
void bell_silence(int fd)
{
	int cancel;
	char byte;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
	pthread_setcancelstate(cancel, NULL);
}

int bell_wait(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) < 0 ? -errno : 0;
}
