#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Between hosts whose network loses, repeats, reorders and corrupts packets, programs finish
# with the right data.
# timeout: 240
# variants: plain
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../netns.sh"
need ibv_rc_pingpong ib_write_bw ib_read_lat ib_atomic_lat rping ucmatose

hosts 2
export MOCKRDMA_LOSS=5 MOCKRDMA_DUPLICATE=5 MOCKRDMA_REORDER=5 MOCKRDMA_CORRUPT=1 MOCKRDMA_SEED=7
export MOCKRDMA_CM_TIMEOUT=200

# across NAME PROGRAM ARG...: client on host 1, server on host 2, which is there already
across() {
	_server=$1
	shift
	expect 0 on 1 mock "$@"
	wait_exit "$_server" 60
	assert_eq 0 "$STATUS" "server of $1"
}

# perf PROGRAM ARG...
perf() {
	_port=$(free_port)
	spawn_on 2 server "$_port" mock "$@" -p "$_port"
	across server "$@" -p "$_port" 10.77.1.2
}

# Its client ends with its last receive. When the acknowledgement of that is lost, nobody is there
# to send another, and the server's last send cannot end well: that alone is allowed.
port=$(free_port)
spawn_on 2 server "$port" mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 50 -p "$port"
expect 0 on 1 mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 50 -p "$port" 10.77.1.2
assert_no_grep 'invalid data' "$OUT"
wait_exit server 60
[ "$STATUS" = 0 ] || assert_grep 'transport retry counter exceeded' "$(log_of server)"
assert_no_grep 'invalid data' "$(log_of server)"

perf ib_write_bw -F -x "$GID_IPV4" -m 1024 -s 100000 -n 30
perf ib_read_lat -F -x "$GID_IPV4" -m 1024 -s 5000 -n 30
perf ib_atomic_lat -F -x "$GID_IPV4" -n 30
perf ib_send_bw -F -x "$GID_IPV4" -m 1024 -s 20000 -n 30

# rping compares what came with what it sent.
on 2 spawn server mock rping -s -a 10.77.1.2 -C 5 -v -V
until_true 10 on 2 rdma_listens 7174 || fail "rping does not listen"
across server rping -c -a 10.77.1.2 -C 5 -v -V
on 2 spawn server mock ucmatose -c 3 -C 5 -S 5000
until_true 10 on 2 rdma_listens 7471 || fail "ucmatose does not listen"
across server ucmatose -s 10.77.1.2 -c 3 -C 5 -S 5000
assert_grep '^return status 0' "$OUT"
