// SPDX-License-Identifier: BSD-2-Clause
/* The attributes of an RC queue pair: their ranges, and that a query gives them back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rc.h"

typedef void spoil(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                   const struct ibv_port_attr *port);

static void spoil_port(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                       const struct ibv_port_attr *port)
{
	(void)port;
	attr->port_num = (uint8_t)(device->phys_port_cnt + 1);
}

static void spoil_port_zero(struct ibv_qp_attr *attr,
                            const struct ibv_device_attr *device,
                            const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->port_num = 0;
}

static void spoil_pkey_index(struct ibv_qp_attr *attr,
                             const struct ibv_device_attr *device,
                             const struct ibv_port_attr *port)
{
	(void)device;
	attr->pkey_index = port->pkey_tbl_len;
}

static void spoil_access(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                         const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->qp_access_flags = 1u << 14;
}

static void spoil_mtu(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                      const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->path_mtu = (enum ibv_mtu)(IBV_MTU_4096 + 1);
}

static void spoil_mtu_zero(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                           const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->path_mtu = (enum ibv_mtu)0;
}

static void spoil_reads_in(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                           const struct ibv_port_attr *port)
{
	(void)port;
	attr->max_dest_rd_atomic = (uint8_t)(device->max_qp_rd_atom + 1);
}

static void spoil_reads_out(struct ibv_qp_attr *attr,
                            const struct ibv_device_attr *device,
                            const struct ibv_port_attr *port)
{
	(void)port;
	attr->max_rd_atomic = (uint8_t)(device->max_qp_init_rd_atom + 1);
}

static void spoil_rnr_timer(struct ibv_qp_attr *attr,
                            const struct ibv_device_attr *device,
                            const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->min_rnr_timer = 32;
}

static void spoil_timeout(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                          const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->timeout = 32;
}

static void spoil_retries(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                          const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->retry_cnt = 8;
}

static void spoil_rnr_retries(struct ibv_qp_attr *attr,
                              const struct ibv_device_attr *device,
                              const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->rnr_retry = 8;
}

/* The attribute has 8 bits: the last place that they can name, which no address has. */
static void spoil_gid_index(struct ibv_qp_attr *attr,
                            const struct ibv_device_attr *device,
                            const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->ah_attr.grh.sgid_index = UINT8_MAX;
}

static void spoil_path_port(struct ibv_qp_attr *attr,
                            const struct ibv_device_attr *device,
                            const struct ibv_port_attr *port)
{
	(void)port;
	attr->ah_attr.port_num = (uint8_t)(device->phys_port_cnt + 1);
}

/* RoCE routes by GID: IBA annex A17 has no path without one. */
static void spoil_global(struct ibv_qp_attr *attr, const struct ibv_device_attr *device,
                         const struct ibv_port_attr *port)
{
	(void)device;
	(void)port;
	attr->ah_attr.is_global = 0;
}

static void bring_to_reset(struct rc_end *end)
{
	rc_to_reset(end);
}

static void bring_to_init(struct rc_end *end)
{
	rc_to_reset(end);
	rc_to_init(end);
}

static void bring_to_rtr(struct rc_end *end)
{
	bring_to_init(end);
	rc_to_rtr(end, &end->self);
}

typedef int attributes_function(const struct rc_end *end, struct ibv_qp_attr *attr);

static const struct {
	const char *what;
	void (*bring)(struct rc_end *end);
	attributes_function *good;
	spoil *spoil;
} wrong_values[] = {
	{ "port beyond the last", bring_to_reset, rc_init_attributes, spoil_port },
	{ "port 0", bring_to_reset, rc_init_attributes, spoil_port_zero },
	{ "partition beyond the last", bring_to_reset, rc_init_attributes,
	  spoil_pkey_index },
	{ "unknown access", bring_to_reset, rc_init_attributes, spoil_access },
	{ "MTU beyond the largest", bring_to_init, rc_rtr_attributes, spoil_mtu },
	{ "MTU 0", bring_to_init, rc_rtr_attributes, spoil_mtu_zero },
	{ "more reads in than there are", bring_to_init, rc_rtr_attributes,
	  spoil_reads_in },
	{ "RNR timer of 6 bits", bring_to_init, rc_rtr_attributes, spoil_rnr_timer },
	{ "GID that is none", bring_to_init, rc_rtr_attributes, spoil_gid_index },
	{ "path of another port", bring_to_init, rc_rtr_attributes, spoil_path_port },
	{ "path without a GID", bring_to_init, rc_rtr_attributes, spoil_global },
	{ "more reads out than there are", bring_to_rtr, rc_rts_attributes,
	  spoil_reads_out },
	{ "timeout of 6 bits", bring_to_rtr, rc_rts_attributes, spoil_timeout },
	{ "retries of 4 bits", bring_to_rtr, rc_rts_attributes, spoil_retries },
	{ "RNR retries of 4 bits", bring_to_rtr, rc_rts_attributes, spoil_rnr_retries },
};

static void wrong_values_are_refused_body(struct side *side)
{
	struct ibv_device_attr device;
	struct ibv_port_attr port;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	end.peer = end.self;
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	CHECK_EQ(ibv_query_port(end.context, RC_PORT, &port), 0);
	for (size_t i = 0; i < sizeof(wrong_values) / sizeof(wrong_values[0]); i++) {
		enum ibv_qp_state before;
		struct ibv_qp_attr attr;
		int mask, err;

		wrong_values[i].bring(&end);
		before = rc_state(&end);
		mask = wrong_values[i].good(&end, &attr);
		wrong_values[i].spoil(&attr, &device, &port);
		err = ibv_modify_qp(end.qp, &attr, mask);
		if (err != EINVAL || rc_state(&end) != before)
			check_failed(__FILE__, __LINE__, "%s: %d, from state %d to %d",
			             wrong_values[i].what, err, before, end.qp->state);
	}
	rc_close(&end);
}
ALONE(wrong_values_are_refused)

/* The field has 24 bits. A device takes those or refuses more; it never keeps more. */
static void psn_has_24_bits_body(struct side *side)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr, seen;
	struct rc_end end;
	int mask;

	(void)side;
	rc_open(&end, &rc_default);
	rc_to_init(&end);
	end.peer = end.self;
	mask = rc_rtr_attributes(&end, &attr);
	attr.rq_psn = 0x1234567;
	if (ibv_modify_qp(end.qp, &attr, mask) == 0) {
		CHECK_EQ(ibv_query_qp(end.qp, &seen, IBV_QP_RQ_PSN, &init), 0);
		CHECK_EQ(seen.rq_psn, 0x234567);
	} else {
		rc_expect_state(&end, IBV_QPS_INIT);
	}
	rc_close(&end);
}
ALONE(psn_has_24_bits)

/* --- query -----------------------------------------------------------------------------
 */

static void expect_path(const struct ibv_qp_attr *seen, const struct rc_end *end)
{
	CHECK_EQ(seen->path_mtu, end->config.mtu);
	CHECK_EQ(seen->dest_qp_num, end->peer.qpn);
	CHECK_EQ(seen->rq_psn, end->peer.psn);
	CHECK_EQ(seen->max_dest_rd_atomic, end->config.reads_in);
	CHECK_EQ(seen->min_rnr_timer, end->config.rnr_timer);
	CHECK_EQ(seen->ah_attr.is_global, 1);
	CHECK_EQ(seen->ah_attr.port_num, RC_PORT);
	CHECK_EQ(seen->ah_attr.grh.sgid_index, end->gid_index);
	CHECK_EQ(seen->ah_attr.grh.hop_limit, 64);
	CHECK_BYTES(&seen->ah_attr.grh.dgid, &end->peer.gid, sizeof(end->peer.gid));
}

static void query_gives_back_body(struct side *side)
{
	const int everything = (IBV_QP_DEST_QPN << 1) - 1;
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr seen;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	rc_connect(&end, &end.self);
	CHECK_EQ(ibv_query_qp(end.qp, &seen, everything, &init), 0);
	CHECK_EQ(seen.qp_state, IBV_QPS_RTS);
	CHECK_EQ(seen.cur_qp_state, IBV_QPS_RTS);
	CHECK_EQ(seen.port_num, RC_PORT);
	CHECK_EQ(seen.pkey_index, 0);
	CHECK_EQ(seen.qp_access_flags, end.config.qp_access);
	expect_path(&seen, &end);
	CHECK_EQ(seen.sq_psn, end.self.psn);
	CHECK_EQ(seen.timeout, end.config.timeout);
	CHECK_EQ(seen.retry_cnt, end.config.retries);
	CHECK_EQ(seen.rnr_retry, end.config.rnr_retries);
	CHECK_EQ(seen.max_rd_atomic, end.config.reads_out);
	CHECK(init.send_cq == end.send_cq && init.recv_cq == end.recv_cq);
	CHECK(init.qp_type == IBV_QPT_RC && !init.srq && !init.sq_sig_all);
	CHECK(init.cap.max_send_wr >= end.config.send_depth);
	CHECK(init.cap.max_recv_wr >= end.config.recv_depth);
	CHECK(init.cap.max_inline_data >= end.config.inline_size);
	rc_close(&end);
}
ALONE(query_gives_back)

static void modified_in_rts_body(struct side *side)
{
	/* IBV_ACCESS_ON_DEMAND is of regions: adapters take it here, too. */
	struct ibv_qp_attr attr = { .qp_access_flags =
		                            IBV_ACCESS_REMOTE_READ | IBV_ACCESS_ON_DEMAND,
		                    .min_rnr_timer = 20 };
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr seen;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	rc_connect(&end, &end.self);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER),
	         0);
	CHECK_EQ(ibv_query_qp(end.qp, &seen, IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER,
	                      &init),
	         0);
	CHECK(seen.qp_access_flags & IBV_ACCESS_REMOTE_READ);
	CHECK_EQ(seen.min_rnr_timer, 20);
	rc_close(&end);
}
ALONE(modified_in_rts)

/* --- creation
 * ---------------------------------------------------------------------------- */

static void expect_no_qp(struct rc_end *end, struct ibv_qp_init_attr init)
{
	if (!init.send_cq)
		init.send_cq = end->send_cq;
	init.recv_cq = end->recv_cq;
	CHECK_FAILS(ibv_create_qp(end->pd, &init), EINVAL);
}

static void create_arguments_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	expect_no_qp(&end,
	             (struct ibv_qp_init_attr){
	                     .qp_type = IBV_QPT_RC,
	                     .cap = { (uint32_t)device.max_qp_wr + 1, 1, 1, 1, 0 } });
	expect_no_qp(&end,
	             (struct ibv_qp_init_attr){
	                     .qp_type = IBV_QPT_RC,
	                     .cap = { 1, (uint32_t)device.max_qp_wr + 1, 1, 1, 0 } });
	expect_no_qp(&end, (struct ibv_qp_init_attr){
	                           .qp_type = IBV_QPT_RC,
	                           .cap = { 1, 1, (uint32_t)device.max_sge + 1, 1, 0 } });
	expect_no_qp(&end, (struct ibv_qp_init_attr){
	                           .qp_type = IBV_QPT_RC,
	                           .cap = { 1, 1, 1, (uint32_t)device.max_sge + 1, 0 } });
	expect_no_qp(&end, (struct ibv_qp_init_attr){ .qp_type = IBV_QPT_RC,
	                                              .cap = { 1, 1, 1, 1, 1u << 30 } });
	rc_close(&end);
}
ALONE(create_arguments)

/* ibv_create_qp(3): the capabilities are set to the actual values, at least those asked
 * for. */
static void capabilities_are_answered_body(struct side *side)
{
	struct ibv_qp_init_attr init = { .cap = { 3, 5, 2, 3, 17 },
		                         .qp_type = IBV_QPT_RC };
	struct rc_end end;
	struct ibv_qp *qp;

	(void)side;
	rc_open(&end, &rc_default);
	init.send_cq = end.send_cq;
	init.recv_cq = end.recv_cq;
	init.qp_context = &end;
	qp = CHECK_OBJECT(ibv_create_qp(end.pd, &init));
	CHECK(init.cap.max_send_wr >= 3 && init.cap.max_recv_wr >= 5);
	CHECK(init.cap.max_send_sge >= 2 && init.cap.max_recv_sge >= 3);
	CHECK(init.cap.max_inline_data >= 17);
	CHECK(qp->qp_context == &end && qp->pd == end.pd && qp->qp_type == IBV_QPT_RC);
	CHECK(qp->send_cq == end.send_cq && qp->recv_cq == end.recv_cq && !qp->srq);
	CHECK_EQ(qp->state, IBV_QPS_RESET);
	CHECK_EQ(ibv_destroy_qp(qp), 0);
	rc_close(&end);
}
ALONE(capabilities_are_answered)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(psn_has_24_bits),
		cmocka_unit_test(query_gives_back),
		cmocka_unit_test(modified_in_rts),
		cmocka_unit_test(create_arguments),
		cmocka_unit_test(capabilities_are_answered),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
