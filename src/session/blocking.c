/* SPDX-License-Identifier: BSD-2-Clause */
/* The blocking conveniences: they run the session's worker until something is so. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "session/error.h"
#include "session/memory.h"

typedef bool condition_fn(const struct srdma_session *session, uint64_t number);

static int left_ms(uint64_t end)
{
	uint64_t now = clock_us();

	if (end == UINT64_MAX)
		return -1;
	return now >= end ? 0 : (int)((end - now + 999) / 1000);
}

static uint64_t end_of(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : clock_us() + (uint64_t)timeout_ms * 1000;
}

static int wait_for(struct srdma_session *session, condition_fn *condition,
                    uint64_t number, uint64_t end)
{
	if (session->worker->running)
		return fail(SRDMA_ESTATE, "a blocking call was made from a callback");
	while (!condition(session, number)) {
		int count;

		if (session->phase == PHASE_CLOSED)
			return fail(session->failure, "%s",
			            session->reason ? session->reason : "");
		count = srdma_worker_run(session->worker, left_ms(end));
		if (count < 0)
			return count;
		if (!count && !left_ms(end) && !condition(session, number))
			return fail(SRDMA_ETIMEOUT, "%s did not answer in time",
			            session->name);
	}
	return 0;
}

static bool is_established(const struct srdma_session *session, uint64_t unused)
{
	(void)unused;
	return session->phase == PHASE_OPEN;
}

int srdma_dial(struct srdma_context *context, const char *host, const char *port,
               const struct srdma_handlers *handlers, void *user, int timeout_ms,
               struct srdma_session **out)
{
	struct srdma_worker *worker;
	struct srdma_session *session;
	char sentence[512];
	int error = srdma_worker_new(context, &worker);

	if (error)
		return error;
	worker->single = true;
	error = srdma_connect(worker, host, port, handlers, user, &session);
	if (error) {
		snprintf(sentence, sizeof(sentence), "%s", srdma_detail());
		srdma_worker_free(worker);
		return fail(error, "%s", sentence);
	}
	error = wait_for(session, is_established, 0, end_of(timeout_ms));
	if (error) {
		snprintf(sentence, sizeof(sentence), "%s", srdma_detail());
		srdma_session_free(session);
		return fail(error, "%s", sentence);
	}
	*out = session;
	return 0;
}

static bool has_ended(const struct srdma_session *session, uint64_t sequence)
{
	return session->data.completed >= sequence;
}

/* The operation that was posted last. */
static int wait_for_last(struct srdma_session *session, uint64_t end)
{
	struct data *data = &session->data;
	int error;

	data->awaited = data->posted;
	data->awaited_status = 0;
	error = wait_for(session, has_ended, data->posted, end);
	data->awaited = 0;
	return error ? error : data->awaited_status;
}

static bool has_been_answered(const struct srdma_session *session, uint64_t sequence)
{
	return session->staged.ended >= sequence;
}

/* The one-sided operation that was started last. */
static int wait_for_access(struct srdma_session *session, uint64_t end)
{
	struct staged *staged = &session->staged;
	int error;

	if (!sealing_is_on(session))
		return wait_for_last(session, end);
	staged->awaited = staged->begun;
	staged->awaited_status = 0;
	error = wait_for(session, has_been_answered, staged->begun, end);
	staged->awaited = 0;
	return error ? error : staged->awaited_status;
}

static bool can_send(const struct srdma_session *session, uint64_t unused)
{
	(void)unused;
	return data_is_writable(session);
}

int srdma_send_wait(struct srdma_session *session, const void *data, size_t length,
                    int timeout_ms)
{
	uint64_t end = end_of(timeout_ms);
	int error;

	while ((error = srdma_send(session, data, length, NULL)) == SRDMA_EBLOCKED) {
		error = wait_for(session, can_send, 0, end);
		if (error)
			return error;
	}
	return error ? error : wait_for_last(session, end);
}

static bool has_message(const struct srdma_session *session, uint64_t unused)
{
	(void)unused;
	return session->established && !list_empty(&session->data.inbox);
}

int srdma_recv_wait(struct srdma_session *session, void *data, size_t size,
                    int timeout_ms, size_t *length)
{
	struct srdma_message *message;
	int error = wait_for(session, has_message, 0, end_of(timeout_ms));

	if (error)
		return error;
	message = container_of(session->data.inbox.next, struct srdma_message, node);
	if (message->length > size)
		return fail(SRDMA_EINVAL,
		            "the message has %u bytes, there is room for %zu",
		            message->length, size);
	error = srdma_recv(session, &message);
	if (error)
		return error;
	memcpy(data, srdma_message_data(message), srdma_message_length(message));
	*length = srdma_message_length(message);
	srdma_message_release(message);
	return 0;
}

static bool has_room(const struct srdma_session *session, uint64_t unused)
{
	(void)unused;
	return session->data.callers < session->data.depth;
}

typedef int one_sided_fn(struct srdma_session *session, struct srdma_buffer *buffer,
                         size_t offset, struct srdma_remote *remote, size_t remote_offset,
                         size_t length, void *op);

static bool is_closed(const struct srdma_session *session, uint64_t unused)
{
	(void)unused;
	return session->phase == PHASE_CLOSED;
}

static int one_sided_wait(one_sided_fn *start, struct srdma_session *session,
                          struct srdma_buffer *buffer, size_t offset,
                          struct srdma_remote *remote, size_t remote_offset,
                          size_t length, int timeout_ms)
{
	uint64_t end = end_of(timeout_ms);
	int error;

	while ((error = start(session, buffer, offset, remote, remote_offset, length,
	                      NULL)) == SRDMA_EBLOCKED) {
		error = wait_for(session, has_room, 0, end);
		if (error)
			return error;
	}
	if (error)
		return error;
	error = wait_for_access(session, end);
	if (error && session->phase != PHASE_CLOSED) {
		/* The device must let go of the range before the caller has it again. */
		srdma_session_abort(session, "an operation took too long");
		wait_for(session, is_closed, 0, UINT64_MAX);
		return fail(error, "%s did not answer in time", session->name);
	}
	return error;
}

int srdma_write_wait(struct srdma_session *session, struct srdma_buffer *buffer,
                     size_t offset, struct srdma_remote *remote, size_t remote_offset,
                     size_t length, int timeout_ms)
{
	return one_sided_wait(srdma_write, session, buffer, offset, remote, remote_offset,
	                      length, timeout_ms);
}

int srdma_read_wait(struct srdma_session *session, struct srdma_buffer *buffer,
                    size_t offset, struct srdma_remote *remote, size_t remote_offset,
                    size_t length, int timeout_ms)
{
	return one_sided_wait(srdma_read, session, buffer, offset, remote, remote_offset,
	                      length, timeout_ms);
}

static bool is_granted(const struct srdma_session *session, uint64_t tag)
{
	return srdma_remote_find(session, tag) != NULL;
}

int srdma_remote_wait(struct srdma_session *session, uint64_t tag, int timeout_ms,
                      struct srdma_remote **out)
{
	int error = wait_for(session, is_granted, tag, end_of(timeout_ms));

	if (!error)
		*out = srdma_remote_find(session, tag);
	return error;
}

int srdma_close_wait(struct srdma_session *session, int timeout_ms)
{
	int error;

	srdma_session_close(session);
	error = wait_for(session, is_closed, 0, end_of(timeout_ms));
	if (error)
		return error;
	if (session->failure != SRDMA_ECLOSED)
		return fail(session->failure, "%s",
		            session->reason ? session->reason : "");
	return 0;
}
