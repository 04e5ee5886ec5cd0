#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's mckey: datagrams to a multicast group that the connection manager joined.
# timeout: 90
# variants: plain asan tsan valgrind cov
. "$(dirname "$0")/../lib.sh"
need mckey
sends_unwritten

# mckey takes 3 s before it sends, so several go at once; a receiver waits for good when it
# missed a message, so each sender goes on until its receiver has all.
receive() {
	name=$1
	shift
	spawn "receive_$name" mock mckey "$@"
}

send_until_gone() {
	name=$1
	shift
	mock mckey -s "$@" >"$TEST_TMP/send_$name.log" 2>&1 || return 1
	until_true 2 _gone "$(pid_of "receive_$name")"
}

joined() {
	wait_exit "receive_$1" 20
	assert_eq 0 "$STATUS" "status of the receiver in group $1"
	assert_grep "joined dgid: $2" "$(log_of "receive_$1")"
	assert_grep '^data transfers complete' "$(log_of "receive_$1")"
	assert_grep '^return status 0' "$TEST_TMP/send_$1.log"
}

ipv4="-m 239.7.7.1 -b 127.0.0.1 -C 5 -S 200"
unmapped="-M ff12:601b:ffff::1 -b 127.0.0.1 -C 3"
many="-m 239.7.7.2 -b 127.0.0.1 -c 3 -C 4 -S 1000"
# shellcheck disable=SC2086
receive ipv4 $ipv4
# shellcheck disable=SC2086
receive unmapped $unmapped
# shellcheck disable=SC2086
receive many $many
# shellcheck disable=SC2086
until_true 30 send_until_gone ipv4 $ipv4 &
sender=$!
# shellcheck disable=SC2086
until_true 30 send_until_gone unmapped $unmapped &
unmapped_sender=$!
# Send-only is being no receiver.
mock mckey -m 239.7.7.3 -b 127.0.0.1 -o -s -C 0 >"$TEST_TMP/only.log" 2>&1 &
only=$!
# shellcheck disable=SC2086
until_true 30 send_until_gone many $many || fail "mckey does not reach its group"
wait $sender || fail "mckey does not reach its group"
wait $unmapped_sender || fail "mckey -M does not reach its group"
joined ipv4 ::ffff:239.7.7.1
joined many ::ffff:239.7.7.2
joined unmapped ff12:601b:ffff::1
wait $only || fail "mckey -o: status $?"
assert_grep 'joined dgid: ::ffff:239.7.7.3' "$TEST_TMP/only.log"
