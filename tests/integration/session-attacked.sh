#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the device refuses the server tells: forged packets, in the log and as a metric; not what a bad network loses.
# variants: plain asan
# timeout: 120
. "$(dirname "$0")/../hosts.sh"
need openssl curl ibv_asyncwatch

hosts 1
export MOCKRDMA_LINK=roce
certs=$TEST_TMP/certs
"$TOP/scripts/make-certs.sh" -s 127.0.0.1 -c client "$certs" >/dev/null
mkdir "$TEST_TMP/share"
head -c 3000000 /dev/urandom >"$TEST_TMP/file"

# serve OPTION...: there alone.
serve() {
	on 1 spawn server mock secure_server --listen 127.0.0.1:4433 --metrics 127.0.0.1:9633 --cert "$certs/server.pem" \
		--key "$certs/server.key" --ca "$certs/ca.pem" --export "data=$TEST_TMP/share" "$@"
	wait_for server 'metrics on'
}
ends() {
	stop server TERM 30
	assert_eq 0 "$STATUS" "exit status of the server"
}
# refused NAME: the value of the metric
refused() {
	on 1 curl -s http://127.0.0.1:9633/metrics |
		sed -n "s/^secure_server_device_refused_packets_total{counter=\"$1\",device=\"mock0\"} //p"
}

# Somebody forges, at other programs of the same device. What it counts is gone with the last that has it open, and the
# server has not while it has no session.
on 1 spawn watch mock stdbuf -oL ibv_asyncwatch
wait_for watch 'async event FD'
serve --log-format json
expect 0 on 1 mock "$BUILD/tests/attack/attack" 0.01
_is_told() { [ "$(refused drop_old_psn)" -ge 1 ]; }
until_true 20 _is_told || fail "the metric does not count the forged packets"
wait_for server '"event":"packets_refused".*"message":"device mock0 refused packets .*somebody forges or guesses them, or a program errs"' 20
ends
stop watch

# A network that loses, repeats, reorders and corrupts is no attacker.
a_bad_network
serve
for i in 1 2 3; do
	expect 0 on 1 mock secure_client --cert "$certs/client.pem" --key "$certs/client.key" --ca "$certs/ca.pem" \
		127.0.0.1:4433 put "$TEST_TMP/file" "data/file$i"
done
_has_looked() { [ "$(refused out_of_seq_request)" -ge 1 ]; }
until_true 10 _has_looked || fail "the metric does not count what was lost"
assert_eq 0 "$(refused drop_address)" "drop_address"
assert_eq 0 "$(refused drop_old_psn)" "drop_old_psn"
ends
assert_no_grep 'refused packets' "$(log_of server)"
