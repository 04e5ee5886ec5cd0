#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's udaddy: datagrams to a queue pair that the connection manager found.
# timeout: 60
# variants: plain asan tsan cov
. "$(dirname "$0")/../lib.sh"
need udaddy

# udaddy_pair CONNECTIONS MESSAGES SIZE
udaddy_pair() {
	spawn server mock udaddy -b 127.0.0.1 -c "$1" -C "$2" -S "$3"
	# What it prints stays in its buffer: the client is refused until the server listens.
	until_true 10 udaddy_client -c "$1" -C "$2" -S "$3" ||
		fail "the client does not succeed: $*"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server"
	assert_grep '^return status 0' "$(log_of server)"
	assert_no_grep '[Ff]ail|ERROR' "$(log_of server)"
}

udaddy_client() {
	mock udaddy -s 127.0.0.1 "$@" >"$TEST_TMP/client.log" 2>&1 &&
		grep -q '^return status 0' "$TEST_TMP/client.log"
}

udaddy_pair 1 10 100
udaddy_pair 5 10 1000
udaddy_pair 40 1 64
