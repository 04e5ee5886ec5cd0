#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What monitors see: Prometheus' format, the figures of what was just done, health and readiness.
# timeout: 120
. "$(dirname "$0")/../session.sh"

start_server --metrics 127.0.0.1:0
log=$(log_of server)
wait_for server 'metrics on 127.0.0.1 port [0-9]+'
http=$(sed -n 's/.*metrics on .* port \([0-9]*\)$/\1/p' "$log")

ask() { # PATH [METHOD]: status in $CODE, body in $BODY
	exec {fd}<>"/dev/tcp/127.0.0.1/$http"
	printf '%s %s HTTP/1.0\r\n\r\n' "${2:-GET}" "$1" >&"$fd"
	BODY=$TEST_TMP/body
	tr -d '\r' <&"$fd" >"$TEST_TMP/answer"
	exec {fd}>&-
	CODE=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$TEST_TMP/answer")
	sed '1,/^$/d' "$TEST_TMP/answer" >"$BODY"
}
value() { # NAME{LABELS}: of the last answer
	awk -v name="$1" '{ at = $NF; sub(/ [^ ]*$/, ""); if ($0 == name) print at }' "$BODY"
}
becomes() { # VALUE NAME: those of sessions are brought up to date each second
	_is() { ask /metrics; [ "$(value "$2")" = "$1" ]; }
	until_true 20 _is "$1" "$2" || fail "$2 is $(value "$2"), not $1"
}

ask /healthz
assert_eq '200 ok' "$CODE $(cat "$BODY")"
ask /readyz
assert_eq '200 ready' "$CODE $(cat "$BODY")"
ask /nowhere
assert_eq 404 "$CODE"
ask /metrics POST
assert_eq 501 "$CODE" 'answer to POST'
ask /metrics
assert_eq 200 "$CODE"
assert_grep '^Content-Type: text/plain; version=0.0.4' "$TEST_TMP/answer"
# Each line is a comment or a sample of a metric that was declared, none twice.
awk '
/^# TYPE / { type[$3] = $4; next }
/^# HELP / { next }
{
	name = $0
	sub(/ [^ ]*$/, "", name)
	if (seen[name]++) { print "twice: " $0; bad = 1 }
	base = name
	sub(/\{.*/, "", base)
	if (!(base in type)) sub(/_(bucket|sum|count)$/, "", base)
	if (!(base in type) || name !~ /^[a-z_]+(\{([a-z_]+="[^"\\]*",?)+\})?$/ || $NF !~ /^[0-9.]+$/) { print "bad: " $0; bad = 1 }
	if (type[base] == "counter" && base !~ /_total$/) { print "no _total: " $0; bad = 1 }
}
END { exit bad }' "$BODY" || fail "not Prometheus' format: see above"

head -c 100000 /dev/urandom >"$TEST_TMP/file"
expect 0 client put "$TEST_TMP/file" data/file
expect 0 client get data/file "$TEST_TMP/got"
expect 1 client get data/nowhere "$TEST_TMP/got2"
expect 1 client_as expired-client ping
P=secure_server_
becomes 3 "${P}handshakes_total{outcome=\"ok\"}"
becomes 1 "${P}handshakes_total{outcome=\"certificate\"}"
becomes 3 "${P}sessions_ended_total{outcome=\"ok\"}"
becomes 3 "${P}handshake_seconds_count"
becomes 3 "${P}handshake_seconds_bucket{le=\"+Inf\"}"
becomes 1 "${P}files_total{direction=\"received\"}"
becomes 100000 "${P}file_bytes_total{direction=\"received\"}"
becomes 1 "${P}transfer_seconds_count{direction=\"sent\"}"
becomes 1 "${P}requests_refused_total"
becomes 100000 "${P}rdma_bytes_total{direction=\"sent\",identity=\"client\"}"
becomes 0 "${P}sessions"
becomes 0 "${P}queue_pairs"
becomes 0 "${P}registered_bytes"
becomes 0 "${P}open_files"
# Of a session that goes on, too.
spawn ping mock secure_client --cert "$CERTS/client.pem" --key "$CERTS/client.key" --ca "$CERTS/ca.pem" \
	"127.0.0.1:$PORT" ping -c 100000 --interval 50ms
before=$(value "${P}messages_total{direction=\"received\",identity=\"client\"}")
_more() { ask /metrics; [ "$(value "${P}messages_total{direction=\"received\",identity=\"client\"}")" -gt "$((before + 5))" ]; }
until_true 20 _more || fail 'messages of a session under way are not counted'
assert_eq 1 "$(value "${P}queue_pairs")" 'queue pairs of one session'
stop ping INT
# While it drains it is healthy, but not ready.
mkfifo "$TEST_TMP/pipe"
exec {pipe}<>"$TEST_TMP/pipe"
spawn put mock secure_client --cert "$CERTS/client.pem" --key "$CERTS/client.key" --ca "$CERTS/ca.pem" \
	"127.0.0.1:$PORT" put "$TEST_TMP/pipe" data/pipe
becomes 1 "${P}open_files"
kill -TERM "$(pid_of server)"
_drains() { ask /readyz; [ "$CODE" = 503 ]; }
until_true 10 _drains || fail 'the server that drains says that it is ready'
ask /healthz
assert_eq 200 "$CODE"
kill -INT "$(pid_of put)"
exec {pipe}>&-
wait_exit put
server_ends
for bad in 9633 '*:9633' ':9633' 127.0.0.1 127.0.0.1:99999; do
	expect 2 mock secure_server --metrics "$bad"
	assert_grep 'metrics: ' "$ERR"
done
