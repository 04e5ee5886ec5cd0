#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's rping: one persistent server, many clients one after another and at once, over
# IPv4 and IPv6, with the data validated.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need rping

count=10

# client NAME ADDRESS OPTION...: the pings that it validates and shows are these.
client() {
	name=$1 address=$2
	shift 2
	spawn "$name" mock rping -c -v -V -C $count -a "$address" -p "$port" "$@"
}

expect_pings() {
	wait_exit "$1" 30
	assert_eq 0 "$STATUS" "status of $1"
	# Each ping's letters begin one further on.
	i=0
	for letters in ABCDEF BCDEFG CDEFGH DEFGHI EFGHIJ FGHIJK GHIJKL HIJKLM IJKLMN JKLMNO; do
		assert_grep "^ping data: rdma-ping-$i: $letters" "$(log_of "$1")"
		i=$((i + 1))
	done
	assert_eq "$count" "$i" pings
	assert_no_grep 'mismatch|error|cma event|wc status' "$(log_of "$1")"
}

port=$(free_port)
# Its buffer has to take the largest of its clients.
spawn server mock rping -s -P -v -V -S 10000 -a 127.0.0.1 -p "$port"
started() {
	mock rping -c -C 1 -a 127.0.0.1 -p "$port" >/dev/null 2>&1
}
until_true 10 started || fail "the server takes no client"

client one 127.0.0.1
expect_pings one
client large 127.0.0.1 -S 10000
expect_pings large
client own_qp 127.0.0.1 -q
expect_pings own_qp

# Eight connected at once. Each asks after the one before has its first answer: in Debian 12,
# rping's server forgets a request when the next one comes before a thread has taken it.
for i in 1 2 3 4 5 6 7 8; do
	client "many$i" 127.0.0.1 -C 1000000
	wait_for "many$i" '^ping data: rdma-ping-0: '
done
for i in 1 2 3 4 5 6 7 8; do
	wait_for "many$i" '^ping data: rdma-ping-100: '
	assert_no_grep 'mismatch|error|cma event|wc status' "$(log_of "many$i")"
done
for i in 1 2 3 4 5 6 7 8; do stop "many$i" KILL; done
client after 127.0.0.1
expect_pings after
stop server INT
assert_no_grep 'mismatch' "$(log_of server)"

# A server for one client ends with it.
port=$(free_port)
spawn once mock rping -s -v -V -C $count -a 0.0.0.0 -p "$port"
one_client() {
	mock rping -c -v -V -C $count -a 127.0.0.1 -p "$port" >"$TEST_TMP/one.log" 2>&1
}
until_true 10 one_client || fail "the server takes no client"
wait_exit once
assert_eq 0 "$STATUS" "status of the server for one client"
assert_grep "^server ping data: rdma-ping-9: " "$(log_of once)"

# IPv6, to a server that takes both.
port=$(free_port)
spawn six mock rping -s -P -v -V -a ::0 -p "$port"
started_six() {
	mock rping -c -C 1 -a ::1 -p "$port" >/dev/null 2>&1
}
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	until_true 10 started_six || fail "the IPv6 server takes no client"
	client client_six ::1
	expect_pings client_six
fi
stop six INT

# Nobody listens there: refused, and said so.
STATUS=0
mock rping -c -C 1 -a 127.0.0.1 -p "$(free_port)" >"$TEST_TMP/refused.log" 2>&1 || STATUS=$?
[ "$STATUS" != 0 ] || fail "a connection to nobody succeeded"
assert_grep 'REJECTED' "$TEST_TMP/refused.log"
