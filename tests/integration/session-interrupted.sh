#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A side that goes away in the middle of a transfer: the other says so, and no part of a file
# is left under any name. Signals: the first one drains, the second one does not wait.
# timeout: 180
. "$(dirname "$0")/../session.sh"

log=$(log_of server)
fifo=$TEST_TMP/fifo
mkfifo "$fifo"

# half_a_put NAME: as client process NAME; what it sends comes from descriptor 8, which is
# open: it cannot end by itself.
half_a_put() {
	(trap - EXIT; client put - "data/$1" <"$fifo") >"$TEST_TMP/$1.log" 2>&1 &
	eval "_pid_$1=$!"
	_spawned="$_spawned $!"
	exec 8>"$fifo"
	head -c 3000000 /dev/urandom >&8
	wait_for server "receiving 'data/$1' begins"
}
nothing_left() {
	assert_eq '' "$(ls -A "$SHARE")" "what a broken transfer left"
}

# The server is killed.
start_server --log-level debug
half_a_put first
kill -KILL "$(pid_of server)"
wait_exit first 30
assert_eq 1 "$STATUS" "exit status of the client"
assert_grep "^secure_client: 'data/first' was not stored: server .* went away .*: repeat it when" "$(log_of first)"
exec 8>&-
nothing_left
wait_exit server
# … and another one starts on the same host at once.
start_server --log-level debug
expect 0 client ping -c 3

# The server goes in the middle of a get.
truncate -s 8G "$SHARE/huge"
(trap - EXIT; cd "$TEST_TMP"; mkdir got; client get data/huge got/huge) >"$TEST_TMP/getting.log" 2>&1 &
_pid_getting=$!
_spawned="$_spawned $!"
wait_for server "sending 'data/huge' begins"
kill -KILL "$(pid_of server)"
wait_exit getting 30
assert_eq 1 "$STATUS" "exit status of the client"
assert_grep "^secure_client: 'got/huge' was not stored: server .* went away" "$(log_of getting)"
assert_eq '' "$(ls -A "$TEST_TMP/got")" "what a broken get left"
rm "$SHARE/huge"
wait_exit server

# The client is killed: the server says so and serves the next one.
start_server --log-level debug
half_a_put second
pkill -KILL -P "$(pid_of second)" secure_client || kill -KILL "$(pid_of second)"
wait_for server "WARN .*'data/second' not received: client .* went away"
exec 8>&-
nothing_left
expect 0 client ping -c 3

# The client is interrupted: it tells the server.
half_a_put third
pkill -INT -P "$(pid_of third)" secure_client || kill -INT "$(pid_of third)"
wait_exit third 30
assert_eq 1 "$STATUS" "exit status of an interrupted client"
assert_grep "^secure_client: 'data/third' was not stored: interrupted" "$(log_of third)"
wait_for server "'data/third' not received: "
exec 8>&-
nothing_left

# SIGTERM: what is under way ends, nobody new comes in.
half_a_put fourth
kill -TERM "$(pid_of server)"
wait_for server 'SIGTERM: stopping'
refused 1 'refused the connection' client ping
head -c 1000000 /dev/zero >&8
exec 8>&-
wait_exit fourth 30
assert_eq 0 "$STATUS" "exit status of a client whose transfer may end"
wait_exit server 30
assert_eq 0 "$STATUS" "exit status of the server"
assert_grep "received 'data/fourth'" "$log"
assert_eq 4000000 "$(stat -c %s "$SHARE/fourth")" "bytes of the file"
rm "$SHARE/fourth"

# SIGINT does the same, and a session without work does not hold it up.
start_server --log-level debug
(trap - EXIT; client shell <"$fifo") >"$TEST_TMP/idler.log" 2>&1 &
_pid_idler=$!
_spawned="$_spawned $!"
exec 8>"$fifo"
wait_for server 'session#1 client: established'
stop server INT 10
assert_eq 0 "$STATUS" "exit status after SIGINT"
wait_exit idler 10
assert_grep 'the server close[sd] the session' "$(log_of idler)"
exec 8>&-

# A second signal does not wait.
start_server --log-level debug
half_a_put fifth
kill -TERM "$(pid_of server)"
wait_for server 'SIGTERM: stopping'
stop server TERM 5
assert_eq 1 "$STATUS" "exit status after the second signal"
assert_grep 'ended at once' "$log"
wait_exit fifth 30
assert_eq 1 "$STATUS" "exit status of a client that was cut"
exec 8>&-
nothing_left

# One that stands still is not waited for beyond --drain-timeout …
start_server --log-level debug --drain-timeout 1s
half_a_put sixth
stop server TERM 20
assert_eq 0 "$STATUS" "exit status"
assert_grep 'cut 1 sessions that were still busy' "$log"
wait_exit sixth 30
assert_grep '^secure_client: .*the server is being stopped' "$(log_of sixth)"
exec 8>&-
# … nor in ordinary times beyond --idle-timeout.
start_server --log-level debug --idle-timeout 1s
half_a_put seventh
wait_exit seventh 30
assert_eq 1 "$STATUS" "exit status of a client that stood still"
assert_grep 'idle-timeout' "$(log_of seventh)"
exec 8>&-
nothing_left
stop_server
