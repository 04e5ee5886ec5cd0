#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who is not who they should be gets no session, and both sides say why and what to do.
# timeout: 120
. "$(dirname "$0")/../session.sh"

# shellcheck disable=SC2119
start_server
log=$(log_of server)

# both CLIENT-REGEX SERVER-REGEX COMMAND...: refused, with these sentences
both() {
	local client_says=$1 server_says=$2
	shift 2
	refused 1 "$client_says" "$@"
	until_true 5 grep -qE -e "WARN .*no session: .*$server_says" "$log" ||
		fail "the server's log has no '$server_says'"
}
with() { # DIR-OF-CA CERTIFICATE
	mock secure_client --ca "$1/ca.pem" --cert "$2.pem" --key "$2.key" "127.0.0.1:$PORT" "${@:3}"
}

both 'requires a certificate .*--cert, --key' 'sent no certificate' \
	mock secure_client --ca "$CERTS/ca.pem" "127.0.0.1:$PORT" ping
both 'does not trust the CA of our certificate: .*--ca' 'not signed by a CA that we trust' \
	with "$CERTS" "$TEST_TMP/foreign/client" ping
both 'not signed by a CA that we trust: .*--ca' 'does not trust the CA of our certificate' \
	with "$TEST_TMP/foreign" "$CERTS/client" ping
both 'our certificate is expired .*renew' 'has expired: it must be renewed' \
	client_as expired-client ping
both "is for 'localhost', not for 'example.org': .*--server-name" 'it is for another name' \
	client --server-name example.org ping
both 'not accept our certificate for this purpose' 'is not for this purpose' \
	client_as server ping

# Refusals cost the server nothing, and the next client is served.
expect 0 client ping -c 3
expect 0 client --server-name localhost ping -c 3
stop_server
assert_grep 'served 2 sessions \(0 failed\), refused 6' "$log"

# The other way round: the server's certificate.
spawn server mock secure_server --listen 127.0.0.1:0 --cert "$CERTS/expired-server.pem" \
	--key "$CERTS/expired-server.key" --ca "$CERTS/ca.pem"
wait_for server 'listening on'
PORT=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
assert_grep 'expired-server.pem. has expired: peers will refuse it' "$log"
both 'the certificate of server .* has expired' 'our certificate is expired' client ping
stop_server

# What can be said without the other side.
server() {
	mock secure_server --listen 127.0.0.1:0 "$@"
}
expect 2 server
assert_grep 'no --cert: .*--cert FILE, --key FILE and --ca FILE' "$ERR"
expect 2 mock secure_client localhost ping
assert_grep 'no --ca: ' "$ERR"
expect 1 server --cert "$CERTS/missing.pem" --key "$CERTS/server.key" --ca "$CERTS/ca.pem"
assert_grep "cannot read the certificate file .*missing.pem.: No such file" "$ERR"
expect 1 server --cert "$CERTS/server.pem" --key "$CERTS/client.key" --ca "$CERTS/ca.pem"
assert_grep 'client.key. does not belong to the certificate' "$ERR"
expect 1 client --key "$CERTS/server.key" ping
assert_grep 'server.key. does not belong to the certificate' "$ERR"
expect 1 client --ca "$CERTS/client.key" ping
assert_grep 'CA file .*client.key. is not usable .*PEM' "$ERR"

# No private key is ever in a log.
for key in "$CERTS"/*.key; do
	assert_no_grep "$(sed -n 2p "$key")" "$log"
done
