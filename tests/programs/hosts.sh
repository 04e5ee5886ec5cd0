#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Programs on different hosts: packets, over IPv4 and IPv6, directly and through a router.
# timeout: 120
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need ibv_rc_pingpong ibv_uc_pingpong ibv_ud_pingpong ib_write_bw

hosts 3

export MOCKRDMA_PCAP="$TEST_TMP/%p.pcap"
across 2 10.77.1.2 ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 20
across 2 10.77.1.2 ibv_rc_pingpong -c -e -g "$GID_IPV6" -m 1024 -n 20
across 2 10.77.1.2 ibv_uc_pingpong -e -g "$GID_IPV4" -m 1024 -n 10
across 2 10.77.1.2 ibv_ud_pingpong -e -g "$GID_IPV4" -s 1000 -n 10
unset MOCKRDMA_PCAP
across 2 10.77.1.2 ibv_rc_pingpong -c -e -g "$GID_LINK" -m 1024 -n 20
across 3 10.77.2.2 ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 20
across 3 10.77.2.2 ibv_rc_pingpong -c -e -g "$GID_IPV6" -m 1024 -n 20
across 3 10.77.2.2 ib_write_bw -F -x "$GID_IPV4" -s 300000 -n 20 -m 1024

# Two programs on a host, which share its port, talk to two on the other.
one=$(free_port) other=$(free_port)
spawn_on 2 server_one "$one" mock ibv_rc_pingpong -c -g "$GID_IPV4" -m 1024 -n 30 -p "$one"
spawn_on 2 server_other "$other" mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 30 -p "$other"
on 1 spawn client_one mock ibv_rc_pingpong -c -g "$GID_IPV4" -m 1024 -n 30 -p "$one" 10.77.1.2
on 1 spawn client_other mock ibv_rc_pingpong -c -e -g "$GID_IPV4" -m 1024 -n 30 -p "$other" 10.77.1.2
for name in client_one client_other server_one server_other; do
	wait_exit "$name" 30
	assert_eq 0 "$STATUS" "$name"
done

command -v tshark >/dev/null || skip "all but Wireshark's opinion: tshark is not installed"
. "$(dirname "$0")/../tshark.sh"
for file in "$TEST_TMP"/*.pcap; do
	tshark_agrees "$file"
done
