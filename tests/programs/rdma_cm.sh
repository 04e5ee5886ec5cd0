#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ucmatose (many connections and messages, each option), rdma_server with
# rdma_client, rdma_xserver with rdma_xclient, and cmtime.
# timeout: 120
# variants: plain asan tsan valgrind cov
. "$(dirname "$0")/../lib.sh"
need ucmatose rdma_server rdma_client rdma_xserver rdma_xclient cmtime
sends_unwritten

# ucmatose CONNECTIONS MESSAGES SIZE OPTION...
ucmatose_pair() {
	connections=$1 messages=$2 size=$3
	shift 3
	port=$(free_port)
	set -- -c "$connections" -C "$messages" -S "$size" -p "$port" "$@"
	spawn_listening server "$port" mock ucmatose -b 127.0.0.1 "$@"
	expect 0 mock ucmatose -s 127.0.0.1 "$@"
	assert_grep '^(cmatose: )?test complete' "$OUT"
	assert_grep '^return status 0' "$OUT"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server"
	assert_grep '^return status 0' "$(log_of server)"
	assert_no_grep '[Ff]ail|event: RDMA_CM_EVENT_[A-Z]*ERROR' "$(log_of server)"
}

ucmatose_pair 1 10 100
ucmatose_pair 10 10 1000
[ "$TEST_VARIANT" = valgrind ] || {
	ucmatose_pair 1 100 65536
	ucmatose_pair 100 2 100
}
# Migrating the ids, another port space, type of service, ACK timeout.
ucmatose_pair 3 2 100 -m
ucmatose_pair 3 2 100 -P ib
ucmatose_pair 2 2 100 -t 104 -a 18

port=$(free_port)
spawn_listening server "$port" mock rdma_server -s 127.0.0.1 -p "$port"
expect 0 mock rdma_client -s 127.0.0.1 -p "$port"
wait_exit server
assert_eq 0 "$STATUS" "status of rdma_server"
assert_grep '(^|/)rdma_server: end 0' "$(log_of server)"
assert_grep '(^|/)rdma_client: end 0' "$OUT"

# xpair TYPE
xpair() {
	port=$(free_port)
	spawn_listening "xserver_$1" "$port" mock rdma_xserver -p "$port" -c "$1"
	expect 0 mock rdma_xclient -s 127.0.0.1 -p "$port" -c "$1"
	assert_grep '(^|/)rdma_xclient: end 0' "$OUT"
	wait_exit "xserver_$1"
	assert_eq 0 "$STATUS" "status of rdma_xserver -c $1"
	assert_grep '(^|/)rdma_xserver: end 0' "$(log_of "xserver_$1")"
}

xpair r
xpair x

# The server serves for ever; since rdma-core 60, as many peers as there are, which meet at a TCP port.
port=$(free_port)
if cmtime -h 2>&1 | grep -q 'controller_address'; then
	spawn cmtime mock cmtime -L -C 127.0.0.1 -b 127.0.0.1 -p "$port" -c 40
	until_true 10 _listening "$port" || fail "cmtime does not listen"
	expect 0 mock cmtime -C 127.0.0.1 -b 127.0.0.1 -p "$port" -c 40
	wait_exit cmtime
	assert_eq 0 "$STATUS" "status of cmtime -L"
	assert_grep '^disconnect' "$OUT"
else
	spawn_listening cmtime "$port" mock cmtime -b 127.0.0.1 -p "$port" -c 40
	expect 0 mock cmtime -s 127.0.0.1 -p "$port" -c 40
	assert_grep '^disconnect ' "$OUT"
	stop cmtime
fi
