// SPDX-License-Identifier: BSD-2-Clause
/*
 * Copies between the memory of two processes: the kernel does it, in the thread that
 * asks, and the other process takes no part. Inside one process it is a memcpy.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "host/inside.h"
#include "host/peer.h"

#define YAMA  "/proc/sys/kernel/yama/ptrace_scope"
#define BATCH 64U /* elements of a list that is not passed on as it is */
#define TAIL  64U

typedef ssize_t transfer(pid_t pid, const struct iovec *local, unsigned long locals,
                         const struct iovec *remote, unsigned long remotes,
                         unsigned long flags);

/* Yama's ptrace_scope, or -1 on kernels without it. */
static int yama_scope(void)
{
	int fd = open(YAMA, O_RDONLY | O_CLOEXEC);
	char digit = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, &digit, 1);
	close(fd);
	return got == 1 ? digit - '0' : -1;
}

void copy_allow_peers(void)
{
	if (yama_scope() >= 0)
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

static void say_forbidden(const struct peer *peer)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	int scope = yama_scope();

	if (atomic_flag_test_and_set(&said))
		return;
	if (scope > 1)
		mock_error("the kernel forbids copying to and from process %d: " YAMA
		           " is %d: as root, write 1 to it",
		           (int)peer->pid, scope);
	else
		mock_error(
		        "the system forbids copying to and from process %d "
		        "(process_vm_readv): in a container, permit that call in its "
		        "seccomp profile or add the capability SYS_PTRACE; otherwise see "
		        "that neither program is set-user-id or undumpable",
		        (int)peer->pid);
}

static int failed(const struct peer *peer, int err)
{
	if (err == EFAULT || err == EINVAL)
		return -EFAULT;
	if (err == ENOMEM)
		return -ENOMEM;
	if (err != EPERM && err != ENOSYS && err != EACCES)
		return -ESRCH;
	if (!peer_alive(peer))
		return -ESRCH;
	say_forbidden(peer);
	return -EPERM;
}

/* A place in a list: the element, and the bytes of it that are done. */
struct place {
	const struct iovec *iov;
	unsigned int left;
	size_t done;
};

static void skip_done(struct place *place)
{
	while (place->left && place->done >= place->iov->iov_len) {
		place->done -= place->iov->iov_len;
		place->iov++;
		place->left--;
	}
}

/* The next elements from the place on, into out. */
static unsigned int batch(const struct place *place, struct iovec *out)
{
	unsigned int count = place->left < BATCH ? place->left : BATCH;

	memcpy(out, place->iov, count * sizeof(*out));
	if (count) {
		out[0].iov_base = (char *)out[0].iov_base + place->done;
		out[0].iov_len -= place->done;
	}
	return count;
}

/* Goes on where a first call stopped: at a fault, or at what one call can do. */
static int transfer_rest(const struct peer *peer, transfer *move, struct place remote,
                         struct place local)
{
	struct iovec remotes[BATCH], locals[BATCH];
	unsigned int nr, nl;
	ssize_t moved;

	for (;;) {
		skip_done(&remote);
		skip_done(&local);
		if (!remote.left || !local.left)
			return 0;
		nr = batch(&remote, remotes);
		nl = batch(&local, locals);
		moved = move(peer->pid, locals, nl, remotes, nr, 0);
		if (moved < 0)
			return failed(peer, errno);
		if (moved == 0)
			return -EFAULT;
		remote.done += (size_t)moved;
		local.done += (size_t)moved;
	}
}

static size_t total(const struct iovec *iov, unsigned int count)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* The life of the peer is asked first: its pid could be another process's by now. */
static int transfer_all(const struct peer *peer, transfer *move,
                        const struct iovec *remote, unsigned int remotes,
                        const struct iovec *local, unsigned int locals)
{
	ssize_t moved = 0;

	if (!peer_alive(peer))
		return -ESRCH;
	if (remotes <= IOV_MAX && locals <= IOV_MAX) {
		moved = move(peer->pid, local, locals, remote, remotes, 0);
		if (moved < 0)
			return failed(peer, errno);
		if ((size_t)moved == total(local, locals))
			return 0;
	}
	return transfer_rest(peer, move, (struct place){ remote, remotes, (size_t)moved },
	                     (struct place){ local, locals, (size_t)moved });
}

/*
 * The last bytes last: programs wait for a message by looking at its end, and memmove()
 * may write that before the middle.
 */
static void copy_in_order(char *to, const char *from, size_t length)
{
	size_t bulk = length > TAIL ? length - TAIL : 0;

	if (unlikely(to < from + length && from < to + length)) {
		memmove(to, from, length);
		return;
	}
	if (bulk) {
		memcpy(to, from, bulk);
		atomic_thread_fence(memory_order_release);
	}
	memcpy(to + bulk, from + bulk, length - bulk);
}

static int copy_self(const struct iovec *to_iov, unsigned int tos,
                     const struct iovec *from_iov, unsigned int froms)
{
	struct place to = { to_iov, tos, 0 };
	struct place from = { from_iov, froms, 0 };
	size_t length;

	for (;;) {
		skip_done(&to);
		skip_done(&from);
		if (!to.left || !from.left)
			return 0;
		length =
		        min_u64(to.iov->iov_len - to.done, from.iov->iov_len - from.done);
		copy_in_order((char *)to.iov->iov_base + to.done,
		              (const char *)from.iov->iov_base + from.done, length);
		to.done += length;
		from.done += length;
	}
}

int peer_write(const struct peer *peer, const struct iovec *remote, unsigned int remotes,
               const struct iovec *local, unsigned int locals)
{
	if (peer->self)
		return copy_self(remote, remotes, local, locals);
	return transfer_all(peer, process_vm_writev, remote, remotes, local, locals);
}

int peer_read(const struct peer *peer, const struct iovec *remote, unsigned int remotes,
              const struct iovec *local, unsigned int locals)
{
	if (peer->self)
		return copy_self(local, locals, remote, remotes);
	return transfer_all(peer, process_vm_readv, remote, remotes, local, locals);
}

/* To another process it is the kernel's copy that writes a word as one: it moves what is
 * aligned in words. */
int peer_write_word(const struct peer *peer, uint64_t *to, uint64_t value)
{
	struct iovec remote = { to, sizeof(value) }, local = { &value, sizeof(value) };

	if (!peer->self)
		return peer_write(peer, &remote, 1, &local, 1);
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	return 0;
}
