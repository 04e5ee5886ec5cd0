/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/fabric_domain.h"

#include <rdma/fi_errno.h>

#include "common/log.h"
#include "session/error.h"
#include "session/fabric_offer.h"
#include "session/objects.h"

const char *fabric_provider(const struct fabric_domain *domain)
{
	return domain->info->fabric_attr->prov_name;
}

int fabric_failed(const struct fabric_domain *domain, const char *what, int code)
{
	return fail(code == -FI_ENOMEM ? SRDMA_ENOMEM : SRDMA_ESYSTEM,
	            "libfabric's provider %s cannot %s: %s", fabric_provider(domain),
	            what, domain->fabric->library->strerror(-code));
}

void fabric_close(const struct fabric_domain *domain, struct fid *fid, const char *what)
{
	int code = fid ? fi_close(fid) : 0;

	if (code)
		log_error("libfabric's provider %s cannot close a %s: %s",
		          fabric_provider(domain), what,
		          domain->fabric->library->strerror(-code));
}

void fabric_domain_close(struct fabric_domain *domain)
{
	if (domain->fid) {
		fabric_close(domain, &domain->fid->fid, "domain");
		object_gone(OBJECT_CONTEXT);
	}
	if (domain->fid_fabric)
		fabric_close(domain, &domain->fid_fabric->fid, "fabric");
	domain->fid = NULL;
	domain->fid_fabric = NULL;
}

int fabric_domain_open(struct fabric_domain *domain, struct fabric *fabric,
                       const struct endpoint_plan *plan)
{
	int error, code;

	domain->fabric = fabric;
	error = fabric_choose(fabric, plan, &domain->info);
	if (error)
		return error;
	code = fabric->library->fabric(domain->info->fabric_attr, &domain->fid_fabric,
	                               NULL);
	if (code)
		return fabric_failed(domain, "open a fabric", code);
	code = fi_domain(domain->fid_fabric, domain->info, &domain->fid, NULL);
	if (!code) {
		object_made(OBJECT_CONTEXT);
		return 0;
	}
	error = fabric_failed(domain, "open a domain", code);
	fabric_domain_close(domain);
	return error;
}
