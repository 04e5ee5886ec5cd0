/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/inspect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rdma/rdma_cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "host/inspect.h"
#include "object/cq.h"
#include "object/key.h"
#include "object/qp_shared.h"

struct inspection {
	struct host_view host;
	mockrdma_visit *visit;
	void *arg;
};

enum { FIELDS_MAX = COUNTERS + 4 };

/* The fields of one object, as they are collected. */
struct record {
	struct mockrdma_field field[FIELDS_MAX];
	unsigned int count;
};

static void put(struct record *record, const char *name, uint64_t number)
{
	record->field[record->count++] = (struct mockrdma_field){ name, NULL, number };
}

static void put_text(struct record *record, const char *name, const char *text)
{
	record->field[record->count++] = (struct mockrdma_field){ name, text, 0 };
}

static int visit(const struct inspection *in, const struct record *record)
{
	return in->visit(in->arg, record->field, record->count);
}

static int show_process(struct inspection *in, const struct process_view *process)
{
	struct record record = { .count = 0 };

	put(&record, "pid", (uint64_t)process->pid);
	put_text(&record, "program", process->program);
	put(&record, "since", process->since);
	put(&record, "shared", process->shared);
	return visit(in, &record);
}

static int show_devices(struct inspection *in, const struct process_view *process)
{
	int err = 0;

	for (unsigned int i = 0; i < SEGMENT_DEVICES && !err; i++) {
		struct segment_device device;
		struct record record = { .count = 0 };

		if (segment_read(process->segment,
		                 offsetof(struct segment_head, device[i]), &device,
		                 sizeof(device)) ||
		    !device.name[0])
			break;
		device.name[sizeof(device.name) - 1] = '\0';
		device.netdev[sizeof(device.netdev) - 1] = '\0';
		put(&record, "pid", (uint64_t)process->pid);
		put_text(&record, "name", device.name);
		put_text(&record, "netdev", device.netdev);
		err = visit(in, &record);
	}
	return err;
}

static const char *type_name(unsigned int type)
{
	switch (type) {
	case IBV_QPT_RC: return "RC";
	case IBV_QPT_UC: return "UC";
	case IBV_QPT_UD: return "UD";
	case IBV_QPT_XRC_SEND: return "XRC_INI";
	case IBV_QPT_XRC_RECV: return "XRC_TGT";
	default: return "other";
	}
}

static const char *state_name(unsigned int state)
{
	static const char *const names[] = { "RESET", "INIT", "RTR", "RTS",
		                             "SQD",   "SQE",  "ERR" };

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

/* Numbers of the host's QPs and whose they are, to name the peers. */
struct owner {
	uint32_t qpn;
	pid_t pid;
};

struct owners {
	struct owner *of;
	size_t count, room;
};

static int by_qpn(const void *a, const void *b)
{
	uint32_t left = ((const struct owner *)a)->qpn;
	uint32_t right = ((const struct owner *)b)->qpn;

	return left < right ? -1 : left > right;
}

static int owner_add(struct owners *owners, uint32_t qpn, pid_t pid)
{
	if (owners->count == owners->room) {
		size_t room = owners->room ? 2 * owners->room : 256;
		struct owner *grown = realloc(owners->of, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		owners->of = grown;
		owners->room = room;
	}
	owners->of[owners->count++] = (struct owner){ qpn, pid };
	return 0;
}

static pid_t owner_of(const struct owners *owners, uint32_t qpn)
{
	struct owner key = { .qpn = qpn };
	const struct owner *found =
	        owners->count
	                ? bsearch(&key, owners->of, owners->count, sizeof(key), by_qpn)
	                : NULL;

	return found ? found->pid : 0;
}

static struct owners owners; /* of the one inspection at a time: under the lock */

static int note_owners(struct inspection *in, const struct process_view *process)
{
	struct block_walk walk;
	struct qp_shared qp;
	int err = 0;

	(void)in;
	block_walk(&walk, process->segment, offsetof(struct segment_head, qp_list),
	           sizeof(qp));
	while (!err && block_next(&walk, &qp, sizeof(qp)))
		if (qp.qpn)
			err = owner_add(&owners, qp.qpn, process->pid);
	return err;
}

static bool is_connected(const struct qp_shared *qp)
{
	return qp->state >= IBV_QPS_RTR && qp->type != IBV_QPT_UD && qp->dest_qpn;
}

static int show_qp(struct inspection *in, const struct process_view *process,
                   const struct qp_shared *qp)
{
	struct record record = { .count = 0 };
	char gid[INET6_ADDRSTRLEN] = "";
	char device[SEGMENT_DEVICE_NAME] = "";

	segment_read(process->segment,
	             offsetof(struct segment_head, device) +
	                     qp->device % SEGMENT_DEVICES * sizeof(struct segment_device),
	             device, sizeof(device));
	device[sizeof(device) - 1] = '\0';
	put(&record, "pid", (uint64_t)process->pid);
	put_text(&record, "device", device);
	put(&record, "qpn", qp->qpn);
	put_text(&record, "type", type_name(qp->type));
	put_text(&record, "state", state_name(qp->state));
	if (is_connected(qp)) {
		inet_ntop(AF_INET6, qp->dgid.raw, gid, sizeof(gid));
		put(&record, "peer_qpn", qp->dest_qpn);
		put_text(&record, "peer_gid", gid);
		put(&record, "peer_pid", (uint64_t)owner_of(&owners, qp->dest_qpn));
	} else {
		put(&record, "peer_qpn", 0);
		put_text(&record, "peer_gid", "");
		put(&record, "peer_pid", 0);
	}
	return visit(in, &record);
}

static int show_qps(struct inspection *in, const struct process_view *process)
{
	struct block_walk walk;
	struct qp_shared qp;
	int err = 0;

	block_walk(&walk, process->segment, offsetof(struct segment_head, qp_list),
	           sizeof(qp));
	while (!err && block_next(&walk, &qp, sizeof(qp)))
		if (qp.qpn)
			err = show_qp(in, process, &qp);
	return err;
}

static int show_cqs(struct inspection *in, const struct process_view *process)
{
	struct block_walk walk;
	struct cq_shared cq;
	int err = 0;

	block_walk(&walk, process->segment, offsetof(struct segment_head, cq_list),
	           sizeof(cq));
	while (!err && block_next(&walk, &cq, sizeof(cq))) {
		struct record record = { .count = 0 };

		if (!cq.handle)
			continue;
		put(&record, "pid", (uint64_t)process->pid);
		put(&record, "cq", cq.handle);
		put(&record, "size", cq.size);
		put(&record, "entries", cq.tail - cq.head);
		put(&record, "channel", cq.channel != 0);
		put(&record, "overrun", cq.overrun);
		err = visit(in, &record);
	}
	return err;
}

static void access_text(unsigned int access, char *text, size_t size)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} names[] = {
		{ IBV_ACCESS_LOCAL_WRITE, "local-write" },
		{ IBV_ACCESS_REMOTE_WRITE, "remote-write" },
		{ IBV_ACCESS_REMOTE_READ, "remote-read" },
		{ IBV_ACCESS_REMOTE_ATOMIC, "remote-atomic" },
		{ IBV_ACCESS_MW_BIND, "mw-bind" },
		{ IBV_ACCESS_ZERO_BASED, "zero-based" },
		{ IBV_ACCESS_ON_DEMAND, "on-demand" },
		{ KEY_WINDOW, "window" },
		{ KEY_DEVICE, "device-memory" },
	};
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (access & names[i].flag)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
			                         used ? "," : "", names[i].name);
}

struct mr_context {
	struct inspection *in;
	const struct process_view *process;
};

static int show_mr(void *arg, const struct mr_entry *mr)
{
	const struct mr_context *context = arg;
	struct record record = { .count = 0 };
	char address[24], access[128];

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)mr->va);
	access_text(mr->access, access, sizeof(access));
	put(&record, "pid", (uint64_t)context->process->pid);
	put(&record, "pd", mr->pd);
	put_text(&record, "address", address);
	put(&record, "length", mr->length);
	put_text(&record, "access", access);
	return visit(context->in, &record);
}

static int show_mrs(struct inspection *in, const struct process_view *process)
{
	struct mr_context context = { in, process };

	return key_each(process->segment, show_mr, &context);
}

static void load(struct counters *sum, enum counter first, const tally *from,
                 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		sum->value[first + i] +=
		        atomic_load_explicit(&from[i], memory_order_relaxed);
}

/* Whether a QP uses the block or not: its counts stay. */
static void count_segment(int segment, struct counters *sum)
{
	tally net[COUNTERS_NET];
	struct block_walk walk;
	struct qp_shared qp;

	if (!segment_read(segment, offsetof(struct segment_head, net), net, sizeof(net)))
		load(sum, COUNT_NET, net, COUNTERS_NET);
	block_walk(&walk, segment, offsetof(struct segment_head, qp_list), sizeof(qp));
	while (block_next(&walk, &qp, sizeof(qp))) {
		load(sum, COUNT_REQUESTER, qp.requester, ARRAY_SIZE(qp.requester));
		load(sum, COUNT_EXECUTED, qp.executed, ARRAY_SIZE(qp.executed));
		load(sum, COUNT_IN_BYTES, qp.executed_bytes,
		     ARRAY_SIZE(qp.executed_bytes));
		load(sum, COUNT_EXECUTED_UNACKED, &qp.executed_unacked, 1);
		load(sum, COUNT_DUPLICATE, qp.responder, ARRAY_SIZE(qp.responder));
	}
}

void inspect_init(void)
{
	segment_count = count_segment;
}

static int show_counters(struct inspection *in, pid_t pid, const char *program,
                         struct counters *counters)
{
	struct record record = { .count = 0 };

	counters_derive(counters);
	put(&record, "pid", (uint64_t)pid);
	put_text(&record, "program", program);
	for (unsigned int i = 0; i < COUNTERS; i++)
		put(&record, counter_names[i], counters->value[i]);
	return visit(in, &record);
}

static int show_process_counters(struct inspection *in,
                                 const struct process_view *process)
{
	struct counters counters = { { 0 } };

	count_segment(process->segment, &counters);
	counters_add(&in->host.gone, &counters);
	return show_counters(in, process->pid, process->program, &counters);
}

typedef int show(struct inspection *in, const struct process_view *process);

static int each_process(struct inspection *in, show *show)
{
	int err = 0;

	for (uint32_t slot = 0; slot < in->host.processes && !err; slot++) {
		struct process_view process;

		if (process_view_open(&in->host, slot, &process))
			continue;
		err = show(in, &process);
		process_view_close(&process);
	}
	return err;
}

static int show_all_qps(struct inspection *in)
{
	int err;

	owners = (struct owners){ 0 };
	err = each_process(in, note_owners);
	if (owners.count)
		qsort(owners.of, owners.count, sizeof(*owners.of), by_qpn);
	if (!err)
		err = each_process(in, show_qps);
	free(owners.of);
	return err;
}

static int show_all_counters(struct inspection *in)
{
	int err = each_process(in, show_process_counters);

	return err ? err : show_counters(in, 0, "", &in->host.gone);
}

static const char *port_space_name(int port_space)
{
	switch (port_space) {
	case RDMA_PS_TCP: return "TCP";
	case RDMA_PS_UDP: return "UDP";
	case RDMA_PS_IB: return "IB";
	case RDMA_PS_IPOIB: return "IPOIB";
	default: return "other";
	}
}

static int show_listener(struct inspection *in, const struct binding_view *binding)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&binding->addr;
	bool is_v4 = binding->addr.sin6_family == AF_INET;
	struct record record = { .count = 0 };
	char address[INET6_ADDRSTRLEN] = "";
	struct process_view process;
	int err;

	if (process_view_open(&in->host, binding->slot, &process))
		return 0;
	inet_ntop(is_v4 ? AF_INET : AF_INET6,
	          is_v4 ? (const void *)&sin->sin_addr
	                : (const void *)&binding->addr.sin6_addr,
	          address, sizeof(address));
	put(&record, "pid", (uint64_t)process.pid);
	put_text(&record, "port_space", port_space_name(binding->port_space));
	put_text(&record, "address", address);
	put(&record, "port", ntohs(is_v4 ? sin->sin_port : binding->addr.sin6_port));
	put(&record, "listening", binding->listening);
	err = visit(in, &record);
	process_view_close(&process);
	return err;
}

static int show_listeners(struct inspection *in)
{
	struct binding_view binding;
	int err = 0;

	for (uint32_t i = 1; i < in->host.bindings && !err; i++)
		if (!binding_view(&in->host, i, &binding))
			err = show_listener(in, &binding);
	return err;
}

static const struct {
	const char *name;
	show *each;                        /* for each process, or … */
	int (*all)(struct inspection *in); /* … for all at once */
} kinds[] = {
	{ "process", show_process, NULL },
	{ "device", show_devices, NULL },
	{ "qp", NULL, show_all_qps },
	{ "cq", show_cqs, NULL },
	{ "mr", show_mrs, NULL },
	{ "listener", NULL, show_listeners },
	{ "counters", NULL, show_all_counters },
};

static int inspect_kind(unsigned int kind, mockrdma_visit *visit, void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct inspection *in = malloc(sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	in->visit = visit;
	in->arg = arg;
	err = host_view_open(&in->host);
	if (!err) {
		pthread_mutex_lock(&lock);
		err = kinds[kind].all ? kinds[kind].all(in)
		                      : each_process(in, kinds[kind].each);
		pthread_mutex_unlock(&lock);
		host_view_close(&in->host);
	}
	free(in);
	return err == -ENOENT ? 0 : err;
}

int inspect(const char *kind, mockrdma_visit *visit, void *arg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			return inspect_kind(i, visit, arg);
	return -EINVAL;
}

static int add_counters(struct inspection *in, const struct process_view *process)
{
	count_segment(process->segment, &in->host.gone);
	return 0;
}

int inspect_total(struct counters *total)
{
	struct inspection *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	err = host_view_open(&in->host);
	if (!err) {
		each_process(in, add_counters);
		host_view_close(&in->host);
	}
	*total = in->host.gone;
	free(in);
	counters_derive(total);
	return err == -ENOENT ? 0 : err;
}
