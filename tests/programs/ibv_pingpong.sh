#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ibv_rc_pingpong, ibv_uc_pingpong, ibv_ud_pingpong, ibv_srq_pingpong
# and ibv_xsrq_pingpong between two processes, with their options.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need ibv_rc_pingpong ibv_ud_pingpong ibv_uc_pingpong ibv_srq_pingpong ibv_xsrq_pingpong

# pingpong BYTES PROGRAM OPTION...: both sides succeed, and say that this much has moved.
pingpong() {
	bytes=$1
	shift
	port=$(free_port)
	spawn server mock "$@" -p "$port"
	until_true 10 _listening "$port" || fail "$*: the server does not listen"
	expect 0 mock "$@" -p "$port" 127.0.0.1
	wait_exit server
	assert_eq 0 "$STATUS" "status of the server, $*"
	for output in "$OUT" "$(log_of server)"; do
		assert_grep "^$bytes bytes in .* seconds = .* Mbit/sec$" "$output"
		assert_no_grep 'invalid data|Failed' "$output"
	done
	# Each side shows the other's address as the other does its own.
	for word in local remote; do
		sed -nE "s/^ *$word address: *//; T; s/: GID/, GID/; p" "$OUT" | sort >"$TEST_TMP/$word.client"
		sed -nE "s/^ *$word address: *//; T; s/: GID/, GID/; p" "$(log_of server)" | sort >"$TEST_TMP/$word.server"
	done
	cmp -s "$TEST_TMP/local.client" "$TEST_TMP/remote.server" || fail "addresses differ"
	cmp -s "$TEST_TMP/remote.client" "$TEST_TMP/local.server" || fail "addresses differ"
}

# --- RC
pingpong 8192000 ibv_rc_pingpong -g 0
pingpong 8192000 ibv_rc_pingpong -g 1
pingpong 8192000 ibv_rc_pingpong -g 0 -e
pingpong 8192000 ibv_rc_pingpong -g 0 -c
pingpong 8192000 ibv_rc_pingpong -g 0 -N
pingpong 8192000 ibv_rc_pingpong -g 0 -e -c -N
# Timestamps; not with -e too, where the program takes an event without a completion for an error:
# it arms the queue, polls, and finds what then also makes an event.
pingpong 8192000 ibv_rc_pingpong -g 0 -t
wide pingpong 409600 ibv_rc_pingpong -g 0 -n 50 -t -N -c
pingpong 2000 ibv_rc_pingpong -g 0 -s 1 -c
wide pingpong 100 ibv_rc_pingpong -g 0 -s 1 -n 50 -e -N
pingpong 104857600 ibv_rc_pingpong -g 0 -s 1048576 -n 50 -m 4096 -c
wide pingpong 167772160 ibv_rc_pingpong -g 0 -s 16777216 -n 5 -e -c
pingpong 409600 ibv_rc_pingpong -g 0 -r 2 -n 50
wide pingpong 409600 ibv_rc_pingpong -g 0 -r 1 -n 50 -e
wide pingpong 4096000 ibv_rc_pingpong -g 0 -r 4000 -n 500
for mtu in 256 512 1024 2048 4096; do
	wide pingpong 409600 ibv_rc_pingpong -g 0 -m $mtu -n 50 -c
done
wide pingpong 409600 ibv_rc_pingpong -g 0 -l 7 -n 50
wide pingpong 409600 ibv_rc_pingpong -g 0 -d mock0 -i 1 -n 50
# On demand: of one region, of all memory, and fetched before. (It wants -o or -O for -P.)
pingpong 409600 ibv_rc_pingpong -g 0 -o -n 50 -c
wide pingpong 409600 ibv_rc_pingpong -g 0 -o -e -N -n 50
wide pingpong 409600 ibv_rc_pingpong -g 0 -o -P -n 50 -c
pingpong 409600 ibv_rc_pingpong -g 0 -O -n 50 -c
wide pingpong 409600 ibv_rc_pingpong -g 0 -O -P -n 50 -e
wide pingpong 409600 ibv_rc_pingpong -g 0 -o -O -P -t -N -n 50
# Device memory. (It takes none on demand.)
pingpong 409600 ibv_rc_pingpong -g 0 -j -n 50 -c
wide pingpong 409600 ibv_rc_pingpong -g 0 -j -n 50 -e -N
wide pingpong 409600 ibv_rc_pingpong -g 0 -j -n 50 -t -c -N
wide pingpong 26214400 ibv_rc_pingpong -g 0 -j -n 50 -s 262144

# --- UC
pingpong 1638400 ibv_uc_pingpong -g 0 -n 200
pingpong 1638400 ibv_uc_pingpong -g 0 -n 200 -e
pingpong 2000 ibv_uc_pingpong -g 1 -s 1 -c
pingpong 104857600 ibv_uc_pingpong -g 0 -s 1048576 -n 50 -m 4096 -r 20
pingpong 1638400 ibv_uc_pingpong -g 0 -n 200 -l 3 -c -e
for mtu in 256 512 2048; do
	wide pingpong 409600 ibv_uc_pingpong -g 0 -m $mtu -n 50 -c
done
wide pingpong 409600 ibv_uc_pingpong -g 0 -d mock0 -i 1 -n 50

# --- UD
pingpong 409600 ibv_ud_pingpong -g 0 -s 1024 -n 200
pingpong 409600 ibv_ud_pingpong -g 0 -s 1024 -n 200 -e
pingpong 409600 ibv_ud_pingpong -g 1 -n 200 -c
pingpong 800 ibv_ud_pingpong -g 0 -s 4 -n 100 -r 10 -c -e -l 2
wide pingpong 100 ibv_ud_pingpong -g 0 -s 1 -n 50 -e
wide pingpong 102400 ibv_ud_pingpong -g 0 -s 1024 -n 50 -c
wide pingpong 102400 ibv_ud_pingpong -g 0 -d mock0 -i 1 -n 50 -r 1000

# --- an SRQ: sixteen QPs share one receive queue.
pingpong 8192000 ibv_srq_pingpong -g 0
pingpong 8192000 ibv_srq_pingpong -g 0 -e
pingpong 819200 ibv_srq_pingpong -g 0 -q 3 -r 20 -n 100 -c
wide pingpong 819200 ibv_srq_pingpong -g 0 -q 1 -n 100 -e
wide pingpong 819200 ibv_srq_pingpong -g 1 -q 64 -r 100 -n 100 -c
wide pingpong 819200 ibv_srq_pingpong -g 0 -o -n 100 -c
wide pingpong 819200 ibv_srq_pingpong -g 0 -o -n 100 -e -l 1
wide pingpong 209715200 ibv_srq_pingpong -g 0 -s 1048576 -m 4096 -n 100 -r 20
wide pingpong 200 ibv_srq_pingpong -g 0 -s 1 -n 100 -m 256 -d mock0 -i 1

# XRC: the server serves its clients over one target each, and they tell no figures.
xsrq_pingpong() {
	clients=$1
	shift
	port=$(free_port)
	spawn server mock ibv_xsrq_pingpong -c "$clients" "$@" -p "$port"
	until_true 10 _listening "$port" || fail "xsrq $*: the server does not listen"
	for i in $(seq "$clients"); do
		spawn "client$i" mock ibv_xsrq_pingpong "$@" -p "$port" 127.0.0.1
	done
	for i in $(seq "$clients"); do
		wait_exit "client$i"
		assert_eq 0 "$STATUS" "status of client $i, xsrq $*"
		assert_grep '^success$' "$(log_of "client$i")"
	done
	wait_exit server
	assert_eq 0 "$STATUS" "status of the server, xsrq $*"
	assert_grep '^success$' "$(log_of server)"
}
xsrq_pingpong 1 -g 0
xsrq_pingpong 3 -g 0 -n 20 -e
xsrq_pingpong 2 -g 1 -s 100000 -m 1024 -n 10
wide xsrq_pingpong 1 -g 0 -o -n 20
wide xsrq_pingpong 10 -g 0 -n 20
wide xsrq_pingpong 3 -g 0 -e -o -n 20 -l 1 -m 256
wide xsrq_pingpong 2 -g 0 -s 1 -n 50 -d mock0 -i 1
wide xsrq_pingpong 2 -g 0 -s 4194304 -m 4096 -n 5 -e
