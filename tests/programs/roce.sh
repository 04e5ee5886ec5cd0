#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Between hosts: Debian's pingpongs and perftest on two hosts, and between two processes of one host
# with MOCKRDMA_LINK=roce; with a network that loses, repeats, disorders and spoils packets, too.
# timeout: 180
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need ibv_rc_pingpong ib_write_lat ib_send_bw ib_read_bw ib_atomic_lat

hosts 2
# two PROGRAM OPTION...: between them
two() {
	across 2 10.77.1.2 "$@"
}
pingpong() {
	two "$@" -g "$GID_IPV4"
}
perf() {
	two "$@" -x "$GID_IPV4"
}

pingpong ibv_rc_pingpong -n 200 -c
pingpong ibv_rc_pingpong -n 10 -s 1000000 -c
pingpong ibv_uc_pingpong -n 100 -c
pingpong ibv_ud_pingpong -n 100 -s 1024 -c
wide pingpong ibv_srq_pingpong -n 200 -c
perf ib_write_lat -n 200
wide perf ib_read_lat -n 200
perf ib_atomic_lat -n 200
perf ib_send_bw -n 200 -s 65536
wide perf ib_write_bw -n 200 -s 65536
perf ib_read_bw -n 200 -s 65536
perf ib_send_bw -c XRC -n 200 -s 4096
wide perf ib_send_lat -c UD -n 200 -s 64

# On one host, by packets all the same.
export MOCKRDMA_LINK=roce
across 1 127.0.0.1 ibv_rc_pingpong -g 0 -n 200 -c
wide across 1 127.0.0.1 ib_read_bw -n 200 -s 65536

a_bad_network
pingpong ibv_rc_pingpong -n 50 -c
perf ib_read_bw -n 10 -s 16384
wide perf ib_atomic_lat -n 20
