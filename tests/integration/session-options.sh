#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Command lines and the configuration file: help from the table, errors that name the place.
. "$(dirname "$0")/../session.sh"

version=$(sed -n 's/^#define SRDMA_VERSION_[A-Z]* //p' "$TOP/include/srdma.h" | paste -sd.)
for program in secure_server secure_client; do
	expect 0 $program --help
	assert_grep "^usage: $program " "$OUT"
	assert_eq '' "$(awk 'length > 80' "$OUT")" "lines of --help beyond 80 columns"
	expect 0 $program --version
	assert_eq "$program $version" "$(cat "$OUT")" version
	expect 2 $program --no-such-option
	assert_grep "there is no option --no-such-option" "$ERR"
	assert_grep "Try '$program --help'" "$ERR"
	expect 2 $program --ca
	assert_grep '--ca needs a value: --ca FILE' "$ERR"
	expect 2 $program --json=yes
	assert_grep '--json takes no value' "$ERR"
done

for command in ping send write read put get ls shell; do
	expect 0 secure_client localhost $command --help
	assert_grep "^usage: secure_client .*HOST\[:PORT\] $command" "$OUT"
	assert_eq '' "$(awk 'length > 80' "$OUT")" "lines of $command --help beyond 80 columns"
done

# Client
expect 2 secure_client
assert_grep 'no server given' "$ERR"
expect 2 secure_client localhost
assert_grep 'no command given' "$ERR"
expect 2 secure_client localhost frobnicate
assert_grep "there is no command 'frobnicate'" "$ERR"
expect 2 secure_client localhost put
assert_grep 'put: the arguments are: ' "$ERR"
expect 2 secure_client localhost ping -c 0
assert_grep "count: '0' is not a number from 1" "$ERR"
expect 2 secure_client --ca x localhost: ping
assert_grep "is not HOST or HOST:PORT" "$ERR"
expect 2 secure_client --timeout 3parsecs localhost ping
assert_grep "'3parsecs' is not a time" "$ERR"
expect 2 secure_client localhost write
assert_grep 'give --text TEXT or --file FILE' "$ERR"
expect 2 secure_client --json localhost frobnicate
assert_grep '^\{"command":null,"ok":false,"error":\{"code":"usage"' "$OUT"

# Server: the file, and the command line before it.
config=$TEST_TMP/server.conf
cat >"$config" <<END
# for a test
listen = 127.0.0.1:0
cert = $CERTS/server.pem
key=$CERTS/server.key
   ca   =   $CERTS/ca.pem
export = data=$SHARE:ro

data-protection = none
workers = 1
log-level = debug
json = yes
END
spawn server mock secure_server --config "$config" --log-level info --export "more=$TEST_TMP"
wait_for server '"event":"listening".*"port":[0-9]+'
assert_grep "export 'data': .*, read-only" "$(log_of server)"
assert_grep "export 'more': " "$(log_of server)"
assert_grep ': 1 workers' "$(log_of server)"
assert_no_grep '"level":"debug"' "$(log_of server)"
stop server
assert_eq 0 "$STATUS" "exit status"
assert_grep '"event":"stopped"' "$(log_of server)"

wrong() { # LINE REGEX
	printf 'listen = 127.0.0.1:0\n\n%s\n' "$1" >"$config"
	expect 2 secure_server --config "$config"
	assert_grep "$config:3: .*$2" "$ERR"
}
wrong 'colour = red' "there is no setting 'colour'"
wrong 'workers' "'workers' is not 'name = value'"
wrong 'workers = many' "workers: 'many' is not a number from 1 to 256"
wrong 'idle-timeout = soon' "'soon' is not a time"
wrong 'scratch = 1T' "is not a size from 0 B to 16.0 MiB"
wrong 'json = perhaps' "'perhaps' is neither yes nor no"
wrong 'connect = wires' "'wires' is none of direct, cm, any"
wrong 'data-protection = sealed,rot13' "'rot13' is none of sealed, aes-256-gcm, chacha20-poly1305, none"
wrong 'listen = ::1:70000' 'put an IPv6 address in brackets'
wrong 'listen = [::1]:70000' 'no port from 0 to 65535'
wrong 'config = other' "there is no setting 'config'"
expect 2 secure_server --config "$TEST_TMP/missing"
assert_grep "cannot read the configuration file .*missing'" "$ERR"

certs="--cert $CERTS/server.pem --key $CERTS/server.key --ca $CERTS/ca.pem"
# shellcheck disable=SC2086
for export in data data= =/tmp .hidden=/tmp 'a b=/tmp' "data=$TEST_TMP/missing" "x=$TEST_TMP/server.conf"; do
	expect 2 secure_server $certs --export "$export"
	assert_grep "is not NAME=DIR|cannot share the directory" "$ERR"
done
# shellcheck disable=SC2086
expect 2 secure_server $certs --export "a=/tmp" --export "a=/var/tmp"
assert_grep "two exports named 'a'" "$ERR"
# shellcheck disable=SC2086
expect 2 secure_server $certs stray
assert_grep "'stray' is not an option" "$ERR"

# A journal that is not there is said, with what to do, and nothing is served; nor in a format that there is not.
expect 2 secure_server --log-format xml
assert_grep "'xml' is none of text, json, journald" "$ERR"
[ -S /run/systemd/journal/socket ] || {
	expect 1 mock secure_server --listen 127.0.0.1:0 --cert "$CERTS/server.pem" --key "$CERTS/server.key" --ca "$CERTS/ca.pem" \
		--log-format journald
	assert_grep "no journal at .*--log-format text" "$ERR"
}
