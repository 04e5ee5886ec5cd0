#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# the three examples: they work on the mock, and without a device say so in one sentence
. "$(dirname "$0")/../lib.sh"
need openssl

ex=$BUILD/examples

# certificate NAME SUBJECT_ALT_NAMES
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$TEST_TMP/$1.key" -out "$TEST_TMP/$1.csr" 2>/dev/null
	echo "subjectAltName=$2" >"$TEST_TMP/$1.ext"
	openssl x509 -req -in "$TEST_TMP/$1.csr" -CA "$TEST_TMP/ca.pem" -CAkey "$TEST_TMP/ca.key" \
		-CAcreateserial -days 1 -extfile "$TEST_TMP/$1.ext" -out "$TEST_TMP/$1.pem" 2>/dev/null
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 1 \
	-keyout "$TEST_TMP/ca.key" -out "$TEST_TMP/ca.pem" 2>/dev/null
certificate server DNS:localhost,IP:127.0.0.1
certificate client URI:spiffe://test/client

run_client() { # PROGRAM ARG...
	_program=$1
	shift
	mock "$ex/$_program" "$TEST_TMP/client.pem" "$TEST_TMP/client.key" "$TEST_TMP/ca.pem" "$@"
}

port=$(free_port)
spawn server mock "$ex/minimal_server" "$TEST_TMP/server.pem" "$TEST_TMP/server.key" \
	"$TEST_TMP/ca.pem" "$port"
wait_for server "listening on port $port"

run_client minimal_client localhost "$port" 'hello, RDMA' >"$TEST_TMP/echo.log"
assert_grep 'PSNs [0-9a-f]{8} and [0-9a-f]{8} proven' "$TEST_TMP/echo.log"
assert_grep '^hello, RDMA$' "$TEST_TMP/echo.log"

run_client one_sided 127.0.0.1 "$port" >"$TEST_TMP/onesided.log"
assert_grep '^65536 bytes written and read back$' "$TEST_TMP/onesided.log"

wait_for server 'session 2: closed'
assert_grep 'session 1: this is spiffe://test/client' "$(log_of server)"

# Without the mock: where this machine has a real device there is nothing to show.
if [ -d /sys/class/infiniband ] && [ -n "$(ls /sys/class/infiniband)" ]; then
	echo "this machine has an RDMA device: the sentence about none is not tested"
	exit 0
fi
status=0
"$ex/minimal_client" "$TEST_TMP/client.pem" "$TEST_TMP/client.key" "$TEST_TMP/ca.pem" \
	localhost "$port" x >"$TEST_TMP/none.log" 2>&1 || status=$?
assert_eq 1 "$status" 'exit status without a device'
assert_grep 'no RDMA device on this machine.*mockrdma run' "$TEST_TMP/none.log"
assert_eq 1 "$(wc -l <"$TEST_TMP/none.log")" 'lines about it'
