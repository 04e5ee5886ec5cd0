/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What many queue pairs cost: RC QPs of one process are created and connected in pairs,
 * and the time and the memory that it took are printed. Memory is what the process has of
 * its own, and what its segment has in the file system (which a device of hardware has
 * not).
 *
 * usage: many_qps [QPS [SEND-WR RECV-WR]]
 */
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PSN = 0x123456, GID_INDEX_MAX = 256 };

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A line of /proc/self/status, in bytes. */
static uint64_t status_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t kilobytes = 0;
	char line[256];

	need(file != NULL, "/proc/self/status");
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kilobytes = strtoull(line + strlen(name), NULL, 10);
	fclose(file);
	return kilobytes * 1024;
}

static uint64_t segment_bytes(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	uint64_t bytes = 0;
	char line[8192];
	struct stat st;

	need(file != NULL, "/proc/self/maps");
	while (fgets(line, sizeof(line), file)) {
		char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (path && strstr(path, "/segment.") && !stat(path, &st))
			bytes = (uint64_t)st.st_blocks * 512;
	}
	fclose(file);
	return bytes;
}

static uint64_t memory_used(void)
{
	return status_bytes("RssAnon:") + segment_bytes();
}

/* The first GID there is. */
static int find_gid(struct ibv_context *context, union ibv_gid *gid)
{
	static const union ibv_gid none;

	for (int i = 0; i < GID_INDEX_MAX; i++)
		if (!ibv_query_gid(context, 1, i, gid) &&
		    memcmp(gid, &none, sizeof(none)) != 0)
			return i;
	need(0, "no GID");
	return -1;
}

static void connect_qp(struct ibv_qp *qp, const struct ibv_qp *to, int gid_index,
                       const union ibv_gid *gid)
{
	struct ibv_qp_attr init = { .qp_state = IBV_QPS_INIT,
		                    .port_num = 1,
		                    .qp_access_flags = IBV_ACCESS_REMOTE_WRITE };
	struct ibv_qp_attr rtr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = to->qp_num,
		.rq_psn = PSN,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = { .is_global = 1,
		             .port_num = 1,
		             .grh = { .dgid = *gid,
		                      .sgid_index = (uint8_t)gid_index,
		                      .hop_limit = 64 } },
	};
	struct ibv_qp_attr rts = { .qp_state = IBV_QPS_RTS,
		                   .sq_psn = PSN,
		                   .timeout = 14,
		                   .retry_cnt = 7,
		                   .rnr_retry = 7,
		                   .max_rd_atomic = 1 };

	need(!ibv_modify_qp(qp, &init,
	                    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                            IBV_QP_ACCESS_FLAGS),
	     "to INIT");
	need(!ibv_modify_qp(qp, &rtr,
	                    IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                            IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                            IBV_QP_MIN_RNR_TIMER),
	     "to RTR");
	need(!ibv_modify_qp(qp, &rts,
	                    IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                            IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                            IBV_QP_MAX_QP_RD_ATOMIC),
	     "to RTS");
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	need(*text && !*end && value <= UINT32_MAX, text);
	return (unsigned int)value;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? number(argv[1]) / 2 * 2 : 10000;
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = argc > 3 ? number(argv[2]) : 16,
		         .max_recv_wr = argc > 3 ? number(argv[3]) : 16,
		         .max_send_sge = 1,
		         .max_recv_sge = 1 },
	};
	struct ibv_qp **qps = calloc(count ? count : 1, sizeof(struct ibv_qp *));
	double started, created, connected, destroyed;
	struct ibv_context *context;
	union ibv_gid gid;
	struct ibv_pd *pd;
	uint64_t before, after;
	int gid_index;

	need(count && qps, "a number of QPs");
	need(devices && devices[0], "no RDMA device");
	context = ibv_open_device(devices[0]);
	need(context != NULL, "ibv_open_device");
	gid_index = find_gid(context, &gid);
	pd = ibv_alloc_pd(context);
	init.send_cq = init.recv_cq = ibv_create_cq(context, 1024, NULL, NULL, 0);
	need(pd && init.send_cq, "ibv_alloc_pd, ibv_create_cq");
	memset(qps, 1, count * sizeof(struct ibv_qp *)); /* not ours to be counted */
	before = memory_used();
	started = now();
	for (unsigned int i = 0; i < count; i++)
		need((qps[i] = ibv_create_qp(pd, &init)) != NULL, "ibv_create_qp");
	created = now();
	for (unsigned int i = 0; i < count; i++)
		connect_qp(qps[i], qps[i ^ 1], gid_index, &gid);
	connected = now();
	after = memory_used();
	for (unsigned int i = 0; i < count; i++)
		need(!ibv_destroy_qp(qps[i]), "ibv_destroy_qp");
	destroyed = now();
	printf("%u QPs (%u send, %u receive): created in %.3f s, connected in %.3f s, "
	       "destroyed in %.3f s; %" PRIu64 " bytes each\n",
	       count, init.cap.max_send_wr, init.cap.max_recv_wr, created - started,
	       connected - created, destroyed - connected, (after - before) / count);
	ibv_destroy_cq(init.send_cq);
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
	ibv_free_device_list(devices);
	free(qps);
	return 0;
}
