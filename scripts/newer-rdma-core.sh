#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# scripts/newer-rdma-core.sh [RELEASE...]: shows that the mock works with rdma-core of later
# Debian releases (default: trixie, which has 56, and sid, which has the latest). For each: makes a
# root file system of it with mmdebstrap, compares mock/api/verbs_list.def with its libraries and headers,
# runs its ibverbs-utils, rdmacm-utils and perftest on the libmockrdma.so that was built here, and builds
# the library against its headers with its compiler. Removes it all afterwards; KEEP=1 keeps it.
#
# ROOT=/path/of/one uses a root that is there, made so before.
#
# Needs root, mmdebstrap and a Debian mirror (MIRROR=http://deb.debian.org/debian). Where
# one of these is missing it says so and exits with 77.

set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
mirror=${MIRROR:-http://deb.debian.org/debian}
# A mirror that stands still is as good: what is wanted is a later release, not its latest day.
stale='Acquire::Check-Valid-Until "false"'
packages="ibverbs-utils rdmacm-utils perftest ibverbs-providers libibverbs-dev librdmacm-dev
	gcc libc6-dev make libssl-dev libevent-dev libisal-dev libpcap-dev iproute2 procps"
tests="programs/ibv_devices programs/ibv_pingpong programs/rping programs/rdma_cm programs/rsocket
	programs/rdmacm_utils programs/sysfs programs/perftest.sh"
[ $# -gt 0 ] || set -- trixie sid

skip() {
	echo "newer-rdma-core: skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "this needs root, for a root file system and its mounts"
for p in mmdebstrap unshare; do
	command -v $p >/dev/null || skip "$p is not installed: apt-get install $p"
done
[ -e "$top/build/lib/libmockrdma.so" ] || make -C "$top" -s all tests

made=
cleanup() {
	[ -n "$made" ] || return 0
	[ -n "${KEEP:-}" ] && { echo "newer-rdma-core: kept: $made"; return; }
	rm -rf --one-file-system "$made"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# make_root RELEASE: sets $root
make_root() {
	made=$(mktemp -d "${TMPDIR:-/var/tmp}/newer-rdma-core.XXXXXX")
	root=$made/root
	echo "newer-rdma-core: making a minimal Debian $1"
	mmdebstrap --quiet --variant=minbase --aptopt="$stale" \
		--include="$(echo "$packages" | tr -s '\n\t ' ,)" "$1" "$root" "$mirror" >"$made/log" 2>&1 || {
		tail -n 5 "$made/log"
		skip "mmdebstrap could not make a Debian $1 from $mirror"
	}
}

# What the tests read, and what they run.
copy_tree() {
	rm -rf "$root/root/secure-rdma"
	mkdir -p "$root/root/secure-rdma/build/tests"
	(cd "$top" && tar -cf - --exclude=./build --exclude='./build-*' --exclude=./.git .) |
		tar -xf - -C "$root/root/secure-rdma"
	cp -r "$top/build/bin" "$top/build/lib" "$root/root/secure-rdma/build"
	cp -r "$top/build/tests/programs" "$root/root/secure-rdma/build/tests"
}

# inside COMMAND: in the root, with mounts, processes and a network of its own
inside() {
	# shellcheck disable=SC2016 # for the other shell
	unshare --mount --propagation private --pid --net --fork --kill-child sh -c '
		root=$1
		mount --rbind /dev "$root/dev"
		mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
		exec chroot "$root" env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			sh -c "ip link set lo up && cd /root/secure-rdma && $2"
	' inside "$root" "$1"
}

status=0
for release in "$@"; do
	if [ -n "${ROOT:-}" ]; then root=$ROOT; else make_root "$release"; fi
	# shellcheck disable=SC2016 # for dpkg-query
	version=$(chroot "$root" dpkg-query -W -f '${Version}' libibverbs1)
	echo "newer-rdma-core: $release has rdma-core $version"
	VERBS_ROOT=$root "$top/tests/programs/verbs_list.sh" || status=1
	copy_tree
	inside "tests/run-tests $(echo "$tests" | tr -s '\n\t' ' ')" || status=1
	inside "rm -rf build && make -s -j2 lto= build/lib/libmockrdma.so" ||
		{ echo "newer-rdma-core: the library does not build with $version"; status=1; }
	cleanup
	made=
	echo "newer-rdma-core: $release: $([ $status = 0 ] && echo "all is well" || echo "see above")"
done
exit $status
