#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's udaddy: datagrams to a queue pair that the connection manager found.
# timeout: 60
# variants: plain asan tsan valgrind cov
. "$(dirname "$0")/../lib.sh"
need udaddy
sends_unwritten

# udaddy_pair CONNECTIONS MESSAGES SIZE; the program's port is its own.
udaddy_pair() {
	set -- -c "$1" -C "$2" -S "$3"
	spawn_listening server 7174 mock udaddy -b 127.0.0.1 "$@"
	expect 0 mock udaddy -s 127.0.0.1 "$@"
	assert_grep '^return status 0' "$OUT"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server"
	assert_grep '^return status 0' "$(log_of server)"
	assert_no_grep '[Ff]ail|ERROR' "$(log_of server)"
}

udaddy_pair 1 10 100
udaddy_pair 5 10 1000
udaddy_pair 40 1 64
