#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ucmatose (many connections and messages, each option), rdma_server with
# rdma_client, rdma_xserver with rdma_xclient, and cmtime.
# (Not under memcheck: ucmatose and udaddy send memory that they never wrote.)
# timeout: 120
# variants: plain asan tsan cov
. "$(dirname "$0")/../lib.sh"
need ucmatose rdma_server rdma_client rdma_xserver rdma_xclient cmtime

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
# Migrating the ids, another port space, type of service, ACK timeout.
ucmatose_pair 3 2 100 -m
ucmatose_pair 3 2 100 -P ib
ucmatose_pair 2 2 100 -t 104 -a 18

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

# xpair TYPE
xpair() {
	port=$(free_port)
	spawn "xserver_$1" mock rdma_xserver -p "$port" -c "$1"
	until_true 10 xclient -p "$port" -c "$1" || fail "rdma_xclient -c $1 does not succeed"
	wait_exit "xserver_$1"
	assert_eq 0 "$STATUS" "status of rdma_xserver -c $1"
	assert_grep '^rdma_xserver: end 0' "$(log_of "xserver_$1")"
}

xclient() {
	mock rdma_xclient -s 127.0.0.1 "$@" >"$TEST_TMP/client.log" 2>&1 &&
		grep -q '^rdma_xclient: end 0' "$TEST_TMP/client.log"
}

xpair r
xpair x

# The server serves for ever.
port=$(free_port)
spawn cmtime mock cmtime -b 127.0.0.1 -p "$port" -c 40
cmtime_client() {
	mock cmtime -s 127.0.0.1 -p "$port" -c 40 >"$TEST_TMP/client.log" 2>&1 &&
		grep -q '^disconnect ' "$TEST_TMP/client.log"
}
until_true 20 cmtime_client || fail "cmtime does not succeed"
stop cmtime
