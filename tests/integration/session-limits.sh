#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Limits of each client: what is over one is refused on both sides, by name; a policy gives others, and
# SIGHUP changes them. Connections that never say who they are keep no client out.
# timeout: 120
. "$(dirname "$0")/../session.sh"

"$TOP/scripts/make-certs.sh" -s 127.0.0.1 -c many "$CERTS"
policy=$TEST_TMP/policy.yaml
cat >"$policy" <<'END'
rules:
  - who: [{dns: many}]
    allow: [all]
    limits: {sessions: 3, messages: 1000000}
  - who: [{dns: client}]
    allow: [all]
    exports: {data: [all]}
END
start_server --policy "$policy" --client-limits sessions=1,memory=4k,messages=5
log=$(log_of server)
both() { # REGEX COMMAND...: the same sentence on both sides
	refused 1 "$@"
	assert_grep "WARN .*$1" "$log"
}
seen() { grep -cE -e "$1" "$log" || :; }
more_than() { [ "$(seen "$2")" -gt "$1" ]; }
hold() { # NAME CERTIFICATE
	local before
	before=$(seen 'established from')
	mkfifo "$TEST_TMP/$1"
	# shellcheck disable=SC2034 # open, so that the shell waits for commands
	exec {fd}<>"$TEST_TMP/$1"
	(trap - EXIT; client_as "$2" shell <"$TEST_TMP/$1" >"$(log_of "$1")" 2>&1) &
	until_true 10 more_than "$before" 'established from' || fail "$1 has no session"
}
hold one client
both "'client' has its 1 sessions already: try again later" client ping
hold two many
hold three many
expect 0 client_as many ping -c 20
hold four many
both "'many' has its 3 sessions already" client_as many ping
sed -i 's/sessions: 3/sessions: 4/' "$policy"
kill -HUP "$(pid_of server)"
until_true 10 grep -q 'policy reloaded' "$log" || fail 'the policy is not reloaded'
expect 0 client_as many ping -c 20
for name in one two three four; do echo quit >"$TEST_TMP/$name"; done
wait_closed() { [ "$(seen 'closed after')" -ge 6 ]; }
until_true 20 wait_closed || fail 'the shells do not end'
both "the server's memory is in use: try again later" client write --text hello
head -c 100000 /dev/zero >"$TEST_TMP/file"
both "the memory for transfers is in use" client put "$TEST_TMP/file" data/file
both "sends more than its 5 messages a second: send them more slowly" client ping -c 1000
stop_server
expect 2 mock secure_server --client-limits sessions=0
assert_grep "client-limits: .*'0' is no number of sessions from 1 on" "$ERR"

# --- descriptors: as many as it may have, and a word when these are too few ----------------
(
	ulimit -Sn 256
	start_server --max-sessions 1000
	assert_grep '^Max open files +[0-9]{4,} ' "/proc/$(pid_of server)/limits"
	assert_no_grep 'descriptors are allowed' "$(log_of server)"
	stop_server
	ulimit -n 256
	start_server --max-sessions 1000
	assert_grep 'WARN .*[0-9]+ descriptors are allowed, and --max-sessions with --max-handshakes and --max-files needs 5224' "$(log_of server)"
	expect 0 client ping -c 1
	stop_server
)

# --- connections that say nothing: the older give way, and no client is kept out -----------
flooder() { # COUNT: told a port, it holds so many connections there until it is told to end
	rm -f "$TEST_TMP/flood" "$TEST_TMP/flooded"
	mkfifo "$TEST_TMP/flood"
	(
		trap - EXIT
		exec {told}<>"$TEST_TMP/flood"
		read -r port <&"$told"
		# shellcheck disable=SC2034 # open, as long as this runs
		for ((i = 0; i < $1; i++)); do exec {fd}<>"/dev/tcp/127.0.0.1/$port"; done
		: >"$TEST_TMP/flooded"
		read -r _ <&"$told"
	) &
	flooder=$!
	_spawned="$_spawned $flooder" # ends with this script, however it ends
}
flood() { # PORT
	echo "$1" >"$TEST_TMP/flood"
	until_true 30 test -e "$TEST_TMP/flooded" || fail 'not all connections of the flood came'
}
end_flood() {
	echo end >"$TEST_TMP/flood"
	wait "$flooder" || :
}
metric() { # NAME: as the server tells it
	exec {web}<>"/dev/tcp/127.0.0.1/$http"
	printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$web"
	awk -v name="secure_server_$1" '$1 == name { print $2 }' <&"$web"
	exec {web}>&-
}
metric_is() { [ "$(metric "$1")" = "$2" ]; }

flooder 40
start_server --workers 1 --max-sessions 1 --max-handshakes 8 --metrics 127.0.0.1:0
log=$(log_of server)
wait_for server 'metrics on 127.0.0.1 port [0-9]+'
http=$(sed -n 's/.*metrics on .* port \([0-9]*\)$/\1/p' "$log")
flood "$PORT"
until_true 20 metric_is 'handshakes_total{outcome="crowded_out"}' 32 || fail 'not 32 of 40 gave way to the others'
assert_eq 8 "$(metric handshakes)" 'half-open connections'
assert_eq 8 "$(metric handshakes_max)" 'limit of handshakes'
assert_eq 0 "$(metric sessions)" 'sessions'
for _ in 1 2 3; do
	expect 0 client ping -c 1
	until_true 20 metric_is sessions 0 || fail 'the session does not end'
done
hold five client
both 'the limit of sessions is reached: try again later' client ping
echo quit >"$TEST_TMP/five"
until_true 20 metric_is sessions 0 || fail 'the session does not end'
expect 0 client ping -c 1
assert_grep 'WARN .*connections had to give way to newer ones: 8 whose peers have not proved who they are is the limit' "$log"
assert_no_grep 'gave way to a newer connection' "$log"
end_flood
stop_server

# Nor do they take the last descriptors, where the server may have few.
flooder 300
(
	ulimit -n 256
	start_server --max-sessions 100
	assert_grep 'WARN .*256 descriptors are allowed, .* at most 64 handshakes until then' "$(log_of server)"
	flood "$PORT"
	for _ in 1 2 3; do expect 0 client ping -c 1; done
	assert_no_grep 'no new clients for now' "$(log_of server)"
	stop_server
)
end_flood
