#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 720
# variants: plain
# Each parser's fuzzer builds, and finds nothing in its corpus nor in a few seconds beyond it.
. "$(dirname "$0")/../lib.sh"
echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return !d && n; }' >"$TEST_TMP/none.c"
clang -fsanitize=fuzzer -o "$TEST_TMP/none" "$TEST_TMP/none.c" 2>/dev/null ||
	skip "clang and its libFuzzer are not installed (packages clang, libclang-rt-14-dev)"
cd "$TOP" || exit 1
make -s fuzz FUZZ_SECONDS=1 BUILD="$TEST_TMP/fuzz" >"$TEST_TMP/log" 2>&1 || {
	tail -40 "$TEST_TMP/log"
	exit 1
}
[ "$(grep -c '^stat::number_of_executed_units' "$TEST_TMP/log")" -ge 13 ]
