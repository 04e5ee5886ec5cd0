/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client asks for, message by message. */
#include "server/peer.h"

static int refuse(struct peer *peer, const struct app_message *message, int error)
{
	peer_refuse(peer, message->id, app_type_name(message->type), error, fault_text());
	return 0;
}

static int answer(struct peer *peer, const struct app_message *message)
{
	int error = channel_send(&peer->channel, message);

	if (error)
		peer_cut(peer, fault_text());
	return 0;
}

static int on_ping(struct peer *peer, const struct app_message *message)
{
	struct app_message pong = *message;

	if (peer_check(peer, ACCESS_PING, "ping"))
		return refuse(peer, message, -FAULT_FORBIDDEN);

	pong.type = APP_PONG;
	return answer(peer, &pong);
}

static int on_text(struct peer *peer, const struct app_message *message)
{
	struct app_message echo = *message;

	if (peer_check(peer, ACCESS_SEND, "send messages"))
		return refuse(peer, message, -FAULT_FORBIDDEN);
	echo.type = APP_ECHO;
	peer_log(peer, SRDMA_LOG_INFO, "sent a message of %zu bytes",
	         message->payload.length);
	return answer(peer, &echo);
}

/* Those that we have both. */
static int on_features(struct peer *peer, const struct app_message *message)
{
	struct app_message ours = *message;

	ours.features &= APP_FEATURES_ALL;
	return answer(peer, &ours);
}

static int on_scratch(struct peer *peer, const struct app_message *message)
{
	int error = scratch_open(peer, message->id);

	if (error)
		peer_refuse(peer, message->id, "scratch region", error, fault_text());
	return 0;
}

static int on_digest(struct peer *peer, const struct app_message *message)
{
	int error = scratch_digest(peer, message);

	if (error)
		peer_refuse(peer, message->id, "digest of the scratch region", error,
		            fault_text());
	return 0;
}

/* What asks for work that takes time: not any more when the server stops. */
static int start(struct peer *peer, const struct app_message *message,
                 int (*begin)(struct peer *, const struct app_message *))
{
	int error;

	if (peer->loop->draining)
		error = fault(FAULT_STOPPING, "the server is being stopped: try again "
		                              "when it runs again");
	else
		error = begin(peer, message);
	if (error)
		peer_refuse(peer, message->id, app_type_name(message->type), error,
		            fault_text());
	return 0;
}

static int on_list(struct peer *peer, const struct app_message *message)
{
	return start(peer, message, listing_start);
}

static int on_put(struct peer *peer, const struct app_message *message)
{
	return start(peer, message, files_put);
}

static int on_get(struct peer *peer, const struct app_message *message)
{
	return start(peer, message, files_get);
}

/* Of a transfer that ended meanwhile: these were on their way. */
static int on_late(struct peer *peer, const struct app_message *message)
{
	if (message->type == APP_FAIL)
		files_cancel(peer, message->id);
	return 0;
}

static int (*const handlers[APP_TYPES])(struct peer *, const struct app_message *) = {
	[APP_PING] = on_ping,     [APP_TEXT] = on_text,   [APP_SCRATCH] = on_scratch,
	[APP_DIGEST] = on_digest, [APP_LIST] = on_list,   [APP_PUT] = on_put,
	[APP_GET] = on_get,       [APP_READY] = on_late,  [APP_CHUNK] = on_late,
	[APP_TAKEN] = on_late,    [APP_END] = on_late,    [APP_DONE] = on_late,
	[APP_FAIL] = on_late,     [APP_RESUME] = on_late, [APP_FEATURES] = on_features,
};

int request_handle(struct peer *peer, const struct app_message *message)
{
	bool taken;
	int error = channel_on_message(&peer->channel, message, &taken);

	if (error || taken)
		return error;
	/* Those of transfers keep their own pace, and are not counted. */
	if (message->type != APP_FAIL &&
	    account_count_message(&peer->server->accounts, peer->account))
		return refuse(peer, message, -FAULT_BUSY);
	if (!handlers[message->type])
		return fault(FAULT_PROTOCOL, "a client must not send %s",
		             app_type_name(message->type));
	return handlers[message->type](peer, message);
}
