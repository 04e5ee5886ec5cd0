// SPDX-License-Identifier: BSD-2-Clause
/* Small messages that are posted one by one: behind others that are under way they wait
 * for company, and none is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/ud.h"
#include "../unit/mock_dir.h"
#include "sim.h"
#include "wire/roce.h"

/* As the requester has it (transport/wire_send.c). */
enum {
	ICRC_SIZE = 4,
	BEHIND = 16,
	TOGETHER = 32,
	SMALL = 8,
	LARGE = 1024,
	RECEIVES = 64,
	DATAGRAMS = 40
};

static struct rc_pair pair;
static unsigned int requests, answers, lose_answers;

static bool watch(uint8_t *bth, size_t length)
{
	struct roce roce;

	CHECK_EQ(roce_decode(bth, length + ICRC_SIZE, &roce), ROCE_OK);
	if (!(opcode_info[roce.opcode].mask & OP_RESPONSE)) {
		requests++;
		return false;
	}
	answers++;
	if (!lose_answers)
		return false;
	lose_answers--;
	return true;
}

static void begin_with(const struct rc_config *config)
{
	static const struct sim_weather fair = { .delay_ns = 1000 };

	sim_begin(1, &fair);
	rc_pair_open(&pair, config);
	for (unsigned int i = 0; i < RECEIVES; i++)
		rc_recv(&pair.b, i, 0, LARGE);
	sim_filter = watch;
	requests = answers = lose_answers = 0;
}

static void begin(void)
{
	begin_with(&rc_default);
}

static void end(void)
{
	sim_filter = NULL;
	rc_pair_close(&pair);
}

static void post(unsigned int count, uint32_t length)
{
	for (unsigned int i = 0; i < count; i++)
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = 1,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = length });
}

static void complete(unsigned int count)
{
	struct ibv_wc wc;

	while (count) {
		int got = ibv_poll_cq(pair.a.send_cq, 1, &wc);

		if (got)
			CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		else
			CHECK(sim_step());
		count -= (unsigned int)got;
	}
}

/* Nobody who has little under way waits for more. */
static void the_first_go_at_once(void **state)
{
	(void)state;
	begin();
	for (unsigned int i = 1; i <= BEHIND; i++) {
		post(1, SMALL);
		CHECK_EQ(requests, i);
	}
	complete(BEHIND);
	end();
}

static void those_behind_go_together(void **state)
{
	(void)state;
	begin();
	post(BEHIND + TOGETHER - 1, SMALL);
	CHECK_EQ(requests, BEHIND);
	post(1, SMALL);
	CHECK_EQ(requests, BEHIND + TOGETHER);
	CHECK_EQ(sim_counts.calls, BEHIND + 1);
	complete(BEHIND + TOGETHER);
	end();
}

static void an_answer_lets_them_go(void **state)
{
	(void)state;
	begin();
	post(BEHIND + 1, SMALL);
	CHECK_EQ(requests, BEHIND);
	while (requests == BEHIND)
		CHECK(sim_step());
	CHECK(answers > 0);
	CHECK_EQ(requests, BEHIND + 1); /* and nothing was sent a second time */
	complete(BEHIND + 1);
	end();
}

/* What was under way is sent again then, and they with it. */
static void a_lost_answer_does_not_leave_them(void **state)
{
	(void)state;
	begin();
	lose_answers = BEHIND;
	post(BEHIND + 1, SMALL);
	complete(BEHIND + 1);
	end();
}

static void a_large_one_does_not_wait(void **state)
{
	(void)state;
	begin();
	post(BEHIND + 1, SMALL);
	CHECK_EQ(requests, BEHIND);
	post(1, LARGE);
	CHECK(requests > BEHIND + 1);
	complete(BEHIND + 2);
	end();
}

/* Datagrams have no answer that they could wait for: those of a list go together. */
static void datagrams_of_a_list_go_together(void **state)
{
	struct ibv_send_wr list[DATAGRAMS], *bad;
	struct ibv_sge sge;
	struct ibv_ah *ah;

	(void)state;
	begin_with(&ud_default);
	sge = rc_sge(&pair.a, 0, SMALL);
	ah = ud_handle(&pair.a, &pair.b.self.gid);
	for (unsigned int i = 0; i < DATAGRAMS; i++)
		list[i] = (struct ibv_send_wr){
			.next = i + 1 < DATAGRAMS ? &list[i + 1] : NULL,
			.sg_list = &sge,
			.num_sge = 1,
			.opcode = IBV_WR_SEND,
			.send_flags = IBV_SEND_SIGNALED,
			.wr.ud = { ah, pair.b.self.qpn, UD_QKEY },
		};
	CHECK_EQ(ibv_post_send(pair.a.qp, list, &bad), 0);
	CHECK_EQ(sim_counts.calls, 1);
	complete(DATAGRAMS);
	while (sim_step())
		;
	for (unsigned int i = 0; i < DATAGRAMS; i++)
		CHECK_EQ(rc_next(pair.b.recv_cq).wr_id, i);
	CHECK_EQ(ibv_destroy_ah(ah), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_go_at_once),
		cmocka_unit_test(those_behind_go_together),
		cmocka_unit_test(an_answer_lets_them_go),
		cmocka_unit_test(a_lost_answer_does_not_leave_them),
		cmocka_unit_test(a_large_one_does_not_wait),
		cmocka_unit_test(datagrams_of_a_list_go_together),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
