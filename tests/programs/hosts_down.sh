#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The link between two hosts goes down and comes back in the middle of a transfer, which goes on
# and ends with the right data.
# timeout: 120
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need rping

hosts 2
# sent MORE-THAN
sent() {
	_sent=$(counter 1 net_sent_pkts)
	[ "${_sent:-0}" -gt "$1" ]
}

# rping compares what came with what it sent, and waits for each answer.
on 2 spawn_listening server 7174 mock rping -s -a 10.77.1.2 -C 20000 -S 4000 -V
on 1 spawn client mock rping -c -a 10.77.1.2 -C 20000 -S 4000 -V
until_true 20 sent 1000 || fail "nothing is sent"
for _round in 1 2; do
	on 1 ip link set wire1 down
	sleep 0.2
	on 1 ip link set wire1 up
	until_true 20 sent "$(($(counter 1 net_sent_pkts) + 500))" || fail "it does not go on"
	! _gone "$(pid_of client)" || fail "the client ended"
done
stop client INT
stop server INT
assert_no_grep 'error|mismatch|wc.status|failed' "$(log_of client)"
