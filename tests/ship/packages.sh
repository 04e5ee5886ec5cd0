#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian packages, built of nothing but the sources: lintian has nothing to say, each has what it
# should, and they install and work in a Debian that has nothing else.
#
#   DEBS=DIR     packages that are there already, in place of building them
#
# timeout: 900
# variants: plain
. "$(dirname "$0")/../lib.sh"
need dpkg-buildpackage dh

cd "$TEST_TMP"
if [ -z "${DEBS:-}" ]; then
	DEBS=$TEST_TMP
	mkdir source
	(cd "$TOP" && scripts/sources all | tar -cf - -T -) | tar -xf - -C source
	(unset BUILD && cd source && DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -us -uc -b) >build.log 2>&1 ||
		fail "dpkg-buildpackage"
	# All of it was found again and put into a package, and the demo ran.
	assert_no_grep 'dh_missing: (warning|error)|warning: .*symbols' build.log
	assert_grep '^✓ Data transfer successful' build.log
fi

if command -v lintian >/dev/null; then
	lintian --fail-on error,warning "$DEBS"/*.changes >lintian.log 2>&1 || fail lintian
	assert_no_grep '^[EW]: ' lintian.log
else
	echo "lintian: skipped: it is not installed"
fi

# --- what is in them ---
# has PACKAGE FILE-REGEX...
has() {
	dpkg -c "$DEBS/$1"_*.deb | awk '{ print $6 }' | sed 's|^\.||' >contents
	shift
	for file in "$@"; do assert_grep "^$file\$" contents; done
}
lib="/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)"
has libsrdma0 "$lib/libsrdma\.so\.0"
assert_no_grep "\.h$|/bin/" contents
has libsrdma-dev /usr/include/srdma.h "$lib/libsrdma\.(a|so)" "$lib/pkgconfig/srdma.pc" \
	"/usr/share/man/man3/srdma_(write|read_wait)\.3\.gz"
has secure-rdma /usr/bin/secure_{server,client} "/etc/secure-rdma/(server.conf|policy.yaml)" \
	"(/usr)?/lib/systemd/system/secure-rdma.service" "/usr/share/man/man1/secure_(server|client).1.gz" \
	"/usr/share/bash-completion/completions/secure_server"
has mockrdma /usr/bin/mockrdma "$lib/libmockrdma\.so(\.0)?" /usr/share/man/man1/mockrdma.1.gz
assert_grep 'Depends:.*libibverbs1.*libssl3' <(dpkg -f "$DEBS"/secure-rdma_*.deb | tr '\n' ' ')
assert_eq '' "$(dpkg -f "$DEBS"/mockrdma_*.deb Depends | grep -oE 'libibverbs|librdmacm')" "what the mock depends on of rdma-core"

mkdir unpacked
for deb in "$DEBS"/*.deb; do dpkg -x "$deb" unpacked; done
if command -v systemd-analyze >/dev/null; then
	# What is wrong with the unit itself, not with other units of this machine.
	systemd-analyze verify --root=unpacked secure-rdma.service 2>&1 | grep 'secure-rdma.service:[0-9]' >unit.log || :
	[ ! -s unit.log ] || fail "$(cat unit.log)"
fi

# --- installed where nothing else is ---
[ "$(id -u)" = 0 ] || skip "packages are built and right; installing them needs root"
command -v mmdebstrap >/dev/null || skip "packages are built and right; mmdebstrap to install them is not there"
mkdir debs
cp "$DEBS"/*_"$(dpkg --print-architecture)".deb debs
rm -f debs/*-dbgsym_*
(cd "$TOP" && tar -cf "$TEST_TMP/tests.tar" debian/tests scripts/make-certs.sh examples)
mmdebstrap --quiet --variant=apt --components=main bookworm root "${MIRROR:-http://deb.debian.org/debian}" >debian.log 2>&1 ||
	skip "packages are built and right; mmdebstrap could not make a Debian"
cp -r debs root/tmp/
mkdir root/tmp/source
tar -xf tests.tar -C root/tmp/source
cp /etc/resolv.conf /etc/hosts root/etc/
inside() {
	unshare --mount --propagation private sh -c '
		root=$1; shift
		mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" && mount --rbind /sys "$root/sys" &&
		exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive TEST_TMP="$TEST_TMP" \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' inside root "$@"
}
inside sh -c 'apt-get -qq update && apt-get -qq -y --no-install-recommends install /tmp/debs/*.deb \
	openssl gcc libc6-dev pkgconf' >install.log 2>&1 || fail "the packages do not install"
inside id -u secure-rdma >user.log 2>&1 || fail "there is no user secure-rdma after installation"
for t in session build; do
	inside "/tmp/source/debian/tests/$t" >"$t.log" 2>&1 || fail "autopkgtest $t"
	assert_grep "^$t: passed" "$t.log"
done
inside apt-get -qq -y purge secure-rdma mockrdma libsrdma-dev libsrdma0 >purge.log 2>&1 || fail "purge"
assert_eq '' "$(find root/etc root/usr root/lib -path '*s*rdma*' -name '*s*rdma*' ! -path '*/infiniband/*' \
	-regex '.*/\(secure[-_]\|libsrdma\|libmockrdma\|mockrdma\|srdma\).*' | grep -vE 'deb-systemd|/sysusers' || :)" "left after purge"
