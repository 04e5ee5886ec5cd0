#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make install puts a tree together that others can build on; uninstall takes it all away.
# variants: plain
. "$(dirname "$0")/../lib.sh"
need make pkg-config "${CC:-gcc}"

dest=$TEST_TMP/dest
prefix=/usr/local
in_tree() {
	make -s -C "$TOP" BUILD="${BUILD#"$TOP"/}" DESTDIR="$dest" PREFIX=$prefix "$@"
}
in_tree install

bin=$dest$prefix/bin lib=$dest$prefix/lib
for program in mockrdma secure_server secure_client; do
	expect 0 "$bin/$program" --version
	assert_grep '[0-9]+\.[0-9]+\.[0-9]+' "$OUT"
done

# The installed launcher finds the installed device, beside itself.
expect 0 "$bin/mockrdma" run -- grep -o '/.*libmockrdma.*' /proc/self/maps
assert_grep "^$lib/libmockrdma\.so" "$OUT"

# An example, built as its user would, against what was installed only.
export PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_PATH=$lib/pkgconfig
for example in "$TOP"/examples/*.c; do
	# shellcheck disable=SC2046
	"${CC:-gcc}" -Werror -o "$TEST_TMP/example" "$example" $(pkg-config --cflags --libs srdma)
	assert_eq libsrdma.so.0 "$(LD_LIBRARY_PATH=$lib ldd "$TEST_TMP/example" |
		awk '$3 == "'"$lib"'/libsrdma.so.0" { print $1 }')" "the library that ${example##*/} uses"
done
assert_eq "$(sed -n 's/^#define SRDMA_VERSION_[A-Z]* //p' "$TOP/include/srdma.h" | paste -sd.)" \
	"$(pkg-config --modversion srdma)" "version"

# A link line with the mock in place of rdma-core.
printf '#include <infiniband/verbs.h>\nint main(void)\n{\n\tint n;\n
	return ibv_get_device_list(&n) && n == 1 ? 0 : 1;\n}\n' >"$TEST_TMP/linked.c"
"${CC:-gcc}" -o "$TEST_TMP/linked" "$TEST_TMP/linked.c" -L"$lib" -lmockrdma
LD_LIBRARY_PATH=$lib expect 0 "$TEST_TMP/linked"

in_tree uninstall
assert_eq "" "$(find "$dest" ! -type d)" "files left by uninstall"
