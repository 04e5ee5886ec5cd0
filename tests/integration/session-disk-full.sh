#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A full disk, at the server or at the client: one sentence on both sides, nothing left, and
# the next transfer works.
# timeout: 120
if [ -z "${IN_NAMESPACE:-}" ]; then
	unshare -rm true 2>/dev/null ||
		{ echo "no mount namespaces here (unshare -rm)"; exit 77; }
	IN_NAMESPACE=1 exec unshare -rm "$0"
fi
. "$(dirname "$0")/../session.sh"

small=$TEST_TMP/small
mkdir "$small"
mount -t tmpfs -o size=8m tmpfs "$SHARE" 2>/dev/null || skip "cannot mount a tmpfs here"
mount -t tmpfs -o size=8m tmpfs "$small"
mkdir "$TEST_TMP/large"
start_server --export "large=$TEST_TMP/large"
log=$(log_of server)
head -c 6000000 /dev/urandom >"$TEST_TMP/six"
head -c 20000000 /dev/urandom >"$TEST_TMP/large/twenty"

# Said before anything is sent, where the size is known.
refused 1 "no space for 'data/twenty': it has 19.1 MiB, the disk has .* left: make room" \
	client put "$TEST_TMP/large/twenty" data
assert_grep "WARN .*no space for 'data/twenty'" "$log"
refused 1 "no space for '.*/small/twenty': .*make room" client get large/twenty "$small"

# And when it fills on the way.
client put - data/stream <"$TEST_TMP/large/twenty" >"$TEST_TMP/out" 2>"$TEST_TMP/err" && STATUS=0 || STATUS=$?
assert_eq 1 "$STATUS" "exit status"
assert_grep "^secure_client: the disk is full, 'data/stream' was not stored: make room" "$TEST_TMP/err"
assert_grep "WARN .*'data/stream' not received: the disk is full" "$log"
assert_eq '' "$(find "$SHARE" "$small" -type f)" "what was left"

# At the client too: two files that fit there one at a time.
cp "$TEST_TMP/six" "$TEST_TMP/large/six"
pids=
for i in 1 2; do
	(trap - EXIT; client get large/six "$small/six$i") >"$TEST_TMP/out$i" 2>"$TEST_TMP/err$i" &
	pids="$pids $!"
done
failures=0
for pid in $pids; do wait "$pid" || failures=$((failures + 1)); done
[ "$failures" -gt 0 ] || fail "12 MB are on a disk of 8 MiB"
cat "$TEST_TMP"/err[12] >"$TEST_TMP/err"
assert_eq "$failures" "$(grep -cE '^secure_client: (no space for|the disk is full,) .*/small/six[12].*make room' "$TEST_TMP/err")" \
	"sentences about the full disk"
# (What the client says in closing may be overtaken by the close: then the server knows only that.)
assert_eq "$failures" "$(grep -cE "WARN .*'large/six' not sent: (no space for|the disk is full,) .*make room" "$log")" \
	"sentences about it at the server"
assert_eq $((2 - failures)) "$(find "$small" -type f | wc -l)" "files"
rm -f "$small"/six*

# All of the space is there again.
expect 0 client put "$TEST_TMP/six" data
expect 0 client get data/six "$small"
cmp "$TEST_TMP/six" "$small/six" || fail "the files differ"
stop_server
cd /
umount "$SHARE" "$small"
