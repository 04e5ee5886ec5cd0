#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may do what: what no rule gives is refused on both sides; SIGHUP changes it for those who are there,
# and a policy with a mistake changes nothing.
# timeout: 180
. "$(dirname "$0")/../session.sh"

"$TOP/scripts/make-certs.sh" -s localhost -s 127.0.0.1 -c spiffe://test/team/reader -c writer.example.org "$CERTS"
mkdir "$TEST_TMP/other"
echo data >"$TEST_TMP/file"
echo there >"$SHARE/there"
policy=$TEST_TMP/policy.yaml
write_policy() { cat >"$policy"; }
write_policy <<'END'
rules:
  - who: [{uri: "spiffe://test/team/*"}]
    allow: [ping, scratch-read]
    exports: {data: [ls, get]}
  - who: [{dns: "*.example.org"}]
    allow: [all]
    exports:
      data: [ls, get, put]
      other: [all]
END
start_server --export "other=$TEST_TMP/other" --policy "$policy"
log=$(log_of server)
reader() { client_as reader "$@"; }
writer() { client_as writer.example.org "$@"; }
both() { # REGEX COMMAND...: the same sentence on both sides
	refused 1 "$@"
	assert_grep "WARN .*$1" "$log"
}
reload() { # REGEX: the log says so
	local before
	before=$(wc -l <"$log")
	kill -HUP "$(pid_of server)"
	until_true 10 eval "tail -n +$((before + 1)) '$log' | grep -qE -e '$1'" ||
		fail "after SIGHUP the log has no '$1'"
}

# Whom no rule names has no session.
both "'client' is not allowed here: no rule of the server's policy names it" client ping
# Each right, given and not given.
expect 0 reader ping -c 2
both "'spiffe://test/team/reader' may not send messages" reader send hello
expect 0 reader ls
assert_grep data "$OUT"
assert_no_grep other "$OUT"
expect 0 reader ls data
expect 0 reader get data/there "$TEST_TMP/got"
both "may not put into the export 'data'" reader put "$TEST_TMP/file" data/new
both "may not list the export 'other'" reader ls other
both "may not get from the export 'other'" reader get other/x "$TEST_TMP/x"
expect 0 writer put "$TEST_TMP/file" data/new
both "may not replace files in the export 'data'" writer put --force "$TEST_TMP/file" data/new
expect 0 writer put "$TEST_TMP/file" other/new
expect 0 writer put --force "$TEST_TMP/file" other/new
expect 0 writer send hello
expect 1 writer --json put --force "$TEST_TMP/file" data/new
assert_eq forbidden "$(json code "$OUT")" code

# A mistake changes nothing.
cp "$policy" "$policy.good"
sed 's/get, put/get, putt/' "$policy.good" >"$policy"
reload "policy not reloaded, the one before stays in force: .*policy.yaml:8:23: there is no right .putt."
expect 0 writer put "$TEST_TMP/file" data/newer
rm "$policy"
reload 'stays in force: cannot read the policy'
expect 0 reader ping

# Who is no longer named is ended, others are not.
established() { grep -c 'established from' "$log"; }
hold() { # NAME CERTIFICATE COUNT: pings, ten in a second
	local before
	before=$(established)
	spawn "$1" mock secure_client --cert "$CERTS/$2.pem" --key "$CERTS/$2.key" --ca "$CERTS/ca.pem" \
		"127.0.0.1:$PORT" ping -c "$3" --interval 100ms
	until_true 10 eval "[ \"\$(established)\" -gt $before ]" || fail "$1 has no session"
}
hold goes reader 100000
hold stays writer.example.org 30
write_policy <<'END'
rules:
  - who: [{dns: writer.example.org}]
    allow: [ping]
    exports: {"*": [ls]}
END
reload 'policy reloaded from .*: 1 rules'
wait_exit goes
assert_eq 1 "$STATUS" 'status of the client that the policy no longer names'
assert_grep "ended the session: 'spiffe://test/team/reader' is not allowed here" "$(log_of goes)"
assert_grep "failed after .*'spiffe://test/team/reader' is not allowed here" "$log"
both "may not send messages" writer send hello
wait_exit stays 30
assert_eq 0 "$STATUS" 'status of the client that may stay'
stop_server

# At the start it is a fault.
echo 'rules: [' >"$policy"
expect 1 mock secure_server --listen 127.0.0.1:0 --cert "$CERTS/server.pem" --key "$CERTS/server.key" \
	--ca "$CERTS/ca.pem" --policy "$policy"
assert_grep 'policy.yaml:2:1: ' "$ERR"
# Without one everybody may do everything, and the log says so.
start_server
assert_grep 'no --policy: every client with a certificate of the authorities may do everything' "$log"
expect 0 client send hello
stop_server
