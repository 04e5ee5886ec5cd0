#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Multicast groups by verbs alone, between hosts: who calls ibv_attach_mcast() is in the IP group on the
# networks of its device until it detaches or ends, and gets what other hosts send there.
# variants: plain asan
. "$(dirname "$0")/../hosts.sh"
member=$BUILD/tests/programs/group_member
[ -x "$member" ] || skip "$member is not built"
hosts 2

is_in() {
	on 2 ip maddress show dev wire1 | grep -qw "$1"
}
is_out() {
	! is_in "$1"
}

for group in "239.7.7.7 $GID_IPV4" "ff15::77 $GID_IPV6"; do
	address=${group% *}
	for name in first second; do
		# shellcheck disable=SC2086
		on 2 spawn $name mock "$member" $group receive 3
		wait_for $name attached
	done
	is_in "$address" || fail "host 2 is not in $address"
	# What the other relays to it, which then ends, waits for one that was stopped.
	kill -STOP "$(pid_of first)"
	# shellcheck disable=SC2086
	expect 0 on 1 mock "$member" $group send 3
	for name in second first; do
		wait_exit $name
		assert_eq 0 "$STATUS" "status of the $name member of $address"
		kill -CONT "$(pid_of first)" 2>/dev/null || :
	done
	is_out "$address" || fail "host 2 stays in $address"
	# shellcheck disable=SC2086
	on 2 spawn killed mock "$member" $group receive 1
	wait_for killed attached
	is_in "$address" || fail "host 2 is not in $address again"
	stop killed KILL
	until_true 10 is_out "$address" || fail "host 2 stays in $address for one that was killed"
done
