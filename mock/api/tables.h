/* SPDX-License-Identifier: BSD-2-Clause */
/* The operation tables through which the inline functions of <infiniband/verbs.h> reach
 * the mock. */
#ifndef MOCK_API_TABLES_H
#define MOCK_API_TABLES_H

#include "object/device.h"
#include "object/qp.h"

/* An operation that is not filled in is one that the device has not: the inline functions
 * say EOPNOTSUPP. */
void tables_fill(struct context *context);
void wr_table_fill(struct qp *qp);
int qp_attr_ex_check(const struct ibv_qp_init_attr_ex *attr);
/* What the plain attributes have not, for a QP that was made with those. */
void qp_attr_ex_apply(struct qp *qp, const struct ibv_qp_init_attr_ex *attr);
/* As ibv_open_device(3); 0 or -errno. */
int open_context(struct device *device, struct context **context);

int table_query_port(struct ibv_context *context, uint8_t port,
                     struct ibv_port_attr *attr, size_t size);
int table_query_device_ex(struct ibv_context *context,
                          const struct ibv_query_device_ex_input *input,
                          struct ibv_device_attr_ex *attr, size_t size);
struct ibv_qp *table_create_qp_ex(struct ibv_context *context,
                                  struct ibv_qp_init_attr_ex *attr);
struct ibv_cq_ex *table_create_cq_ex(struct ibv_context *context,
                                     struct ibv_cq_init_attr_ex *attr);
int table_query_rt_values(struct ibv_context *context, struct ibv_values_ex *values);
struct ibv_td *table_alloc_td(struct ibv_context *context, struct ibv_td_init_attr *attr);
int table_dealloc_td(struct ibv_td *td);
struct ibv_pd *table_alloc_parent_domain(struct ibv_context *context,
                                         struct ibv_parent_domain_init_attr *attr);
int table_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t flags,
                    struct ibv_sge *list, uint32_t count);
struct ibv_mr *table_alloc_null_mr(struct ibv_pd *pd);
struct ibv_dm *table_alloc_dm(struct ibv_context *context,
                              struct ibv_alloc_dm_attr *attr);
int table_free_dm(struct ibv_dm *dm);
struct ibv_mr *table_reg_dm_mr(struct ibv_pd *pd, struct ibv_dm *ibv, uint64_t offset,
                               size_t length, unsigned int access);
struct ibv_mw *table_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type);
int table_bind_mw(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
int table_dealloc_mw(struct ibv_mw *mw);
struct ibv_xrcd *table_open_xrcd(struct ibv_context *context,
                                 struct ibv_xrcd_init_attr *attr);
int table_close_xrcd(struct ibv_xrcd *xrcd);
struct ibv_srq *table_create_srq_ex(struct ibv_context *context,
                                    struct ibv_srq_init_attr_ex *attr);
int table_get_srq_num(struct ibv_srq *srq, uint32_t *number);
struct ibv_qp *table_open_qp(struct ibv_context *context, struct ibv_qp_open_attr *attr);
struct ibv_flow *table_create_flow(struct ibv_qp *qp, struct ibv_flow_attr *attr);
int table_destroy_flow(struct ibv_flow *flow);
struct ibv_counters *table_create_counters(struct ibv_context *context,
                                           struct ibv_counters_init_attr *attr);
int table_destroy_counters(struct ibv_counters *counters);
int table_attach_counters_point_flow(struct ibv_counters *counters,
                                     struct ibv_counter_attach_attr *attr,
                                     struct ibv_flow *flow);
int table_read_counters(struct ibv_counters *counters, uint64_t *values, uint32_t count,
                        uint32_t flags);
int table_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *wc);
int table_req_notify_cq(struct ibv_cq *cq, int solicited_only);
int table_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad);
int table_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad);
int table_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr,
                        struct ibv_recv_wr **bad);

#endif
