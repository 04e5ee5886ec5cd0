#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# SIGHUP: new keys without a session lost, a revoked client gone while it pings; what the server offers over
# TLS, by openssl's own client.
# timeout: 180
. "$(dirname "$0")/../session.sh"

"$TOP/scripts/make-certs.sh" -s 127.0.0.1 -c first -c second "$CERTS"
cat >"$TEST_TMP/ca.cnf" <<END
[ca]
default_ca = here
[here]
database = $TEST_TMP/index
default_md = sha256
default_crl_days = 1
END
: >"$TEST_TMP/index"
authority() {
	openssl ca -config "$TEST_TMP/ca.cnf" -cert "$CERTS/ca.pem" -keyfile "$CERTS/ca.key" "$@" 2>>"$TEST_TMP/openssl.log"
}
list() { authority -gencrl -out "$TEST_TMP/crl.new" && mv "$TEST_TMP/crl.new" "$TEST_TMP/crl.pem"; }
response() { # of an authority that knows of every certificate that is not revoked
	serial=$(openssl x509 -in "$CERTS/server.pem" -noout -serial | cut -d= -f2)
	printf 'V\t351231235959Z\t\t%s\tunknown\t/CN=x\n' "$serial" >"$TEST_TMP/ocsp.index"
	openssl ocsp -index "$TEST_TMP/ocsp.index" -CA "$CERTS/ca.pem" -rsigner "$CERTS/ca.pem" -rkey "$CERTS/ca.key" \
		-issuer "$CERTS/ca.pem" -cert "$CERTS/server.pem" -ndays 1 -respout "$TEST_TMP/ocsp.der" >"$TEST_TMP/ocsp.log" 2>&1
}
list
response || fail "openssl cannot make an OCSP response"
start_server --crl "$TEST_TMP/crl.pem" --ocsp-response "$TEST_TMP/ocsp.der"
log=$(log_of server)
seen() { grep -cE -e "$1" "$log" || :; }
more_than() { [ "$(seen "$2")" -gt "$1" ]; }
reload() { # REGEX: the log says so, once more than before
	local before
	before=$(seen "$1")
	kill -HUP "$(pid_of server)"
	until_true 10 more_than "$before" "$1" || fail "after SIGHUP the log has no '$1'"
}

hold() { # NAME CERTIFICATE COUNT: pings, ten in a second
	local before
	before=$(seen 'established from')
	spawn "$1" mock secure_client --crl "$TEST_TMP/crl.pem" --cert "$CERTS/$2.pem" --key "$CERTS/$2.key" \
		--ca "$CERTS/ca.pem" "127.0.0.1:$PORT" ping -c "$3" --interval 100ms
	until_true 10 more_than "$before" 'established from' || fail "$1 has no session"
}
hold goes first 100000
hold stays second 20

# A new certificate for the server; the old response is not about it.
"$TOP/scripts/make-certs.sh" -s 127.0.0.1 -c third "$CERTS"
reload 'ERROR certificates not reloaded, those before stay in force: the OCSP response .* is not about our certificate'
response
reload 'INFO +certificates reloaded'
expect 0 client_as third ping -c 2
# A key that is not the certificate's.
cp "$CERTS/server.key" "$TEST_TMP/server.key"
cp "$CERTS/third.key" "$CERTS/server.key"
reload 'ERROR certificates not reloaded, .*does not belong to the certificate'
cp "$TEST_TMP/server.key" "$CERTS/server.key"

# Revoked while it pings.
authority -revoke "$CERTS/first.pem" || fail "openssl cannot revoke"
list
reload 'INFO +certificates reloaded'
wait_exit goes
assert_eq 1 "$STATUS" 'status of the client that was revoked'
assert_grep 'ended the session: the certificate of client .* is revoked' "$(log_of goes)"
assert_grep 'session#[0-9]+ first: failed after .*: the certificate of client .* is revoked' "$log"
refused 1 'says that our certificate is revoked' client_as first ping
wait_exit stays 30
assert_eq 0 "$STATUS" 'status of the client that was not'

# Over TLS: this version, these groups, no ticket, a response.
s_client() {
	openssl s_client -connect "127.0.0.1:$PORT" -CAfile "$CERTS/ca.pem" -cert "$CERTS/third.pem" \
		-key "$CERTS/third.key" "$@" </dev/null >"$TEST_TMP/s_client.out" 2>&1
}
s_client -tls1_3 -status -msg -curves X25519 || fail "openssl s_client: $(tail -3 "$TEST_TMP/s_client.out")"
assert_grep 'Verification: OK' "$TEST_TMP/s_client.out"
assert_grep 'Cipher is TLS_AES_256_GCM_SHA384' "$TEST_TMP/s_client.out"
assert_grep 'Cert Status: good' "$TEST_TMP/s_client.out"
assert_grep 'Handshake.*, Finished' "$TEST_TMP/s_client.out"
assert_no_grep 'NewSessionTicket' "$TEST_TMP/s_client.out"
for wrong in -tls1_2 '-curves P-521' '-ciphersuites TLS_AES_128_CCM_SHA256' '-sigalgs RSA+SHA1'; do
	# shellcheck disable=SC2086 # an option and its value
	! s_client $wrong || fail "s_client $wrong: the server accepts it"
done
stop_server
