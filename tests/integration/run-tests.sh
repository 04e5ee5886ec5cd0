#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The runner itself: what passes, fails, is skipped, hangs or leaves a process is told apart.
# variants: plain
. "$(dirname "$0")/../lib.sh"

fake=$TEST_TMP/fake
mkdir -p "$fake/tests/integration"
cp "$TOP/tests/run-tests" "$fake/tests/"

# script NAME: a fake test with the body from standard input
script() {
	{ echo '#!/bin/sh'; cat; } >"$fake/tests/integration/$1.sh"
	chmod +x "$fake/tests/integration/$1.sh"
}
runner() {
	env -u BUILD -u TEST_VARIANT "$fake/tests/run-tests" "$@"
}
ps_of() {
	local f
	for f in /proc/[0-9]*/cmdline; do
		{ tr '\0' ' ' <"$f" | grep -x "$1"; } 2>/dev/null
	done || :
}
last_line_is() {
	assert_eq "$1" "$(tail -n 1 "$OUT")" "last line"
}

script good <<'END'
# serial
[ -d "$MOCKRDMA_DIR" ] && [ -d "$TEST_TMP" ] && [ "$TEST_VARIANT" = plain ]
echo "$MOCKRDMA_DIR" >"$TEST_TMP/file"
END
expect 0 runner
last_line_is "1 passed, 0 failed, 0 skipped"

script lazy <<'END'
echo "starting"
echo "no such device"
exit 77
END
expect 0 runner
last_line_is "1 passed, 0 failed, 1 skipped"
assert_grep '^skipped .*integration/lazy\.sh.*no such device$' "$OUT"

script bad <<'END'
echo "because of this"
exit 3
END
expect 1 runner
last_line_is "1 passed, 1 failed, 1 skipped"
assert_grep '^FAILED .*integration/bad\.sh.*exit status 3$' "$OUT"
assert_grep '\| because of this' "$OUT"
expect 0 runner good
last_line_is "1 passed, 0 failed, 0 skipped"
expect 1 runner nothing-has-this-name
rm "$fake/tests/integration/bad.sh"

script hangs <<'END'
# timeout: 1
sleep 61 & sleep 62
END
expect 1 runner hangs
assert_grep '^FAILED .*timed out after 1 s' "$OUT"
assert_no_grep 'left a process' "$OUT"

# In a session of its own it is no longer in the test's process group.
script strays <<'END'
setsid sleep 63 >/dev/null 2>&1 &
until grep -qs '^sleep' "/proc/$!/comm"; do :; done # in between it has no environment to be found by
exit 0
END
expect 1 runner strays
assert_grep '^FAILED .*left a process running' "$OUT"
assert_grep 'sleep 63' "$OUT"
assert_eq "" "$(ps_of 'sleep 6[123] ')" "stray processes"

script interrupted <<'END'
trap 'echo interrupted; exit 0' INT
kill -INT $$
exit 1
END
expect 0 runner interrupted

rm "$fake"/tests/integration/*
expect 1 runner
last_line_is "0 passed, 0 failed, 0 skipped"
