#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mockrdma run becomes the program, with the device preloaded and nothing else changed.
# variants: plain
. "$(dirname "$0")/../lib.sh"

launcher=$BUILD/bin/mockrdma
library=$(readlink -f "$BUILD/lib/libmockrdma.so")

# What it says of itself.
expect 0 "$launcher" --help
assert_grep 'mockrdma COMMAND' "$OUT"
assert_grep '^ +run ' "$OUT"
expect 0 "$launcher" run --help
expect 0 "$launcher" --version
assert_grep '^mockrdma [0-9]+\.[0-9]+\.[0-9]+$' "$OUT"

# Mistakes are named, and the status says that nothing was run.
expect 2 "$launcher"
assert_grep 'no command' "$ERR"
expect 2 "$launcher" nonsense
assert_grep "'nonsense'" "$ERR"
expect 2 "$launcher" run
assert_grep 'needs a program' "$ERR"
expect 2 "$launcher" run --
expect 2 "$launcher" run -x
assert_grep "'-x'" "$ERR"
expect 127 "$launcher" run -- no-such-program-here
assert_grep "'no-such-program-here'" "$ERR"
expect 126 "$launcher" run -- /etc/passwd
assert_grep 'cannot run' "$ERR"

# The program's own status, arguments, input and process are those it would have had.
expect 7 "$launcher" run -- sh -c 'exit 7'
expect 0 "$launcher" run -- printf '<%s>' 'a b' '' '--help'
assert_eq '<a b><><--help>' "$(cat "$OUT")" arguments
expect 0 "$launcher" run sh -c 'echo without dashes'
assert_eq 'without dashes' "$(cat "$OUT")" output
assert_eq input "$(echo input | "$launcher" run -- cat)" input
# shellcheck disable=SC2016
expect 143 "$launcher" run -- sh -c 'kill -TERM $$'
spawn replaced "$launcher" run -- sleep 60
_is_sleep() {
	grep -qx sleep "/proc/$(pid_of replaced)/comm"
}
until_true 10 _is_sleep || fail "the launcher is still there beside the program"
stop replaced TERM

# The device is loaded, and what was preloaded before is too.
loaded() {
	awk '{ print $6 }' "$1" | grep -Fxq "$2"
}
expect 0 "$launcher" run -- cat /proc/self/maps
loaded "$OUT" "$library" || fail "$library is not loaded"
other=$(ldd "$(command -v ibv_devices)" | awk '/libibverbs/ { print $3 }')
other=$(readlink -f "$other")
LD_PRELOAD=$other expect 0 "$launcher" run -- cat /proc/self/maps
loaded "$OUT" "$library" || fail "$library is not loaded beside another"
loaded "$OUT" "$other" || fail "$other is not preloaded any more"

# Without the launcher nothing has changed.
expect 0 cat /proc/self/maps
! loaded "$OUT" "$library" || fail "$library is loaded without being asked for"
if [ ! -e /sys/class/infiniband ]; then
	STATUS=0
	ibv_devices >"$TEST_TMP/plain" 2>&1 || STATUS=$?
	assert_no_grep 'mock0' "$TEST_TMP/plain"
fi

# A copy of the tree works where it is; without its library it says what is missing.
mkdir -p "$TEST_TMP/copy/bin" "$TEST_TMP/copy/lib" "$TEST_TMP/a b/bin" "$TEST_TMP/a b/lib"
cp "$launcher" "$TEST_TMP/copy/bin"
if [ ! -e /usr/local/lib/libmockrdma.so ]; then
	expect 1 "$TEST_TMP/copy/bin/mockrdma" run -- true
	assert_grep 'libmockrdma\.so' "$ERR"
fi
cp "$library" "$TEST_TMP/copy/lib/libmockrdma.so"
expect 0 "$TEST_TMP/copy/bin/mockrdma" run -- cat /proc/self/maps
loaded "$OUT" "$TEST_TMP/copy/lib/libmockrdma.so" || fail "the copy's library is not loaded"

# ld.so cannot take such a path; better to hear it than to run without the device.
cp "$launcher" "$TEST_TMP/a b/bin"
cp "$library" "$TEST_TMP/a b/lib/libmockrdma.so"
expect 1 "$TEST_TMP/a b/bin/mockrdma" run -- true
assert_grep 'space' "$ERR"
