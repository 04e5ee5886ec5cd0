// SPDX-License-Identifier: BSD-2-Clause
/*
 * What mock/api/verbs_list.def says of each function is so: what it calls done is there,
 * what it says is refused answers with that error, and what is left to the system's
 * library is not defined by ours.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum state { DONE, NOTHING, SYSTEM, REFUSED = 16 };

/* A state is the kind, and the error that goes with a refusal above it. */
#define REFUSES(error, what) (REFUSED | (error) << 8)

struct export
{
	const char *name;
	int state;
};

#define EXPORT(library, function, since, state, text) { #function, state },
#define TABLE(...)
#define NEWER(...)
#define BEHIND(...)
#define INLINE(...)
static const struct export exports[] = {
#include "api/verbs_list.def"
};
#undef EXPORT
#undef TABLE

static bool is_ours(const char *name)
{
	void *function = dlsym(RTLD_DEFAULT, name);
	Dl_info info;

	return function && dladdr(function, &info) &&
	       strstr(info.dli_fname, "libmockrdma");
}

static void exports_are_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++) {
		bool ours = is_ours(exports[i].name);

		if (ours == (exports[i].state == SYSTEM))
			fail_msg("%s is%s defined by libmockrdma.so", exports[i].name,
			         ours ? "" : " not");
	}
}

/*
 * A function that always refuses looks at none of its arguments, so it can be called with
 * none that make sense: more zeros than any of them takes.
 */
static void refusals(void **state)
{
	typedef long any(long, long, long, long, long, long, long, long);

	(void)state;
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++) {
		any *function = (any *)dlsym(RTLD_DEFAULT, exports[i].name);

		if (!(exports[i].state & REFUSED))
			continue;
		assert_non_null(function);
		errno = 0;
		function(0, 0, 0, 0, 0, 0, 0, 0);
		if (errno != exports[i].state >> 8)
			fail_msg("%s: errno is %d (%s)", exports[i].name, errno,
			         strerror(errno));
	}
}

struct entry {
	const char *name;
	int state;
	void *there;
};

static void entry_check(const char *table, const struct entry *entry, bool always)
{
	bool expected = always || entry->state == DONE;

	if (expected != (entry->there != NULL))
		fail_msg("%s.%s is%s filled in", table, entry->name,
		         entry->there ? "" : " not");
}

#define EXPORT(...)
#define TABLE(table, member, function, state, text) \
	{ #table, #member, state, TABLE_##table(member) },

struct table_entry {
	const char *table, *member;
	int state;
	void *there;
};

static void check_tables(struct ibv_context *context, struct ibv_qp_ex *qp,
                         struct ibv_cq_ex *cq)
{
	const struct verbs_context *vctx = verbs_get_ctx(context);
#define TABLE_context_ops(member)   ((void *)context->ops.member)
#define TABLE_verbs_context(member) ((void *)vctx->member)
#define TABLE_qp_ex(member)         ((void *)qp->member)
#define TABLE_cq_ex(member)         ((void *)cq->member)
	const struct table_entry entries[] = {
#include "api/verbs_list.def"
	};

	assert_non_null(vctx);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct entry entry = { entries[i].member, entries[i].state,
			               entries[i].there };

		/* Those of a QP or CQ are all there: one that it was not made with does
		 * no harm. */
		entry_check(entries[i].table, &entry,
		            !strcmp(entries[i].table, "qp_ex") ||
		                    !strcmp(entries[i].table, "cq_ex"));
	}
}

static struct ibv_qp *qp_create(struct rc_end *end, uint64_t operations)
{
	struct ibv_qp_init_attr_ex init = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.cap = { 4, 4, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
		.pd = end->pd,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = operations,
	};

	return CHECK_OBJECT(ibv_create_qp_ex(end->context, &init));
}

static void tables_body(struct side *side)
{
	struct ibv_cq_init_attr_ex init = { .cqe = 4, .wc_flags = IBV_WC_STANDARD_FLAGS };
	struct ibv_cq_ex *cq;
	struct rc_end end;
	struct ibv_qp *qp;

	(void)side;
	rc_open(&end, &rc_default);
	qp = qp_create(&end, IBV_QP_EX_WITH_SEND);
	cq = CHECK_OBJECT(ibv_create_cq_ex(end.context, &init));
	check_tables(end.context, ibv_qp_to_qp_ex(qp), cq);
	CHECK_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
	CHECK_EQ(ibv_destroy_qp(qp), 0);
	rc_close(&end);
}
ALONE(tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exports_are_ours),
		cmocka_unit_test(refusals),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
