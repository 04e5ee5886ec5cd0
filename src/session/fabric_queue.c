/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations: handed to the provider as it takes them, told as the session started
 * them. */
#include "session/fabric_endpoint.h"

#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <string.h>

#include "common/cursor.h"
#include "common/log.h"
#include "session/error.h"

static void break_with(struct fabric_endpoint *endpoint, int code)
{
	endpoint->base.events->broke(&endpoint->base, code);
}

static void be_active(struct fabric_endpoint *endpoint)
{
	if (list_empty(&endpoint->node))
		list_append(&endpoint->domain.fabric->active, &endpoint->node);
}

static struct request *request_at(struct fabric_endpoint *endpoint, uint64_t sequence)
{
	return &endpoint->sends[sequence % endpoint->send_count];
}

/*
 * Starting
 */

/* A copied message goes in one piece, and is ours again at once where it is short enough
 * for the provider. */
static ssize_t start_short(struct fabric_endpoint *endpoint, struct request *request)
{
	size_t size = FABRIC_HEAD + request->length;
	ssize_t code;

	if (size > endpoint->domain.info->tx_attr->inject_size)
		return fi_send(endpoint->fid, request->head, size,
		               endpoint->region.descriptor, endpoint->peer,
		               &request->context);
	code = fi_inject(endpoint->fid, request->head, size, endpoint->peer);
	request->done = !code;
	return code;
}

static ssize_t start_message(struct fabric_endpoint *endpoint, struct request *request)
{
	struct iovec parts[] = { { request->head, FABRIC_HEAD },
		                 { (void *)(uintptr_t)request->data, request->length } };
	void *descriptors[] = { endpoint->region.descriptor, request->descriptor };

	if (!request->data)
		return start_short(endpoint, request);
	return fi_sendv(endpoint->fid, parts, descriptors, 2, endpoint->peer,
	                &request->context);
}

/* Done when it is in the peer's memory, not when it left ours: a message follows. */
static ssize_t start_write(struct fabric_endpoint *endpoint, struct request *request)
{
	const struct iovec local = { (void *)(uintptr_t)request->data, request->length };
	const struct fi_rma_iov remote = { request->address, request->length,
		                           request->key };
	const struct fi_msg_rma write = {
		.msg_iov = &local,
		.desc = &request->descriptor,
		.iov_count = 1,
		.addr = endpoint->peer,
		.rma_iov = &remote,
		.rma_iov_count = 1,
		.context = &request->context,
	};
	ssize_t code =
	        fi_writemsg(endpoint->fid, &write, FI_DELIVERY_COMPLETE | FI_COMPLETION);

	endpoint->writes += !code;
	return code;
}

static ssize_t start_read(struct fabric_endpoint *endpoint, struct request *request)
{
	return fi_read(endpoint->fid, (void *)(uintptr_t)request->data, request->length,
	               request->descriptor, endpoint->peer, request->address,
	               request->key, &request->context);
}

static ssize_t start(struct fabric_endpoint *endpoint, struct request *request)
{
	if (request->kind == REQUEST_WRITE)
		return start_write(endpoint, request);
	if (endpoint->writes)
		return -FI_EAGAIN;
	return request->kind == REQUEST_READ ? start_read(endpoint, request)
	                                     : start_message(endpoint, request);
}

/* As far as the provider takes them. SRDMA_ESYSTEM. */
static int start_all(struct fabric_endpoint *endpoint)
{
	while (endpoint->started < endpoint->begun) {
		struct request *request = request_at(endpoint, endpoint->started);
		ssize_t code = start(endpoint, request);

		if (code == -FI_EAGAIN)
			break;
		if (code)
			return fabric_failed(&endpoint->domain, "send", (int)code);
		endpoint->started++;
	}
	return 0;
}

bool fabric_is_waiting(const struct fabric_endpoint *endpoint)
{
	bool ended = endpoint->told < endpoint->started &&
	             endpoint->sends[endpoint->told % endpoint->send_count].done;

	return ended || endpoint->started < endpoint->begun ||
	       !list_empty(&endpoint->unposted);
}

static struct request *begin(struct fabric_endpoint *endpoint, enum request_kind kind)
{
	struct request *request = request_at(endpoint, endpoint->begun++);

	request->endpoint = endpoint;
	request->kind = kind;
	request->done = false;
	be_active(endpoint); /* what is done at once is told by the next poll */
	return request;
}

static void write_head(struct fabric_endpoint *endpoint, struct request *request,
                       uint32_t word)
{
	struct writer w = writer_of(request->head, FABRIC_HEAD);

	put_u32(&w, word);
	put_u32(&w, endpoint->next_out++);
}

int fabric_send(struct endpoint *base, const struct outgoing *outgoing)
{
	struct fabric_endpoint *endpoint = to_fabric(base);
	struct request *request = begin(endpoint, REQUEST_MESSAGE);

	write_head(endpoint, request, outgoing->word);
	request->length = outgoing->length;
	request->data = NULL;
	if (outgoing->region && outgoing->length) {
		request->data = outgoing->data;
		request->descriptor = outgoing->region->descriptor;
	} else if (outgoing->length) {
		memcpy(request->head + FABRIC_HEAD, outgoing->data, outgoing->length);
	}
	return start_all(endpoint);
}

int fabric_access(struct endpoint *base, const struct access *access)
{
	struct fabric_endpoint *endpoint = to_fabric(base);
	struct request *request =
	        begin(endpoint, access->write ? REQUEST_WRITE : REQUEST_READ);

	request->data = access->data;
	request->length = access->length;
	request->descriptor = access->region->descriptor;
	request->address = access->address;
	request->key = access->key;
	return start_all(endpoint);
}

/* In the order of their start. Whoever is told may stop the endpoint. */
static void tell(struct fabric_endpoint *endpoint)
{
	while (!endpoint->stopped && endpoint->told < endpoint->started &&
	       request_at(endpoint, endpoint->told)->done)
		endpoint->base.events->sent(&endpoint->base, endpoint->told++);
}

/*
 * Receiving
 */

int fabric_post(struct fabric_endpoint *endpoint, struct srdma_message *message)
{
	struct request *request = endpoint->spare[--endpoint->spares];
	ssize_t code;

	request->endpoint = endpoint;
	request->kind = REQUEST_RECEIVE;
	request->message = message;
	code = fi_recv(endpoint->fid, message->data - FABRIC_HEAD, endpoint->pool.stride,
	               message->region->descriptor, FI_ADDR_UNSPEC, &request->context);
	if (!code)
		return 0;
	endpoint->spare[endpoint->spares++] = request;
	if (code != -FI_EAGAIN)
		return fabric_failed(&endpoint->domain, "receive", (int)code);
	list_append(&endpoint->unposted, &message->node);
	be_active(endpoint);
	return 0;
}

static void post_again(struct fabric_endpoint *endpoint, struct srdma_message *message)
{
	int error = pool_post(message);

	if (error)
		break_with(endpoint, error);
}

static void post_waiting(struct fabric_endpoint *endpoint)
{
	struct list waiting;

	list_init(&waiting);
	list_splice(&waiting, &endpoint->unposted);
	while (!list_empty(&waiting)) {
		struct srdma_message *message =
		        container_of(waiting.next, struct srdma_message, node);

		list_remove(&message->node);
		post_again(endpoint, message);
	}
}

/* All that is there without a gap. */
static void deliver(struct fabric_endpoint *endpoint)
{
	while (!endpoint->stopped) {
		struct early *early =
		        &endpoint->early[endpoint->next_in % endpoint->receive_count];
		struct srdma_message *message = early->message;
		struct arrival arrival = early->arrival;

		if (!message)
			return;
		early->message = NULL;
		endpoint->next_in++;
		endpoint->base.events->received(&endpoint->base, message, &arrival);
	}
}

/* Numbers that cannot be: each of our buffers holds one message that was not told. */
static void out_of_place(struct fabric_endpoint *endpoint, struct srdma_message *message)
{
	break_with(endpoint, fail(SRDMA_EPROTOCOL, "%s sent a message out of place",
	                          endpoint->base.peer));
	if (!endpoint->stopped)
		endpoint->base.events->received(&endpoint->base, message, NULL);
}

static void take(struct fabric_endpoint *endpoint, struct srdma_message *message,
                 size_t length)
{
	struct reader r = reader_of(message->data - FABRIC_HEAD, length);
	uint32_t word = get_u32(&r), number = get_u32(&r);
	struct early *early = &endpoint->early[number % endpoint->receive_count];

	if (r.bad || number - endpoint->next_in >= endpoint->receive_count ||
	    early->message) {
		out_of_place(endpoint, message);
		return;
	}
	early->message = message;
	early->arrival = (struct arrival){ word, (uint32_t)r.left, true };
	deliver(endpoint);
}

static void received(struct fabric_endpoint *endpoint, struct request *request,
                     size_t length, fi_addr_t source)
{
	struct srdma_message *message = request->message;

	endpoint->spare[endpoint->spares++] = request;
	if (source != endpoint->peer) {
		log_debug("%s: a message of a stranger was dropped", endpoint->base.peer);
		post_again(endpoint, message);
		return;
	}
	endpoint->heard = true;
	take(endpoint, message, length);
}

/*
 * What the provider says
 */

void fabric_completed(struct request *request, size_t length, fi_addr_t source)
{
	struct fabric_endpoint *endpoint = request->endpoint;

	if (endpoint->stopped)
		return;
	if (request->kind == REQUEST_RECEIVE) {
		received(endpoint, request, length, source);
		return;
	}
	request->done = true;
	endpoint->writes -= request->kind == REQUEST_WRITE;
}

void fabric_request_failed(struct request *request, const struct fi_cq_err_entry *error)
{
	struct fabric_endpoint *endpoint = request->endpoint;
	const char *peer;
	int code;

	if (endpoint->stopped)
		return;
	peer = endpoint->base.peer;
	if (request->kind == REQUEST_RECEIVE && error->err == FI_ETRUNC)
		code = fail(SRDMA_EPROTOCOL, "%s sent a message larger than agreed",
		            peer);
	else if (request->kind != REQUEST_RECEIVE && error->err == FI_EACCES)
		code = fail(SRDMA_ENETWORK,
		            "%s refused an access: it does not grant that memory, or "
		            "took it back",
		            peer);
	else
		code = fail(SRDMA_ENETWORK, "the endpoint of %s failed: %s (%s)", peer,
		            endpoint->domain.fabric->library->strerror(error->err),
		            fabric_provider(&endpoint->domain));
	break_with(endpoint, code);
	if (request->kind == REQUEST_RECEIVE && !endpoint->stopped) {
		endpoint->spare[endpoint->spares++] = request;
		endpoint->base.events->received(&endpoint->base, request->message, NULL);
	}
}

void fabric_advance(struct fabric_endpoint *endpoint)
{
	int error;

	tell(endpoint);
	if (endpoint->stopped)
		return;
	post_waiting(endpoint);
	error = start_all(endpoint);
	if (error)
		break_with(endpoint, error);
}
