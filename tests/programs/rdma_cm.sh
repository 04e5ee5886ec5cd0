#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ucmatose (many connections and messages) and rdma_server with rdma_client.
# timeout: 120
# variants: plain asan tsan valgrind cov
. "$(dirname "$0")/../lib.sh"
need ucmatose rdma_server rdma_client

# What the server prints stays in its buffer: a client may come before it listens. Of many
# connections only the first are refused then, and the server would wait for as many others
# for ever: both start again.
ucmatose_both() {
	port=$(free_port)
	spawn server mock ucmatose -b 127.0.0.1 -p "$port" "$@"
	mock ucmatose -s 127.0.0.1 -p "$port" "$@" >"$TEST_TMP/client.log" 2>&1 && return 0
	stop server KILL
	return 1
}

# ucmatose CONNECTIONS MESSAGES SIZE OPTION...
ucmatose_pair() {
	connections=$1 messages=$2 size=$3
	shift 3
	set -- -c "$connections" -C "$messages" -S "$size" "$@"
	until_true 10 ucmatose_both "$@" || fail "the client does not succeed: $*"
	assert_grep '^(cmatose: )?test complete' "$TEST_TMP/client.log"
	assert_grep '^return status 0' "$TEST_TMP/client.log"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server"
	assert_grep '^return status 0' "$(log_of server)"
	assert_no_grep '[Ff]ail|event: RDMA_CM_EVENT_[A-Z]*ERROR' "$(log_of server)"
}

ucmatose_pair 1 10 100
ucmatose_pair 1 100 65536
ucmatose_pair 10 10 1000
ucmatose_pair 100 2 100

# rdma_server prints nothing before it waits: the client tries until it is let in.
port=$(free_port)
spawn server mock rdma_server -s 127.0.0.1 -p "$port"
client() {
	mock rdma_client -s 127.0.0.1 -p "$port" >"$TEST_TMP/client.log" 2>&1
}
until_true 10 client || fail "rdma_client does not succeed"
wait_exit server
assert_eq 0 "$STATUS" "status of rdma_server"
assert_grep '^rdma_server: end 0' "$(log_of server)"
assert_grep '^rdma_client: end 0' "$TEST_TMP/client.log"
