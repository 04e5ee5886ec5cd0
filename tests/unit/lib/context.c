/* SPDX-License-Identifier: BSD-2-Clause */
#include "context.h"

#include "check.h"
#include "pki.h"

static void set(struct srdma_context *context, enum srdma_text_option option,
                const char *text)
{
	CHECK_EQ(srdma_context_set_text(context, option, text), 0);
}

void context_certificate(struct srdma_context *context, const char *name,
                         const char *authority)
{
	set(context, SRDMA_OPT_CERTIFICATE, name ? pki_path(name, ".pem") : NULL);
	set(context, SRDMA_OPT_KEY, name ? pki_path(name, ".key") : NULL);
	set(context, SRDMA_OPT_CA, pki_path(authority, ".pem"));
}

struct srdma_context *context_as(const char *name)
{
	struct srdma_context *context;

	CHECK_EQ(srdma_context_new(&context), 0);
	context_certificate(context, name, "ca");
	CHECK_EQ(srdma_context_load(context), 0);
	return context;
}
