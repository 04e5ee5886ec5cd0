#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Three hosts in a row, whose networks delay, lose and repeat packets: by the kernel's netem where it has
# that, else by the settings. In the middle of a transfer through the host between them the far
# link goes down and comes back, and a program there is killed.
# timeout: 180
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need rping ibv_rc_pingpong ib_write_bw

hosts 3
for end in "1 wire1" "2 wire1" "2 wire2" "3 wire2"; do
	# shellcheck disable=SC2086
	netem $end delay 1ms 500us loss 2% duplicate 2% || {
		a_bad_network
		export MOCKRDMA_DELAY=1ms
		break
	}
done
export MOCKRDMA_CM_TIMEOUT=200

# Two at once, to two hosts: one goes through the other's.
on 3 spawn_listening far_server 7174 mock rping -s -a 10.77.2.2 -C 40 -S 3000 -V
on 2 spawn_listening near_server 7175 mock rping -s -a 10.77.1.2 -p 7175 -C 25 -S 3000 -V
on 1 spawn near mock rping -c -a 10.77.1.2 -p 7175 -C 25 -S 3000 -V
on 1 spawn far mock rping -c -a 10.77.2.2 -C 40 -S 3000 -V
sent() {
	_sent=$(counter 3 net_sent_pkts)
	[ "${_sent:-0}" -gt 30 ]
}
until_true 30 sent || fail "nothing comes through host 2"
on 2 ip link set wire2 down
sleep 0.2
on 2 ip link set wire2 up
for name in near far near_server far_server; do
	wait_exit $name 60
	assert_eq 0 "$STATUS" "status of $name"
	assert_no_grep 'mismatch|error|failed' "$(log_of $name)"
done

across 3 10.77.2.2 ib_write_bw -F -x "$GID_IPV4" -m 1024 -s 100000 -n 10

# Nobody speaks for a program that was killed; who sends to it learns of it by itself.
port=$(free_port)
spawn_on 3 server "$port" mock ib_write_bw -F -x "$GID_IPV4" -m 1024 -s 65536 -n 200000 -p "$port"
before=$(counter 1 net_sent_pkts)
on 1 spawn client mock ib_write_bw -F -x "$GID_IPV4" -m 1024 -s 65536 -n 200000 -p "$port" 10.77.2.2
sends() {
	_sent=$(counter 1 net_sent_pkts)
	[ "${_sent:-0}" -gt "$((${before:-0} + 300))" ]
}
until_true 30 sends || fail "ib_write_bw sends nothing"
stop server KILL
wait_for client 'Completion with error|Failed status 12' 60
wait_exit client 30
[ "$STATUS" != 0 ] || fail "it does not tell that its peer is gone"
