// SPDX-License-Identifier: BSD-2-Clause
/*
 * A program that has received what it was sent, and exits without closing anything: its
 * peer hears of it (roce_units.sh: by packets).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rc.h"
#include "lib/rcop.h"
#include "mock_dir.h"

enum { TIMES = 8 };

static void sender(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	side_meet(side);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                             .id = 1,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 8 });
	rc_sent(&end, 1);
	rc_close(&end);
}

static void receiver(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	rc_recv(&end, 2, 64, 8);
	side_meet(side);
	rc_received(&end, 2);
	exit(EXIT_SUCCESS);
}

static void exits_when_it_has_all(void **state)
{
	(void)state;
	for (int i = 0; i < TIMES; i++)
		sides_run(SIDES_PROCESSES, sender, receiver, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_when_it_has_all),
	};
	int failed;

	mock_dir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
