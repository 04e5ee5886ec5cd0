// SPDX-License-Identifier: BSD-2-Clause
/*
 * The bare system call that the local link cannot beat between processes: a loop of
 * process_vm_writev() from one buffer into one of another process, which only waits.
 *
 * usage: vm_writev BYTES CALLS; prints the median of a call in µs, and MiB/s over all.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

static void *touched_buffer(size_t size)
{
	void *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffer == MAP_FAILED)
		die("mmap");
	memset(buffer, 1, size);
	return buffer;
}

/* Tells where its buffer is, and lives until the other end of the pipe is closed. */
static _Noreturn void be_target(size_t size, int out, int in)
{
	void *buffer = touched_buffer(size);
	char byte;

	pin_to_cpu(0);
	if (write(out, &buffer, sizeof(buffer)) != sizeof(buffer))
		die("write");
	_exit(read(in, &byte, 1) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void write_once(pid_t target, const struct iovec *from, const struct iovec *to)
{
	ssize_t done = process_vm_writev(target, from, 1, to, 1, 0);

	if (done < 0)
		die("process_vm_writev");
	if ((size_t)done != from->iov_len) {
		fprintf(stderr, "vm_writev: wrote %zd of %zu bytes\n", done,
		        from->iov_len);
		exit(EXIT_FAILURE);
	}
}

static void measure(pid_t target, void *remote, size_t size, size_t calls)
{
	struct iovec from = { touched_buffer(size), size }, to = { remote, size };
	uint64_t *samples = new_samples(calls);
	uint64_t start, last;

	pin_to_cpu(1);
	for (size_t i = 0; i < calls / 10 + 1; i++)
		write_once(target, &from, &to);
	start = last = now_ns();
	for (size_t i = 0; i < calls; i++) {
		uint64_t now;

		write_once(target, &from, &to);
		now = now_ns();
		samples[i] = now - last;
		last = now;
	}
	printf("%.3f %.1f\n", median_us(samples, calls),
	       (double)size * (double)calls / (1 << 20) / ((double)(last - start) / 1e9));
	free(samples);
}

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	size_t calls = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int there[2], back[2], status;
	void *remote;
	pid_t target;

	if (!size || !calls) {
		fputs("usage: vm_writev BYTES CALLS\n", stderr);
		return 2;
	}
	if (pipe(there) || pipe(back))
		die("pipe");
	target = fork();
	if (target < 0)
		die("fork");
	if (!target) {
		close(there[0]);
		close(back[1]);
		be_target(size, there[1], back[0]);
	}
	close(there[1]);
	close(back[0]);
	if (read(there[0], &remote, sizeof(remote)) != sizeof(remote))
		die("read");
	measure(target, remote, size, calls);
	close(back[1]);
	return waitpid(target, &status, 0) == target && status == 0 ? 0 : 1;
}
