#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The server gives up what it does not need: root, new privileges, most system calls. Without root it works.
# timeout: 120
. "$(dirname "$0")/../session.sh"

field() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$(server_pid)/status"; }
server_pid() { # of the server itself, which its launcher became
	pid_of server
}
echo data >"$TEST_TMP/file"
works() {
	expect 0 client put --force "$TEST_TMP/file" data/file
	expect 0 client put --force "$TEST_TMP/file" data/file
	expect 0 client get data/file "$TEST_TMP/got.$RANDOM$RANDOM"
	expect 0 client write --text hello
	expect 0 client --connect cm ping -c 3
}
# shellcheck disable=SC2119 # most tests have no further options
start_server
assert_eq 2 "$(field Seccomp)" 'Seccomp of the server'
assert_eq 1 "$(field NoNewPrivs)" 'NoNewPrivs of the server'
works
stop_server
start_server --no-seccomp
assert_eq 0 "$(field Seccomp)" 'Seccomp with --no-seccomp'
stop_server

server() { mock secure_server --listen 127.0.0.1:0 --cert "$CERTS/server.pem" --key "$CERTS/server.key" --ca "$CERTS/ca.pem" "$@"; }
expect 1 server --user no-such-user
assert_grep "there is no user 'no-such-user'" "$ERR"
if [ "$(id -u)" != 0 ]; then
	expect 1 server --user nobody
	assert_grep "only root can become the user 'nobody'" "$ERR"
	exit 0
fi

# As root: it becomes another. The export is not that user's at first.
expect 1 server --user root
assert_grep 'is no step down' "$ERR"
nobody="setpriv --reuid=$(id -u nobody) --regid=$(id -g nobody) --clear-groups"
need setpriv
$nobody test -x "$BUILD/bin/secure_client" || skip "others may not run what is in $BUILD"
public=$(mktemp -d)
own_mock=$MOCKRDMA_DIR
MOCKRDMA_DIR=$(mktemp -d /dev/shm/mockrdma-test.XXXXXX)
chown nobody "$MOCKRDMA_DIR"
# shellcheck disable=SC2154 # set in the trap itself
trap 'status=$?; rm -rf "$public" "$MOCKRDMA_DIR"; MOCKRDMA_DIR=$own_mock; (exit $status); _cleanup' EXIT
expect 1 server --user nobody --export "data=$SHARE"
assert_grep "cannot write to the directory '$SHARE'.*" "$ERR"
chown nobody "$SHARE"
start_server --user nobody
assert_grep "runs as the user 'nobody'" "$(log_of server)"
assert_eq "$(id -u nobody)" "$(field Uid)" 'user of the server'
assert_grep '^Groups:[[:space:]]*'"$(id -G nobody | tr ' ' '|')"'?[[:space:]]*$' "/proc/$(server_pid)/status"
assert_eq 0 "$((16#$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$(server_pid)/status")))" 'capabilities'
# A peer in shared memory has to be the same user.
cp -r "$CERTS" "$TEST_TMP/file" "$public"
chmod -R a+rX "$public"
CERTS=$public/certs _in=$nobody
expect 0 client put --force "$public/file" data/file
expect 0 client put --force "$public/file" data/file
expect 0 client ping -c 3
_in=
assert_eq nobody "$(stat -c %U "$SHARE/file")" 'owner of what was stored'
stop_server
