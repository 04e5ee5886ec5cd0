#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The unit tests of the transport over packets, in place of shared memory: operations, errors with their
# statuses and events on both sides, PSNs, queues, flows, memory windows and XRC mean the same there.
# timeout: 120
# variants: plain
. "$(dirname "$0")/../hosts.sh"

hosts 1
MOCKRDMA_LINK=roce
export MOCKRDMA_LINK
for test in rc_ops rc_atomic_write rc_errors rc_psn rc_queues uc flow xrc mw exit; do
	program=$BUILD/tests/unit/test_mock_$test
	[ -x "$program" ] || skip "$program is not built"
	on 1 "$program" >"$TEST_TMP/$test.log" 2>&1 || fail "test_mock_$test over packets: exit status $?"
done
# The same with keys: nothing above the packets notices.
for test in rc_ops rc_atomic_write rc_errors rc_psn rc_queues mw exit; do
	on 1 env RC_PROTECTED=1 "$BUILD/tests/unit/test_mock_$test" >"$TEST_TMP/$test.log" 2>&1 ||
		fail "test_mock_$test over protected packets: exit status $?"
done
