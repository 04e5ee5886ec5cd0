#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Limits of each client: what is over one is refused on both sides, by name; a policy gives others, and
# SIGHUP changes them.
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
	assert_grep 'WARN .*[0-9]+ descriptors are allowed, and --max-sessions with --max-files needs 1128' "$(log_of server)"
	expect 0 client ping -c 1
	stop_server
)
