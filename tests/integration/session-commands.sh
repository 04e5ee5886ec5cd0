#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ping, send, write, read, ls and the shell, for people and for programs; direct and cm.
# timeout: 120
. "$(dirname "$0")/../session.sh"

start_server --scratch 64k
log=$(log_of server)

# connected HOW ARG...: everything that a session can do, on a queue pair connected so
session() {
	expect 0 client "$@" --json ping -c 20 -s 1000
	assert_grep '"ok":true' "$OUT"
	assert_eq 20 "$(json count "$OUT")" pings
	awk -v min="$(json min "$OUT")" -v p50="$(json p50 "$OUT")" -v p90="$(json p90 "$OUT")" \
		-v p99="$(json p99 "$OUT")" -v max="$(json max "$OUT")" \
		'BEGIN { exit !(0 < min && min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max) }' ||
		fail "percentiles out of order: $(cat "$OUT")"
	for check in tls psn_in_force proof_received proof_accepted psn_exchanged; do
		assert_eq true "$(json $check "$OUT")" "$check"
	done
	assert_eq mock0 "$(json device "$OUT")" device
	assert_eq localhost "$(json server "$OUT")" "the server's identity"
	# What one side calls its own PSN is the other's peer's.
	ours=$(json psn_local "$OUT") theirs=$(json psn_peer "$OUT")
	assert_grep "INFO +session#[0-9]+ client: .*PSN hashes: ours $theirs, theirs $ours, proof verified" "$log"

	expect 0 client "$@" send 'grüße "über" RDMA'
	assert_grep 'the server sent them back .*: grüße "über" RDMA$' "$OUT"

	expect 0 client "$@" write --offset 100 --text 'one-sided'
	assert_grep 'wrote 9 bytes at 100' "$OUT"
	head -c 65536 /dev/urandom >"$TEST_TMP/random"
	expect 0 client "$@" --json write --file "$TEST_TMP/random"
	assert_eq "$(sha256sum <"$TEST_TMP/random" | cut -d' ' -f1)" "$(json sha256 "$OUT")" SHA-256
	assert_eq true "$(json verified "$OUT")" "the server's own view"
	expect 0 client "$@" read --length 4 # a fresh region: no one else's bytes
	assert_eq 00000000 "$(od -An -tx1 "$OUT" | tr -d ' \n')" "what a new session reads"
}
session
how=$(json connect "$OUT")
assert_eq '' "$how" "no JSON where none was asked for"
expect 0 client --json ping -c 1
assert_eq direct "$(json connect "$OUT")" connection
session --connect cm
expect 0 client --connect cm --json ping -c 1
assert_eq cm "$(json connect "$OUT")" connection

# How messages are protected is what both sides allow, and both say what it is.
stop_server
start_server --data-protection sealed,none
log=$(log_of server)
for how in aes-256-gcm chacha20-poly1305 none; do
	expect 0 client --data-protection=$how --json write --file "$TEST_TMP/random"
	assert_eq $how "$(json protection "$OUT")" "protection that the client tells of"
	assert_eq true "$(json verified "$OUT")" "what was written, $how"
	expect 0 client --data-protection=$how read --length 4
	assert_grep "established from .*data protection $how," "$log"
done
expect 0 client --data-protection=none,sealed --json ping -c 1
assert_no_grep none - <<<"$(json protection "$OUT")" # the server takes the seal
stop_server
start_server
refused 1 'no data protection that is allowed here: messages must be sealed' client --data-protection=none ping -c 1
stop_server
start_server --data-protection none
refused 1 'no data protection that is allowed here: messages are not sealed here' client ping -c 1
stop_server
start_server --scratch 64k
# Outside of the region nothing happens, and the session goes on.
printf '%s\n' 'write --offset 65530 --text 0123456789' 'write --offset 65526 --text 0123456789' \
	'read --offset 65526 --length 10' | client shell >"$TEST_TMP/out" 2>"$TEST_TMP/err" && STATUS=0 || STATUS=$?
assert_eq 1 "$STATUS" "exit status of a shell with a failed command"
assert_grep 'the scratch region has 65536 bytes: offset and length go past its end' "$TEST_TMP/err"
assert_grep '^0123456789$|0123456789' "$TEST_TMP/out"

# The shell from a pipe: no prompt, quoting, comments, errors that do not end it, quit.
printf '%s\n' '# a comment' "send 'two words'" 'send "a \"b\""' nonsense 'send' help quit 'send never' |
	client shell >"$TEST_TMP/out" 2>"$TEST_TMP/err" && STATUS=0 || STATUS=$?
assert_eq 1 "$STATUS" "exit status of a shell with a failed command"
assert_grep 'sent them back .*: two words$' "$TEST_TMP/out"
assert_grep 'sent them back .*: a "b"$' "$TEST_TMP/out"
assert_grep "no command 'nonsense'" "$TEST_TMP/err"
assert_grep 'send: the arguments are: TEXT' "$TEST_TMP/err"
assert_grep '^  quit$' "$TEST_TMP/out"
assert_no_grep 'never|srdma>' "$TEST_TMP/out"
printf 'send without a newline at its end' | sed 's/send \(.*\)/send "\1"/' | client --json shell >"$TEST_TMP/out"
assert_grep '"command":"send","ok":true.*"echo":"without a newline at its end"' "$TEST_TMP/out"
printf 'write --text hello\nread --length 5\n' | client --json shell >"$TEST_TMP/out"
assert_grep '"command":"read","ok":true.*"hex":"68656c6c6f"' "$TEST_TMP/out"

# On a terminal there is a prompt.
if command -v script >/dev/null; then
	printf 'send hi\nquit\n' | on_terminal shell >"$TEST_TMP/out"
	assert_grep 'srdma> ' "$TEST_TMP/out"
	assert_grep 'sent them back .*: hi' "$TEST_TMP/out"
fi

expect 0 client ls
assert_grep '^export +data$' "$OUT"
stop_server
