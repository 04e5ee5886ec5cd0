#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sessions whose devices protect each packet, between two hosts: agreed on by both sides, seen on the wire, over a bad
# network too; and refused by name where one side has it not.
# variants: plain asan
# timeout: 180
. "$(dirname "$0")/../hosts.sh"
need openssl

hosts 2
certs=$TEST_TMP/certs
"$TOP/scripts/make-certs.sh" -s 10.77.1.2 -c client "$certs" >/dev/null
mkdir "$TEST_TMP/share"
head -c 3000000 /dev/urandom >"$TEST_TMP/file"
sum=$(sha256sum <"$TEST_TMP/file")
# A text that would be seen on the wire.
secret=what-nobody-on-the-path-may-read

serve() { # OPTION...
	on 2 spawn server mock secure_server --listen 10.77.1.2:4433 --cert "$certs/server.pem" --key "$certs/server.key" \
		--ca "$certs/ca.pem" --export "data=$TEST_TMP/share" --data-protection sealed,none "$@"
	wait_for server 'listening on'
}
client() { # ARG...
	on 1 mock secure_client --cert "$certs/client.pem" --key "$certs/client.key" --ca "$certs/ca.pem" \
		10.77.1.2:4433 "$@"
}
shell() { client "$@" --json shell <"$TEST_TMP/commands"; }
refused() { # REGEX ARG...
	expect 1 client "${@:2}" ping -c 1
	assert_grep "$1" "$ERR"
}
cat >"$TEST_TMP/commands" <<END
ping -c 50 -s 100
put --force $TEST_TMP/file data/file
get --force data/file $TEST_TMP/back
write --text $secret
read --length 4
END
# all_well OPTION...: every command of a session, with that protected
all_well() {
	rm -f "$TEST_TMP/back"
	expect 0 shell --packet-protection=required "$@"
	assert_eq 6 "$(grep -c '"ok":true.*"packets_protected":true' "$OUT")" "commands that succeeded, and the shell ($*)"
	assert_eq "$sum" "$(sha256sum <"$TEST_TMP/back")" "the file that came back"
}

serve --packet-protection auto
for connect in direct cm; do
	for how in sealed none; do
		all_well --connect=$connect --data-protection=$how
	done
done
assert_eq 4 "$(grep -c 'established from .*, packets protected, ' "$(log_of server)")" "sessions that the server knows to be protected"

# On the wire: all of the queue pair's packets, none of what is in them. (What a host sends itself is the library's probe
# of its own device.)
export MOCKRDMA_PCAP=$TEST_TMP/wire.pcap
all_well --data-protection=none
unset MOCKRDMA_PCAP
expect 0 mockrdma dump "$TEST_TMP/wire.pcap"
packets=$(grep -c 'protected RC ' "$OUT")
[ "$packets" -gt 1000 ] || fail "only $packets protected packets on the wire"
grep -v -e ' protected RC ' -e '10.77.1.1 > 10.77.1.1 ' "$OUT" >"$TEST_TMP/others" || :
assert_no_grep ' RC ' "$TEST_TMP/others"
assert_no_grep "$secret" "$TEST_TMP/wire.pcap"
export MOCKRDMA_PCAP=$TEST_TMP/clear.pcap
expect 0 client --data-protection=none --json write --text "$secret"
unset MOCKRDMA_PCAP
assert_grep '"packets_protected":false' "$OUT" # it was not asked for
grep -qa "$secret" "$TEST_TMP/clear.pcap" || fail "what is in clear is not seen either: the search finds nothing"

# A network that loses, repeats, reorders and corrupts.
stop server TERM 30
(
	a_bad_network
	serve --packet-protection required
	all_well --data-protection=none
	all_well --data-protection=sealed
	refused 'packets have to be protected here, and .* does not: it is not on mockrdma, or did not ask for it'
	stop server TERM 30
)

# The other side has it not.
serve
refused 'packets have to be protected here, and .* does not' --packet-protection=required
expect 0 client --packet-protection=auto --json ping -c 1
assert_grep '"packets_protected":false' "$OUT"
expect 2 client --packet-protection=perhaps ping
assert_grep "'perhaps' is none of off, auto, required" "$ERR"
stop server TERM 30
