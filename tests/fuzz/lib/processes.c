/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/processes.h"

#include <ftw.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int peer_socket = -1;
static char directory[] = "/dev/shm/mockrdma-fuzz.XXXXXX";

/* The fuzzer's own timer interrupts calls. */
static bool put_all(int socket, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t put = send(socket, at, size, MSG_NOSIGNAL);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			at += put;
			size -= (size_t)put;
		}
	}
	return true;
}

static bool get_all(int socket, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t got = recv(socket, at, size, 0);

		if (!got || (got < 0 && errno != EINTR))
			return false;
		if (got > 0) {
			at += got;
			size -= (size_t)got;
		}
	}
	return true;
}

bool exchange(int socket, const void *mine, void *theirs, size_t size)
{
	return put_all(socket, mine, size) && get_all(socket, theirs, size);
}
void run_threads(void *(*run)(void *world), void *worlds, size_t size, int threads)
{
	pthread_t thread;

	if (threads == 2)
		MUST(!pthread_create(&thread, NULL, run, (char *)worlds + size));
	run(worlds);
	if (threads == 2)
		pthread_join(thread, NULL);
}

static _Noreturn void be_the_other(int socket)
{
	static uint8_t data[1 << 16];
	uint32_t size;

	while (get_all(socket, &size, sizeof(size))) {
		MUST(size <= sizeof(data) && get_all(socket, data, size));
		live(socket, data, size, 1);
	}
	_exit(0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void clean_up(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int sockets[2];

	(void)argc, (void)argv;
	MUST(mkdtemp(directory));
	setenv("MOCKRDMA_DIR", directory, 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	setenv("MOCKRDMA_DM", "64K", 1);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	switch (fork()) {
	case -1: abort();
	case 0: close(sockets[0]); be_the_other(sockets[1]);
	default: close(sockets[1]); peer_socket = sockets[0];
	}
	atexit(clean_up);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t theirs = (uint32_t)(size / 3);

	if (size > 1 << 15)
		return 0;
	MUST(put_all(peer_socket, &theirs, sizeof(theirs)));
	MUST(put_all(peer_socket, data, theirs));
	live(peer_socket, data + theirs, size - theirs, 2);
	return 0;
}
