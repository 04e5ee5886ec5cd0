#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# secure_client bench: many sessions at a time, what it says of them, and what it says when some fail.
# timeout: 120
# variants: plain asan tsan cov
. "$(dirname "$0")/../session.sh"

# number KEY: of the JSON object in $OUT
number() {
	json "$1" "$OUT"
}

# --- all is well --------------------------------------------------------------------------
start_server
expect 0 client --json bench --clients 50 --processes 3 --opening 8 --for 300ms --size 1000 \
	--report "$TEST_TMP/page.html" --server-pid "$(pid_of server)"
assert_eq 50 "$(number established)" "sessions established"
assert_eq 0 "$(number failed)" "sessions that failed"
assert_eq 0 "$(number lost)" "sessions lost"
assert_eq 1000 "$(number message_size)" "bytes of a message"
assert_eq 50 "$(grep -c 'established from' "$(log_of server)")" "sessions that the server had"
[ "$(number messages)" -ge 50 ] || fail "each session sends a message at least: $(cat "$OUT")"
awk -v all="$(cat "$OUT")" 'BEGIN {
	exit !(match(all, /"round_trip_ms":\{[^}]*\}/) && split(substr(all, RSTART, RLENGTH), part, /[:,}]/) && part[3] > 0)
}' || fail "no round trip: $(cat "$OUT")"
[ "$(json server_bytes_per_session "$OUT" | cut -d. -f1)" -gt 0 ] || fail "the server's memory: $(cat "$OUT")"
assert_eq 3 "$(grep -c '</svg>' "$TEST_TMP/page.html")" "plots"
assert_eq 1 "$(grep -c '</html>' "$TEST_TMP/page.html")" "pages"
! grep -qE 'https?:|src=|href=' "$TEST_TMP/page.html" || fail "the page refers to something else"

expect 0 client bench --clients 4 --for 0s
assert_grep '^4 of 4 sessions from 2 processes, in .* 0 failed, 0 lost$' "$OUT"
! grep -q messages "$OUT" || fail "none were to be sent"

# One message of four in an hour, each at its own time, is one at the beginning.
expect 0 client --json bench --clients 4 --processes 1 --interval 1h --for 300ms
assert_eq 1 "$(number messages)" "messages, one an hour in each session"

# As large as the server takes them, which is more than sessions usually do.
expect 0 client --json bench --clients 2 --processes 1 --for 100ms --size 65000
assert_eq 65000 "$(number message_size)" "bytes of a message"
[ "$(number messages)" -ge 2 ] || fail "large messages come back: $(cat "$OUT")"
refused 1 'a message of 70008 bytes: .* takes at most 65536' client bench --clients 1 --for 100ms --size 70000

# --- and when it is not -------------------------------------------------------------------
refused 2 'need [0-9]+ descriptors, and it may have [0-9]+: raise --processes' client bench --clients 1000000 --processes 1
refused 1 "cannot write '/nowhere/page.html'" client bench --clients 2 --for 0s --report /nowhere/page.html
refused 1 '[-]-server-pid: cannot read /proc/2147483647/' client bench --clients 2 --server-pid 2147483647
refused 1 '4 of 4 sessions failed, 0 were lost; the first: .*certificate' client_as expired-client bench --clients 4

spawn busy mock secure_client --cert "$CERTS/client.pem" --key "$CERTS/client.key" --ca "$CERTS/ca.pem" \
	"127.0.0.1:$PORT" bench --clients 10 --for 60s
all_there() {
	[ "$(grep -c 'established from' "$(log_of server)")" = "$1" ]
}
until_true 30 all_there 73 || fail "the sessions do not come"
stop server KILL 30
wait_exit busy 30
[ "$STATUS" = 1 ] || fail "exit status $STATUS when the server is gone"
assert_grep 'secure_client: 0 of 10 sessions failed, 10 were lost; the first: ' "$(log_of busy)"
refused 1 '4 of 4 sessions failed, 0 were lost; the first: .*refused' client bench --clients 4

start_server --max-sessions 3
expect 1 client --json bench --clients 6 --for 100ms
assert_eq 3 "$(number established)" "sessions that there is room for"
assert_eq 3 "$(number failed)" "those that there is none for"
stop_server
