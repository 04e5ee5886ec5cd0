#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Between hosts: Debian's pingpongs and perftest in two network namespaces that a pair of virtual
# interfaces joins, and between two processes of one host with MOCKRDMA_LINK=roce; with a network
# that loses, repeats, disorders and spoils packets, too.
# timeout: 180
# variants: plain
if [ -z "${IN_NAMESPACE:-}" ]; then
	unshare -rn true 2>/dev/null ||
		{ echo "no network namespaces here (unshare -rn)"; exit 77; }
	IN_NAMESPACE=1 exec unshare -rn "$0"
fi
. "$(dirname "$0")/../lib.sh"
need ibv_rc_pingpong ib_write_lat ib_send_bw ib_read_bw ib_atomic_lat ip nsenter

ip link set lo up
spawn there unshare -n sleep 1000
other_namespace() {
	[ "$(readlink "/proc/$(pid_of there)/ns/net")" != "$(readlink /proc/self/ns/net)" ] &&
		grep -q sleep "/proc/$(pid_of there)/comm"
}
until_true 10 other_namespace || fail "no second namespace"
there=/proc/$(pid_of there)/ns/net
ip link add here type veth peer name there netns "$(pid_of there)" ||
	skip "no virtual interfaces here (ip link add type veth)"
# Without IPv6 addresses, which come later, no index in the GID tables changes.
ip link set here addrgenmode none
ip addr add 10.99.0.1/24 dev here
ip link set here up
nsenter --net="$there" sh -c 'ip link set there addrgenmode none
	ip link set lo up; ip addr add 10.99.0.2/24 dev there; ip link set there up'

listening_there() {
	nsenter --net="$there" ss -tlnH "sport = :$1" | grep -q .
}

# The interface's address is the entry of the GID table behind loopback's.
gid_of() {
	mock ibv_devinfo -v | sed -nE "s/^.*GID\[ *([0-9]+)\]:.*::ffff:$1.*/\1/p"
}
here_gid=$(gid_of 10.99.0.1)
there_gid=$(nsenter --net="$there" "$BUILD/bin/mockrdma" run -- ibv_devinfo -v |
	sed -nE "s/^.*GID\[ *([0-9]+)\]:.*::ffff:10.99.0.2.*/\1/p")
[ -n "$here_gid" ] && [ -n "$there_gid" ] || fail "no GID for the interface's address"

# across PROGRAM OPTION...: the server in the other namespace. Both succeed.
gid_option=-g
across() {
	port=$(free_port)
	spawn server nsenter --net="$there" "$BUILD/bin/mockrdma" run -- "$@" $gid_option "$there_gid" -p "$port"
	until_true 10 listening_there "$port" || fail "$*: the server does not listen"
	expect 0 mock "$@" $gid_option "$here_gid" -p "$port" 10.99.0.2
	wait_exit server 60
	assert_eq 0 "$STATUS" "status of the server, $*"
	for output in "$OUT" "$ERR" "$(log_of server)"; do
		assert_no_grep 'invalid data|[Ff]ailed|Completion with error' "$output"
	done
}

across ibv_rc_pingpong -n 200 -c
across ibv_rc_pingpong -n 10 -s 1000000 -c
across ibv_uc_pingpong -n 100 -c
across ibv_ud_pingpong -n 100 -s 1024 -c
wide across ibv_srq_pingpong -n 200 -c
gid_option=-x
across ib_write_lat -n 200
wide across ib_read_lat -n 200
across ib_atomic_lat -n 200
across ib_send_bw -n 200 -s 65536
wide across ib_write_bw -n 200 -s 65536
across ib_read_bw -n 200 -s 65536
across ib_send_bw -c XRC -n 200 -s 4096
wide across ib_send_lat -c UD -n 200 -s 64

# On one host, by packets all the same.
MOCKRDMA_LINK=roce
export MOCKRDMA_LINK
within() {
	port=$(free_port)
	spawn server mock "$@" -p "$port"
	until_true 10 _listening "$port" || fail "$*: the server does not listen"
	expect 0 mock "$@" -p "$port" 127.0.0.1
	wait_exit server 60
	assert_eq 0 "$STATUS" "status of the server, $*"
	assert_no_grep 'invalid data|[Ff]ailed|Completion with error' "$OUT"
}
within ibv_rc_pingpong -g 0 -n 200 -c
wide within ib_read_bw -n 200 -s 65536

# A bad network.
MOCKRDMA_LOSS=5 MOCKRDMA_DUPLICATE=5 MOCKRDMA_REORDER=5 MOCKRDMA_CORRUPT=1 MOCKRDMA_SEED=7
export MOCKRDMA_LOSS MOCKRDMA_DUPLICATE MOCKRDMA_REORDER MOCKRDMA_CORRUPT MOCKRDMA_SEED
gid_option=-g
across ibv_rc_pingpong -n 50 -c
gid_option=-x
across ib_read_bw -n 10 -s 16384
wide across ib_atomic_lat -n 20
