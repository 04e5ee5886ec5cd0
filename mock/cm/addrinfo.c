/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_getaddrinfo(3): getaddrinfo(3) in terms of this device. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "cm/addr.h"
#include "cm/call.h"

static const int flags_known = RAI_PASSIVE | RAI_NUMERICHOST | RAI_NOROUTE | RAI_FAMILY;

static int to_flags(int rai)
{
	return (rai & RAI_PASSIVE ? AI_PASSIVE : 0) |
	       (rai & RAI_NUMERICHOST ? AI_NUMERICHOST : 0);
}

static bool is_datagram(int port_space)
{
	return port_space == RDMA_PS_UDP || port_space == RDMA_PS_IPOIB;
}

static int socktype_of(int qp_type)
{
	switch (qp_type) {
	case IBV_QPT_RC:
	case IBV_QPT_UC:
	case IBV_QPT_XRC_SEND:
	case IBV_QPT_XRC_RECV: return SOCK_STREAM;
	case IBV_QPT_UD: return SOCK_DGRAM;
	default: return 0;
	}
}

static int protocol_of(int port_space, int socktype)
{
	switch (port_space) {
	case RDMA_PS_TCP: return IPPROTO_TCP;
	case RDMA_PS_UDP:
	case RDMA_PS_IPOIB: return IPPROTO_UDP;
	case RDMA_PS_IB: return socktype == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	default: return 0;
	}
}

/* One address. What the hints want of queue pairs decides what kind of service it is. */
static int look_up(const char *node, const char *service,
                   const struct rdma_addrinfo *hints, struct addrinfo **found)
{
	struct addrinfo want = { 0 };

	if (hints) {
		want.ai_flags = to_flags(hints->ai_flags);
		want.ai_family = hints->ai_family;
		want.ai_socktype = socktype_of(hints->ai_qp_type);
		want.ai_protocol = protocol_of(hints->ai_port_space, want.ai_socktype);
	}
	return getaddrinfo(node, service, &want, found);
}

static struct sockaddr *copy_addr(const struct sockaddr *from, socklen_t length)
{
	struct sockaddr_storage *copy = calloc(1, sizeof(*copy));

	if (copy)
		memcpy(copy, from, length);
	return (struct sockaddr *)copy;
}

static void set_kind(struct rdma_addrinfo *info, const struct rdma_addrinfo *hints)
{
	info->ai_qp_type = IBV_QPT_RC;
	info->ai_port_space = RDMA_PS_TCP;
	if (!hints)
		return;
	info->ai_flags = hints->ai_flags;
	if (hints->ai_port_space)
		info->ai_port_space = hints->ai_port_space;
	if (hints->ai_qp_type)
		info->ai_qp_type = hints->ai_qp_type;
	else if (is_datagram(info->ai_port_space))
		info->ai_qp_type = IBV_QPT_UD;
	if (!hints->ai_port_space && info->ai_qp_type == IBV_QPT_UD)
		info->ai_port_space = RDMA_PS_UDP;
}

/* Without a name: what the hints give, as a copy. */
static int set_addresses(struct rdma_addrinfo *info, const struct rdma_addrinfo *hints,
                         const struct addrinfo *found)
{
	bool passive = info->ai_flags & RAI_PASSIVE;

	if (found && passive) {
		info->ai_src_addr = copy_addr(found->ai_addr, found->ai_addrlen);
		info->ai_src_len = found->ai_addrlen;
	} else if (found) {
		info->ai_dst_addr = copy_addr(found->ai_addr, found->ai_addrlen);
		info->ai_dst_len = found->ai_addrlen;
	}
	if (!info->ai_src_addr && hints && hints->ai_src_addr && hints->ai_src_len) {
		info->ai_src_addr = copy_addr(hints->ai_src_addr, hints->ai_src_len);
		info->ai_src_len = hints->ai_src_len;
	}
	if (!info->ai_dst_addr && !passive && hints && hints->ai_dst_addr &&
	    hints->ai_dst_len) {
		info->ai_dst_addr = copy_addr(hints->ai_dst_addr, hints->ai_dst_len);
		info->ai_dst_len = hints->ai_dst_len;
	}
	if ((info->ai_src_len && !info->ai_src_addr) ||
	    (info->ai_dst_len && !info->ai_dst_addr))
		return -ENOMEM;
	return 0;
}

static bool kind_is_sane(const struct rdma_addrinfo *hints)
{
	if (!hints->ai_qp_type || !hints->ai_port_space ||
	    hints->ai_port_space == RDMA_PS_IB)
		return true;
	return is_datagram(hints->ai_port_space) == (hints->ai_qp_type == IBV_QPT_UD);
}

/* What getaddrinfo(3) would say of them. */
static int check_kind(const struct rdma_addrinfo *hints)
{
	if (hints->ai_flags & ~flags_known)
		return EAI_BADFLAGS;
	return kind_is_sane(hints) ? 0 : EAI_SOCKTYPE;
}

static int check_lengths(const struct rdma_addrinfo *hints)
{
	if (hints->ai_src_len > sizeof(struct sockaddr_storage) ||
	    hints->ai_dst_len > sizeof(struct sockaddr_storage))
		return EAI_FAMILY;
	return 0;
}

static int check_hints(const struct rdma_addrinfo *hints)
{
	int code = check_kind(hints);

	return code ? code : check_lengths(hints);
}

static int make(const struct rdma_addrinfo *hints, const struct addrinfo *found,
                struct rdma_addrinfo **info)
{
	struct rdma_addrinfo *made = calloc(1, sizeof(*made));
	const struct sockaddr *addr;
	int err;

	if (!made)
		return -ENOMEM;
	set_kind(made, hints);
	err = set_addresses(made, hints, found);
	if (err) {
		addrinfo_free(made);
		return err;
	}
	addr = made->ai_dst_addr ? made->ai_dst_addr : made->ai_src_addr;
	made->ai_family = addr ? addr->sa_family : hints->ai_family;
	*info = made;
	return 0;
}

static int error_of(int code)
{
	switch (code) {
	case 0: return 0;
	case EAI_SYSTEM: return -errno;
	case EAI_MEMORY: return -ENOMEM;
	case EAI_AGAIN: return -EAGAIN;
	case EAI_FAMILY:
	case EAI_ADDRFAMILY: return -EAFNOSUPPORT;
	case EAI_SOCKTYPE:
	case EAI_BADFLAGS: return -EINVAL;
	default: return -ENOENT;
	}
}

int addrinfo_copy_hints(const struct rdma_addrinfo *hints, int flags,
                        struct rdma_addrinfo **copy)
{
	struct rdma_addrinfo *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->ai_flags = hints->ai_flags & flags;
	made->ai_family = hints->ai_family;
	made->ai_qp_type = hints->ai_qp_type;
	made->ai_port_space = hints->ai_port_space;
	err = error_of(check_kind(made));
	if (!err)
		err = error_of(check_lengths(hints));
	if (!err)
		err = set_addresses(made, hints, NULL);
	if (err) {
		addrinfo_free(made);
		return err;
	}
	*copy = made;
	return 0;
}

int addrinfo_get(const char *node, const char *service, const struct rdma_addrinfo *hints,
                 struct rdma_addrinfo **info, int *code)
{
	struct addrinfo *found = NULL;
	int err;

	*code = 0;
	if (!node && !service && !hints)
		return -EINVAL;
	if (hints)
		*code = check_hints(hints);
	if (!*code && (node || service))
		*code = look_up(node, service, hints, &found);
	err = error_of(*code);
	if (!err)
		err = make(hints, found, info);
	if (found)
		freeaddrinfo(found);
	return err;
}

void addrinfo_free(struct rdma_addrinfo *info)
{
	while (info) {
		struct rdma_addrinfo *next = info->ai_next;

		free(info->ai_src_addr);
		free(info->ai_dst_addr);
		free(info->ai_src_canonname);
		free(info->ai_dst_canonname);
		free(info->ai_route);
		free(info->ai_connect);
		free(info);
		info = next;
	}
}
