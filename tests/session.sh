# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# For test scripts about secure_server and secure_client, in place of lib.sh: certificates,
# a server on the mock, clients.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need openssl

CERTS=$TEST_TMP/certs
SHARE=$TEST_TMP/share
mkdir -p "$SHARE"
"$TOP/scripts/make-certs.sh" -x -s localhost -s 127.0.0.1 "$CERTS"
"$TOP/scripts/make-certs.sh" -c client "$TEST_TMP/foreign"

# shellcheck disable=SC2120 # most tests have no further options
# start_server [OPTION...]: as `server`, at a free port, in $PORT, sharing $SHARE as data.
start_server() {
	: >"$(log_of server)" # of one before
	spawn server mock secure_server --listen 127.0.0.1:0 --cert "$CERTS/server.pem" \
		--key "$CERTS/server.key" --ca "$CERTS/ca.pem" --export "data=$SHARE" \
		--handshake-timeout "$(_scaled 10)s" "$@"
	wait_for server 'listening on .*:[0-9]+'
	PORT=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$(log_of server)")
}

# stop_server: it ends cleanly, and has nothing left.
stop_server() {
	kill -TERM "$(pid_of server)" 2>/dev/null || :
	server_ends
}

# server_ends: by itself, with nothing left open.
server_ends() {
	wait_exit server 30
	assert_eq 0 "$STATUS" "exit status of the server"
	assert_grep 'stopped: ' "$(log_of server)"
	assert_grep 'left open: 0 sessions, 0 QPs, 0 MRs, 0 PDs, 0 CQs, 0 SRQs, 0 CM ids, 0 device contexts, 0 MWs' "$(log_of server)"
}

# client_as NAME ARG...: with the certificate of that name; at 127.0.0.1 and $PORT.
client_as() {
	_as=$1
	shift
	mock secure_client --cert "$CERTS/$_as.pem" --key "$CERTS/$_as.key" --ca "$CERTS/ca.pem" \
		"127.0.0.1:$PORT" "$@"
}

client() {
	client_as client "$@"
}

# refused STATUS REGEX COMMAND...: it fails with one sentence on standard error that matches.
refused() {
	_status=$1 _regex=$2
	shift 2
	expect "$_status" "$@"
	assert_grep "$_regex" "$ERR"
	assert_eq 1 "$(grep -c '^secure_client: ' "$ERR")" "sentences about what went wrong"
}

# on_terminal ARG...: the client on a terminal of its own, with our standard input.
on_terminal() {
	{
		echo '#!/bin/sh'
		echo "LD_PRELOAD=$TEST_PRELOAD exec '$BUILD/bin/mockrdma' run -- '$BUILD/bin/secure_client' \\"
		echo "--cert '$CERTS/client.pem' --key '$CERTS/client.key' --ca '$CERTS/ca.pem' \\"
		echo "127.0.0.1:$PORT $*"
	} >"$TEST_TMP/on_terminal"
	chmod +x "$TEST_TMP/on_terminal"
	script -qec "$TEST_TMP/on_terminal" /dev/null
}

# json KEY FILE: the value of a scalar member, wherever it is in the object.
json() {
	sed -nE "s/.*\"$1\":\"?([^\",}]*)[\",}].*/\1/p" "$2"
}
