#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the Debian packages are made of agrees with the tree: version, symbols, files, settings.
# tests/ship builds and installs them.
# variants: plain
. "$(dirname "$0")/../lib.sh"
need nm make openssl

cd "$TEST_TMP"
version=$(sed -n 's/^#define SRDMA_VERSION_[A-Z]* //p' "$TOP/include/srdma.h" | paste -sd.)
assert_eq "$version" "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP/debian/changelog")" "version in debian/changelog"

nm -D --defined-only "$BUILD/lib/libsrdma.so" | awk '$3 ~ /^srdma_/ { print $3 }' | sort >exported
sed -n 's/^ \(srdma_[a-z_]*\)@Base .*/\1/p' "$TOP/debian/libsrdma0.symbols" | sort >symbols
diff -u --label debian/libsrdma0.symbols --label libsrdma.so symbols exported ||
	fail "debian/libsrdma0.symbols: a function is missing there, or gone"

# Each installed file is in a package, and each package's files are installed.
make -s -C "$TOP" BUILD="${BUILD#"$TOP"/}" DESTDIR="$PWD/dest" PREFIX=/usr LIBDIR=/usr/lib/triplet install >install.log 2>&1
(cd dest && find . ! -type d | sed 's|^\./||' | sort) >installed
: >packaged
for list in "$TOP"/debian/*.install; do
	while read -r file to; do
		[ -z "$to" ] || { [ -f "$TOP/$file" ] || fail "${list##*/}: no $file"; continue; }
		pattern=${file//\*/[^/]*}
		grep -E "^$pattern(/|$)" installed >>packaged || fail "${list##*/}: make install has no $file"
	done <"$list"
done
diff -u installed <(sort packaged) || fail "files that are in no package, or in two"

# The configuration that the package brings is one that the server starts with.
"$TOP/scripts/make-certs.sh" -s localhost certs
sed "s|/etc/secure-rdma/policy|$TOP/packaging/secure-rdma/policy|; s|/etc/secure-rdma|$PWD/certs|
	s|/var/lib/secure-rdma|$PWD|" "$TOP/packaging/secure-rdma/server.conf" >server.conf
spawn server mock secure_server --config server.conf --listen 127.0.0.1:0
wait_for server 'listening on'
stop server
assert_eq 0 "$STATUS" "exit status of the server"
