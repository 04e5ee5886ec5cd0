/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/fabric_offer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "session/error.h"

#define VERSION FI_VERSION(1, 9)

static const char *wanted_provider(const struct fabric *fabric)
{
	return fabric->worker->options.text[SRDMA_OPT_FABRIC_PROVIDER];
}

/*
 * Any thread of ours does everything of a domain, and drives it. Messages that come are
 * told by whom: those of strangers are dropped.
 */
static struct fi_info *make_hints(const struct fabric *fabric, bool rma)
{
	struct fi_info *hints = fabric->library->dupinfo(NULL);
	const char *name = wanted_provider(fabric);

	if (!hints)
		return NULL;
	hints->caps = FI_MSG | FI_SOURCE | (rma ? FI_RMA : 0);
	hints->mode = FI_CONTEXT | FI_CONTEXT2;
	hints->ep_attr->type = FI_EP_RDM;
	hints->domain_attr->threading = FI_THREAD_DOMAIN;
	hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
	hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
	hints->domain_attr->mr_mode =
	        FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
	if (!name)
		return hints;
	hints->fabric_attr->prov_name = strdup(name);
	if (hints->fabric_attr->prov_name)
		return hints;
	fabric->library->freeinfo(hints);
	return NULL;
}

static int none(const struct fabric *fabric, bool rma, int code)
{
	const char *name = wanted_provider(fabric);

	return fail(SRDMA_ENODEVICE,
	            "libfabric has no provider%s%s%s that can do reliable datagrams%s "
	            "here (%s): fi_info -t FI_EP_RDM lists those that there are",
	            name ? " '" : "", name ? name : "", name ? "'" : "",
	            rma ? " with RMA, which messages in clear need," : "",
	            fabric->library->strerror(-code));
}

int fabric_ask(struct fabric *fabric, bool rma)
{
	struct fi_info *hints;
	int code;

	if (fabric->offers[rma])
		return 0;
	hints = make_hints(fabric, rma);
	if (!hints)
		return fail(SRDMA_ENOMEM, "out of memory for libfabric");
	code = fabric->library->getinfo(VERSION, NULL, NULL, 0, hints,
	                                &fabric->offers[rma]);
	fabric->library->freeinfo(hints);
	if (!code)
		return 0;
	fabric->offers[rma] = NULL;
	return none(fabric, rma, code);
}

/* As IPv6, IPv4 mapped. */
static bool to_ipv6(const struct sockaddr *address, struct in6_addr *out)
{
	if (address->sa_family == AF_INET6) {
		*out = ((const struct sockaddr_in6 *)address)->sin6_addr;
		return true;
	}
	if (address->sa_family != AF_INET)
		return false;
	*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(out->s6_addr + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	return true;
}

bool fabric_same_ip(const struct sockaddr *a, const struct sockaddr *b)
{
	struct in6_addr one, other;

	return to_ipv6(a, &one) && to_ipv6(b, &other) &&
	       !memcmp(&one, &other, sizeof(one));
}

bool fabric_is_ip(uint32_t format)
{
	return format == FI_SOCKADDR || format == FI_SOCKADDR_IN ||
	       format == FI_SOCKADDR_IN6;
}

static bool fits(const struct fabric *fabric, const struct fi_info *info,
                 const struct endpoint_plan *plan)
{
	const char *device = fabric->worker->options.text[SRDMA_OPT_DEVICE];

	if (strcmp(info->fabric_attr->prov_name,
	           fabric->offers[plan->one_sided]->fabric_attr->prov_name) != 0)
		return false;
	if (device && strcmp(device, info->domain_attr->name) != 0)
		return false;
	if (!fabric_is_ip(info->addr_format))
		return true;
	return info->src_addr &&
	       fabric_same_ip(info->src_addr, (const struct sockaddr *)&plan->local);
}

static int no_address(const struct fabric *fabric, const struct endpoint_plan *plan,
                      bool rma)
{
	const char *device = fabric->worker->options.text[SRDMA_OPT_DEVICE];
	char text[INET6_ADDRSTRLEN] = "?";
	struct in6_addr ours;

	if (to_ipv6((const struct sockaddr *)&plan->local, &ours))
		inet_ntop(AF_INET6, &ours, text, sizeof(text));
	return fail(
	        SRDMA_ENODEVICE,
	        "libfabric's provider %s has no domain%s%s with the address %s of this "
	        "connection: connect by an address that fi_info -v shows",
	        fabric->offers[rma]->fabric_attr->prov_name, device ? " " : "",
	        device ? device : "", text);
}

int fabric_choose(struct fabric *fabric, const struct endpoint_plan *plan,
                  struct fi_info **out)
{
	bool rma = plan->one_sided;
	int error = fabric_ask(fabric, rma);
	struct fi_info *info;

	if (error)
		return error;
	info = fabric->offers[rma];
	while (info && !fits(fabric, info, plan))
		info = info->next;
	if (!info)
		return no_address(fabric, plan, rma);
	if (plan->receives > info->rx_attr->size || plan->sends > info->tx_attr->size ||
	    info->tx_attr->iov_limit < 2)
		return fail(SRDMA_ELIMIT,
		            "libfabric's provider %s takes %zu operations and %zu "
		            "receives of an endpoint, in %zu parts, a session wants %u, "
		            "%u and 2: lower its send depth or its credits",
		            info->fabric_attr->prov_name, info->tx_attr->size,
		            info->rx_attr->size, info->tx_attr->iov_limit, plan->sends,
		            plan->receives);
	*out = info;
	return 0;
}
