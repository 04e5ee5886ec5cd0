#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Between hosts whose network loses, repeats, reorders and corrupts packets, programs finish
# with the right data.
# timeout: 240
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need ibv_rc_pingpong ib_write_bw ib_read_lat ib_atomic_lat rping ucmatose

hosts 2
a_bad_network

# Its client ends with its last receive. When the acknowledgement of that is lost, nobody is there
# to send another, and the server's last send cannot end well: that alone is allowed.
port=$(free_port)
spawn_on 2 server "$port" mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 50 -p "$port"
expect 0 on 1 mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 50 -p "$port" 10.77.1.2
assert_no_grep 'invalid data' "$OUT"
wait_exit server 60
[ "$STATUS" = 0 ] || assert_grep 'transport retry counter exceeded' "$(log_of server)"
assert_no_grep 'invalid data' "$(log_of server)"

across 2 10.77.1.2 ib_write_bw -F -x "$GID_IPV4" -m 1024 -s 100000 -n 30
across 2 10.77.1.2 ib_read_lat -F -x "$GID_IPV4" -m 1024 -s 5000 -n 30
across 2 10.77.1.2 ib_atomic_lat -F -x "$GID_IPV4" -n 30
across 2 10.77.1.2 ib_send_bw -F -x "$GID_IPV4" -m 1024 -s 20000 -n 30

# rping compares what came with what it sent.
on 2 spawn_listening server 7174 mock rping -s -a 10.77.1.2 -C 5 -v -V
served server rping -c -a 10.77.1.2 -C 5 -v -V
on 2 spawn_listening server 7471 mock ucmatose -c 3 -C 5 -S 5000
served server ucmatose -s 10.77.1.2 -c 3 -C 5 -S 5000
assert_grep '^return status 0' "$OUT"
