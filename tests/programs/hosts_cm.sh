#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's programs of librdmacm between two hosts: connections, datagrams and groups, IPv4
# and IPv6, and how they fail. Not under TSan: udaddy has all its receives in one buffer, and reads one message
# there while the next arrives.
# timeout: 120
# variants: plain asan cov
. "$(dirname "$0")/../hosts.sh"
need rping ucmatose udaddy rdma_server rdma_client mckey
hosts 2

for address in 10.77.1.2 fd77:1::2; do
	on 2 spawn_listening server 7174 mock rping -s -a "$address" -C 3 -v
	served server rping -c -a "$address" -C 3 -v
	assert_grep 'ping data: rdma-ping-2' "$OUT"
	assert_grep 'server ping data: rdma-ping-2' "$(log_of server)"

	on 2 spawn_listening server 7174 mock udaddy -b "$address" -c 3
	served server udaddy -s "$address" -c 3
	assert_grep '^return status 0' "$OUT"
done

on 2 spawn_listening server 7471 mock ucmatose -c 5 -C 3 -S 5000
served server ucmatose -s 10.77.1.2 -c 5 -C 3 -S 5000
assert_grep '^return status 0' "$OUT"
on 2 spawn_listening server 7471 mock rdma_server
served server rdma_client -s 10.77.1.2

# A group: whoever is in it on the other host gets what is sent.
name=0
is_member() {
	$_in ip maddress show dev wire1 | grep -qw "$1"
}

# The sender waits for seconds before it sends: so both at once.
for family in 239.7.7.7,10.77.1. ff15::77,fd77:1::; do
	group=${family%,*} network=${family#*,} name=$((name + 1))
	on 2 spawn "member_$name" mock mckey -m "$group" -b "${network}2" -C 3
	until_true 10 on 2 is_member "$group" || fail "nobody joins $group"
	on 1 spawn "sender_$name" mock mckey -m "$group" -b "${network}1" -C 3 -s
done
for end in sender_1 sender_2 member_1 member_2; do
	wait_exit "$end" 30
	assert_eq 0 "$STATUS" "status of $end"
done

# rping's status says nothing of it.
fails_with() {
	on 1 mock rping -c -a "$1" -C 1 >"$TEST_TMP/failing.log" 2>&1 || :
	assert_grep "$2" "$(log_of failing)"
}

# Nobody is on that host; nobody listens there; there is no such way.
export MOCKRDMA_CM_TIMEOUT=50 MOCKRDMA_CM_RETRIES=2
fails_with 10.77.1.2 'RDMA_CM_EVENT_UNREACHABLE, error -110'
on 2 spawn_listening server 7471 mock rdma_server
fails_with 10.77.1.2 'RDMA_CM_EVENT_REJECTED, error 8'
stop server
fails_with 192.0.2.1 'RDMA_CM_EVENT_ADDR_ERROR, error -101'
