#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --reconnect: a client outlives its server. What it had of a file it goes on with, and nothing
# shows under any name before it is whole.
# timeout: 180
. "$(dirname "$0")/../session.sh"

log=$(log_of server)
small=$TEST_TMP/small
head -c 300000 /dev/urandom >"$small"

# again: a server at the same port as before.
again() {
	wait_exit server
	: >"$log"
	spawn server mock secure_server --listen "127.0.0.1:$PORT" --cert "$CERTS/server.pem" --key "$CERTS/server.key" \
		--ca "$CERTS/ca.pem" --export "data=$SHARE" --no-sync --log-level debug
	wait_for server 'listening on .*:[0-9]+'
}
# patient NAME ARG...: a client that tries again, in the background.
patient() {
	_name=$1
	shift
	(trap - EXIT; client --reconnect 30 --log-level warn --json "$@") >"$(log_of "$_name")" 2>&1 &
	eval "_pid_$_name=$!"
	_spawned="$_spawned $!"
}
# in_the_middle PROCESS DIRECTORY BYTES: what the process has there without a name has that many.
in_the_middle() {
	local fd
	for fd in $(pgrep -P "$1" secure_client | sed 's@.*@/proc/&/fd/*@') /proc/"$1"/fd/*; do
		case $(readlink "$fd") in "$2"/*) [ "$(stat -Lc %s "$fd")" -lt "$3" ] || return 0 ;; esac
	done
	return 1
}

# A get across a server that is killed: what came is not sent once more.
start_server --log-level debug
size=200000000
head -c "$size" /dev/urandom >"$SHARE/big"
mkdir "$TEST_TMP/got"
patient getting get data/big "$TEST_TMP/got/big" --no-sync
until_true 30 in_the_middle "$(pid_of getting)" "$TEST_TMP/got" 1000000 || fail "nothing arrives"
kill -KILL "$(pid_of server)"
again
assert_eq '' "$(find "$TEST_TMP/got" -type f ! -name big)" "what a broken get shows"
wait_exit getting 60
assert_eq 0 "$STATUS" "exit status of a get across a killed server"
cmp "$SHARE/big" "$TEST_TMP/got/big" || fail "the files differ"
assert_grep 'trying again in [0-9]+ ms \(1 of 30\)' "$(log_of getting)"
[ "$(json resumed_bytes "$(log_of getting)")" -ge 1000000 ] || fail "the get began anew"

# The file has become another meanwhile: it comes as a whole, and is the new one.
rm "$TEST_TMP/got/big"
patient getting get data/big "$TEST_TMP/got/big" --no-sync
until_true 30 in_the_middle "$(pid_of getting)" "$TEST_TMP/got" 1000000 || fail "nothing arrives"
kill -KILL "$(pid_of server)"
head -c "$size" /dev/urandom >"$TEST_TMP/other"
touch -d '2001-02-03' "$TEST_TMP/other"
mv "$TEST_TMP/other" "$SHARE/big"
again
wait_exit getting 60
assert_eq 0 "$STATUS" "exit status of a get of a file that changed"
cmp "$SHARE/big" "$TEST_TMP/got/big" || fail "the files differ"
assert_eq 0 "$(json resumed_bytes "$(log_of getting)")" "bytes of the old file"

# A put across a server that is killed: nothing of it survives there, and it is sent anew.
patient putting put "$SHARE/big" data/put
wait_for server "receiving 'data/put' begins" 30
kill -KILL "$(pid_of server)"
assert_eq '' "$(find "$SHARE" -type f ! -name big ! -name put)" "what a killed server left"
again
wait_exit putting 60
assert_eq 0 "$STATUS" "exit status of a put across a killed server"
cmp "$SHARE/big" "$SHARE/put" || fail "the files differ"

# Of what cannot be read again nothing is repeated.
mkfifo "$TEST_TMP/fifo"
(trap - EXIT; client --reconnect 30 put - data/pipe <"$TEST_TMP/fifo") >"$(log_of piping)" 2>&1 &
_pid_piping=$!
_spawned="$_spawned $!"
exec 8>"$TEST_TMP/fifo"
head -c 3000000 /dev/urandom >&8
wait_for server "receiving 'data/pipe' begins"
kill -KILL "$(pid_of server)"
wait_exit piping 30
assert_eq 1 "$STATUS" "exit status of a put of a pipe"
assert_grep "^secure_client: 'data/pipe' was not stored: server .* went away" "$(log_of piping)"
exec 8>&-

# No server: it is the limit that ends it, with the last reason; what another attempt would not change ends it at once.
wait_exit server
expect 1 client --reconnect 3 --log-level warn put "$small" data/small
assert_eq 3 "$(grep -c 'trying again' "$ERR")" "attempts"
assert_grep '^secure_client: .*refused the connection' "$ERR"
start_server
expect 1 client --reconnect 3 --log-level warn get data/nowhere "$TEST_TMP/nowhere"
assert_no_grep 'trying again' "$ERR"
expect 1 client_as expired-client --reconnect 3 --log-level warn ls
assert_no_grep 'trying again' "$ERR"
stop_server
