#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make -f Makefile.mock builds programs that need neither rdma-core nor preloading, beside the
# ordinary ones; clean takes away what its own makefile built and nothing else.
# variants: plain
# timeout: 240
. "$(dirname "$0")/../lib.sh"
need make "${CC:-gcc}"

tree=$TEST_TMP/tree
mkdir "$tree"
(cd "$TOP" && scripts/sources all | tar -cf - -T -) | tar -xf - -C "$tree"
unset BUILD
in_tree() {
	make -s -C "$tree" -j2 CFLAGS=-O1 lto= "$@"
}
needs() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

in_tree -f Makefile.mock
assert_eq build-mock/bin/secure_server "$(readlink "$tree/secure_server")"
for program in secure_server secure_client; do
	needs "$tree/$program" >"$TEST_TMP/needed"
	assert_grep '^libmockrdma\.so\.0$' "$TEST_TMP/needed"
	assert_no_grep '^lib(ibverbs|rdmacm)' "$TEST_TMP/needed"
	expect 0 env -u LD_PRELOAD "$tree/$program" --version
done

in_tree all
assert_eq build/bin/secure_server "$(readlink "$tree/secure_server")"
needs "$tree/secure_server" >"$TEST_TMP/needed"
assert_grep '^libibverbs\.so\.1$' "$TEST_TMP/needed"
assert_no_grep mockrdma "$TEST_TMP/needed"

in_tree -f Makefile.mock clean
[ -x "$tree/build/bin/secure_server" ] || fail "clean of the mock tree took away the other"
[ -x "$tree/secure_server" ] || fail "clean of the mock tree broke ./secure_server"
in_tree clean
(cd "$TOP" && scripts/sources all) >"$TEST_TMP/before"
(cd "$tree" && find . -type f -o -type l | sed 's|^\./||' | LC_ALL=C sort) >"$TEST_TMP/after"
LC_ALL=C sort -o "$TEST_TMP/before" "$TEST_TMP/before"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "clean left files behind"
