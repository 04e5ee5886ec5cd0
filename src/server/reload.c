/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/logger.h"
#include "server/loop.h"
#include "server/policy.h"
#include "server/server.h"

int server_load_policy(struct server *server)
{
	const struct settings *settings = &server->settings;

	if (!settings->policy)
		return 0;
	return policy_read(settings->policy, &settings->exports, &server->policy);
}

/* Who would not be let in any more goes. */
static void reload_certificates(struct server *server)
{
	int error = srdma_context_load(server->context);

	if (error) {
		log_say(SRDMA_LOG_ERROR,
		        "certificates not reloaded, those before stay in force: %s",
		        srdma_detail());
		return;
	}
	log_say(SRDMA_LOG_INFO, "certificates reloaded");
	for (unsigned i = 0; i < server->loop_count; i++)
		if (srdma_worker_recheck(server->loops[i]->worker))
			log_say(SRDMA_LOG_ERROR,
			        "worker %u: its clients are not looked at again: %s", i,
			        srdma_detail());
}

/* A loop that cannot be told goes on by the old one, and the log says so. */
static void reload_policy(struct server *server)
{
	struct policy *before = server->policy;

	if (!server->settings.policy)
		return;
	if (server_load_policy(server)) {
		log_say(SRDMA_LOG_ERROR,
		        "policy not reloaded, the one before stays in force: %s",
		        fault_text());
		return;
	}
	for (unsigned i = 0; i < server->loop_count; i++)
		if (loop_set_policy(server->loops[i], server->policy))
			log_say(SRDMA_LOG_ERROR,
			        "worker %u: the policy before stays in force: %s", i,
			        fault_text());
	policy_drop(before);
	log_say(SRDMA_LOG_INFO, "policy reloaded from '%s': %u rules",
	        server->settings.policy, server->policy->rule_count);
}

void server_reload(struct server *server)
{
	reload_certificates(server);
	reload_policy(server);
}
