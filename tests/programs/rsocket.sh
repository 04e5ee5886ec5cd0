#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# librdmacm's sockets over RDMA: Debian's rstream, riostream, rcopy and udpong, and a plain
# TCP program over the preload library.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need rstream riostream rcopy udpong

# pair PROGRAM OPTION...
pair() {
	until_true 20 both "$@" || fail "no success: $*"
	assert_grep '^custom ' "$TEST_TMP/client.log"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server: $*"
	assert_no_grep 'mockrdma:' "$(log_of server)"
}

# The library accepts as soon as the server listens; riostream says only then how many regions it
# wants, and a client that comes between has none. Then both start again.
both() {
	program=$1
	port=$(free_port)
	shift
	spawn_listening server "$port" mock "$program" -p "$port" "$@"
	client "$program" -s 127.0.0.1 -p "$port" "$@" && return 0
	stop server KILL
	assert_grep '^riomap: Cannot allocate memory' "$TEST_TMP/client.log"
	return 1
}

client() {
	mock "$@" >"$TEST_TMP/client.log" 2>&1 && grep -q '^custom ' "$TEST_TMP/client.log"
}

pair rstream -S 64 -C 10 -I 5 -T b
pair rstream -S 65536 -C 20 -T b
pair rstream -S 4096 -C 10 -T n
pair rstream -S 4096 -C 10 -T r
pair rstream -S 4096 -C 50 -T b -k -1
pair riostream -S 4096 -C 50 -T b
pair riostream -S 65536 -C 20 -T n

port=$(free_port)
head -c 2500000 /dev/urandom >"$TEST_TMP/in"
spawn_listening copies "$port" mock rcopy -p "$port"
expect 0 mock rcopy "$TEST_TMP/in" "127.0.0.1:$TEST_TMP/out" -p "$port"
# Its end may be on its way to the disk.
until_true 5 cmp -s "$TEST_TMP/in" "$TEST_TMP/out" || fail "rcopy copied something else"
stop copies

# Datagrams. The server goes on for ever.
port=$(free_port)
spawn pong mock udpong -b 127.0.0.1 -p "$port" -T b
for kind in b n e; do
	until_true 10 client udpong -s 127.0.0.1 -p "$port" -S 100 -C 50 -T b -T $kind ||
		fail "udpong -T $kind does not succeed"
done
stop pong

preload=$(echo /usr/lib/*/rsocket/librspreload.so)
[ -e "$preload" ] || skip "librdmacm's preload library is not there: the rest is untested"
echo_program=$BUILD/tests/programs/tcp_echo

# The preload library goes after what the launcher put in front.
# shellcheck disable=SC2016
over_rdma='export LD_PRELOAD="$LD_PRELOAD:$0"; exec "$@"'

# echo_pair NAME ADDRESS OPTION...: serves two clients
echo_pair() {
	name=$1 address=$2 port=$(free_port)
	shift 2
	spawn "$name" mock sh -c "$over_rdma" "$preload" "$echo_program" serve "$address" "$port" 2 "$@"
	wait_for "$name" '^listening'
	[ $# != 0 ] || ! _listening "$port" || fail "the server listens for TCP, not over RDMA"
	for bytes in 1 1000000; do
		MOCKRDMA_LOG=debug expect 0 mock sh -c "$over_rdma" "$preload" \
			"$echo_program" ask "$address" "$port" $bytes
		assert_grep '^all came back' "$OUT"
		assert_grep 'sends CM REQ' "$ERR"
	done
	wait_exit "$name"
	assert_eq 0 "$STATUS" "status of the echo server"
}

echo_pair ipv4 127.0.0.1
! grep -q '^0*1 ' /proc/net/if_inet6 || echo_pair ipv6 ::1

# With fork support the program connects over TCP, and whichever process uses the connection
# first moves it to RDMA.
export RDMAV_FORK_SAFE=1
echo_pair forking 127.0.0.1 fork
