#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's qperf: its RC tests, connected by the connection manager. (Those of UC and UD make their
# addresses of LIDs and without a GRH, which RoCE has not.)
# variants: plain
. "$(dirname "$0")/../lib.sh"
need qperf

port=$(free_port)
spawn server mock qperf -lp "$port"
until_true 10 _listening "$port" || fail "qperf does not listen"

# measure TEST UNIT OPTION...: for the second that is its least. The server tells the port before it
# listens there: a client that is quick is refused, and comes again.
measure() {
	test=$1 unit=$2
	shift 2
	until_true 10 measured "$test" "$@" || fail "qperf $test does not succeed"
	assert_grep "= +[0-9.]+ $unit" "$TEST_TMP/client.log"
}
measured() {
	test=$1
	shift
	mock qperf -lp "$port" -cm1 -t 1 "$@" 127.0.0.1 "$test" >"$TEST_TMP/client.log" 2>&1 && return 0
	assert_grep 'unexpected event from RDMA CM: Event rejected' "$TEST_TMP/client.log"
	return 1
}

measure rc_lat '[nmu]?s'
measure rc_bi_bw '[KMG]?B/sec' -cp1
measure rc_rdma_read_bw '[KMG]?B/sec'
measure rc_rdma_write_poll_lat '[nmu]?s'
measure ver_rc_compare_swap '[KMG]?/sec'
measure ver_rc_fetch_add '[KMG]?/sec'
expect 0 mock qperf -lp "$port" 127.0.0.1 quit
wait_exit server
