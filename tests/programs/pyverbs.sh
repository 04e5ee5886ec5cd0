#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rdma-core's own tests, as Debian's python3-pyverbs brings them: those that are not for the adapters of
# one maker. What they skip is what this device refuses or this machine has not; nothing else may be.
# variants: plain
# timeout: 400
. "$(dirname "$0")/../lib.sh"
suite=/usr/share/doc/rdma-core/tests
[ -r "$suite/run_tests.py" ] || skip "python3-pyverbs is not installed"

mkdir "$TEST_TMP/tests"
cp "$suite"/* "$TEST_TMP/tests"
gunzip -f "$TEST_TMP"/tests/*.gz
rm "$TEST_TMP"/tests/test_mlx5* "$TEST_TMP"/tests/test_efa* "$TEST_TMP"/tests/test_cuda*
expect 0 mock /usr/bin/python3 "$TEST_TMP/tests/run_tests.py" -v
assert_grep '^Ran 1[5-9][0-9] tests' "$ERR"
grep ' skipped ' "$ERR" |
	grep -vE 'Raw Packet|QP type 8 |dmabuf|huge pages|Extended CQ is' >"$TEST_TMP/skipped" || :
[ ! -s "$TEST_TMP/skipped" ] || fail "rdma-core's tests skip more than this device refuses:
$(cat "$TEST_TMP/skipped")"
