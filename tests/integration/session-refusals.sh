#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What goes wrong is one sentence that names what to do, at the client and in the server's log.
# timeout: 120
. "$(dirname "$0")/../session.sh"

mkdir "$TEST_TMP/outside" "$SHARE/dir"
echo secret >"$TEST_TMP/outside/secret"
echo public >"$SHARE/public"
ln -s "$TEST_TMP/outside" "$SHARE/link"
ln -s "$TEST_TMP/outside/secret" "$SHARE/filelink"
ln -s ../public "$SHARE/dir/inside"
mkfifo "$SHARE/fifo"
start_server --export "ro=$SHARE:ro"
log=$(log_of server)
echo data >"$TEST_TMP/file"

both() { # REGEX COMMAND...: the same sentence on both sides
	refused 1 "$@"
	assert_grep "WARN +session#[0-9]+ client: .*$1" "$log"
}
put() { client put "$TEST_TMP/file" "$1"; }
get() { client get "$1" "$TEST_TMP/got"; }

for path in nosuch/x ./data/x; do
	both "there is no export '${path%%/*}': 'ls'" put "$path"
	both "there is no export '${path%%/*}': 'ls'" get "$path"
done
both "the export 'ro' is read-only: choose another" put ro/x
for path in data/../outside/secret data/dir/../../outside/secret data/.. ro/../../x; do
	both "'$path' leaves the export: '..' is not permitted" get "$path"
	both "'$path/x' leaves the export: '..' is not permitted" put "$path/x"
done
both "'/etc/passwd' is not in an export" get /etc/passwd
for path in data/link/secret data/filelink data/dir/inside; do
	both "'$path' goes through a symbolic link" get "$path"
done
both "'data/link/new' goes through a symbolic link" put data/link/new
assert_eq secret "$(ls "$TEST_TMP/outside")" "what is outside of the export"
both "there is no 'data/nosuch' on the server" get data/nosuch
both "there is no directory for 'data/nosuch/x'" put data/nosuch/x
both "'data/dir' is a directory" get data/dir
both "'data/fifo' is special, not a file" get data/fifo
both "'data/dir' is a directory: name a file in it" client put --force "$TEST_TMP/file" data/dir
both 'a path must not contain control characters' get "data/new
line"
long=$(printf '%0300d' 0)
both 'is longer than 255 bytes' get "data/$long"
expect 0 client ls data
assert_no_grep secret "$OUT"
refused 1 'goes through a symbolic link' client ls data/link
if [ "$(id -u)" != 0 ]; then
	chmod 0 "$SHARE/public"
	both "cannot open 'data/public' on the server: Permission denied" get data/public
fi

# The errors for programs.
expect 1 client --json get nosuch/x "$TEST_TMP/got"
assert_grep '"command":"get","ok":false,"error":\{"code":"no_export","message":"there is no export' "$OUT"
expect 1 client --json get data/../x "$TEST_TMP/got"
assert_eq outside "$(json code "$OUT")" code

stop_server
assert_eq '' "$(ls "$TEST_TMP"/got* 2>/dev/null || :)" "files that refused transfers left"

# Nobody there, and no device.
refused 1 'refused the connection: is the server running, on that port' client ping
refused 1 'no RDMA device on this machine: .*mockrdma run' \
	env -u LD_PRELOAD "$BUILD/bin/secure_client" --cert "$CERTS/client.pem" --key "$CERTS/client.key" \
	--ca "$CERTS/ca.pem" "127.0.0.1:$PORT" ping
refused 1 "no RDMA device is named 'mlx5_7'" client --device mlx5_7 ping
expect 1 "$BUILD/bin/secure_server" --listen 127.0.0.1:0 --cert "$CERTS/server.pem" \
	--key "$CERTS/server.key" --ca "$CERTS/ca.pem"
assert_grep 'no RDMA device on this machine: .*mockrdma run' "$ERR"
