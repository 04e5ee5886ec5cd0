/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the connection manager has not: multicast, enhanced connection establishment, and
 * sockets over RDMA. They are here to refuse, so that no call falls through to the real
 * library.
 */
#include <poll.h>
#include <rdma/rdma_cma.h>
#include <rdma/rsocket.h>
#include <sys/select.h>
#include "api/api.h"
#include "base/util.h"

/* -1 in whatever type the function answers. */
#define ABSENT(type, error, function, ...)   \
	MOCK_API type function(__VA_ARGS__); \
	MOCK_API type function(__VA_ARGS__)  \
	{                                    \
		errno = error;               \
		return (type)-1;             \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-decls"

/* They come with unreliable datagrams. */
ABSENT(int, EOPNOTSUPP, rdma_join_multicast, struct rdma_cm_id *id, struct sockaddr *addr,
       void *context)
ABSENT(int, EOPNOTSUPP, rdma_join_multicast_ex, struct rdma_cm_id *id,
       struct rdma_cm_join_mc_attr_ex *attr, void *context)
ABSENT(int, EOPNOTSUPP, rdma_leave_multicast, struct rdma_cm_id *id,
       struct sockaddr *addr)

ABSENT(int, EOPNOTSUPP, rdma_set_local_ece, struct rdma_cm_id *id, struct ibv_ece *ece)
ABSENT(int, EOPNOTSUPP, rdma_get_remote_ece, struct rdma_cm_id *id, struct ibv_ece *ece)

ABSENT(int, EAFNOSUPPORT, rsocket, int domain, int type, int protocol)
ABSENT(int, EOPNOTSUPP, rbind, int socket, const struct sockaddr *addr, socklen_t addrlen)
ABSENT(int, EOPNOTSUPP, rlisten, int socket, int backlog)
ABSENT(int, EOPNOTSUPP, raccept, int socket, struct sockaddr *addr, socklen_t *addrlen)
ABSENT(int, EOPNOTSUPP, rconnect, int socket, const struct sockaddr *addr,
       socklen_t addrlen)
ABSENT(int, EOPNOTSUPP, rshutdown, int socket, int how)
ABSENT(int, EOPNOTSUPP, rclose, int socket)
ABSENT(ssize_t, EOPNOTSUPP, rrecv, int socket, void *buf, size_t len, int flags)
ABSENT(ssize_t, EOPNOTSUPP, rrecvfrom, int socket, void *buf, size_t len, int flags,
       struct sockaddr *src_addr, socklen_t *addrlen)
ABSENT(ssize_t, EOPNOTSUPP, rrecvmsg, int socket, struct msghdr *msg, int flags)
ABSENT(ssize_t, EOPNOTSUPP, rsend, int socket, const void *buf, size_t len, int flags)
ABSENT(ssize_t, EOPNOTSUPP, rsendto, int socket, const void *buf, size_t len, int flags,
       const struct sockaddr *dest_addr, socklen_t addrlen)
ABSENT(ssize_t, EOPNOTSUPP, rsendmsg, int socket, const struct msghdr *msg, int flags)
ABSENT(ssize_t, EOPNOTSUPP, rread, int socket, void *buf, size_t count)
ABSENT(ssize_t, EOPNOTSUPP, rreadv, int socket, const struct iovec *iov, int iovcnt)
ABSENT(ssize_t, EOPNOTSUPP, rwrite, int socket, const void *buf, size_t count)
ABSENT(ssize_t, EOPNOTSUPP, rwritev, int socket, const struct iovec *iov, int iovcnt)
ABSENT(int, EOPNOTSUPP, rpoll, struct pollfd *fds, nfds_t nfds, int timeout)
ABSENT(int, EOPNOTSUPP, rselect, int nfds, fd_set *readfds, fd_set *writefds,
       fd_set *exceptfds, struct timeval *timeout)
ABSENT(int, EOPNOTSUPP, rgetpeername, int socket, struct sockaddr *addr,
       socklen_t *addrlen)
ABSENT(int, EOPNOTSUPP, rgetsockname, int socket, struct sockaddr *addr,
       socklen_t *addrlen)
ABSENT(int, EOPNOTSUPP, rsetsockopt, int socket, int level, int optname,
       const void *optval, socklen_t optlen)
ABSENT(int, EOPNOTSUPP, rgetsockopt, int socket, int level, int optname, void *optval,
       socklen_t *optlen)
ABSENT(int, EOPNOTSUPP, rfcntl, int socket, int cmd, ...)
ABSENT(off_t, EOPNOTSUPP, riomap, int socket, void *buf, size_t len, int prot, int flags,
       off_t offset)
ABSENT(int, EOPNOTSUPP, riounmap, int socket, void *buf, size_t len)
ABSENT(size_t, EOPNOTSUPP, riowrite, int socket, const void *buf, size_t count,
       off_t offset, int flags)
