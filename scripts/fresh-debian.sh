#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# scripts/fresh-debian.sh [TARGET...]: shows that `./run TARGET` (default: demo) works where
# nothing is installed but git. Makes a minimal Debian 12 with mmdebstrap, clones the commit
# that is checked out into it, and calls ./run there, with processes and mounts of its own
# but this machine's network. Removes it all afterwards; KEEP=1 keeps it.
#
# Needs root, mmdebstrap and a Debian mirror (MIRROR=http://deb.debian.org/debian). Where
# one of these is missing it says so and exits with 77.

set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
mirror=${MIRROR:-http://deb.debian.org/debian}
[ $# -gt 0 ] || set -- demo

skip() {
	echo "fresh-debian: skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "this needs root, for a root file system and its mounts"
for p in mmdebstrap unshare git; do
	command -v $p >/dev/null || skip "$p is not installed: apt-get install $p"
done

root=$(mktemp -d "${TMPDIR:-/var/tmp}/fresh-debian.XXXXXX")
cleanup() {
	[ -n "${KEEP:-}" ] && { echo "fresh-debian: kept: $root"; return; }
	rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fresh-debian: making a minimal Debian 12 with git"
mmdebstrap --quiet --variant=minbase --include=git,ca-certificates \
	--components=main bookworm "$root" "$mirror" >"$root.log" 2>&1 || {
	tail -n 5 "$root.log"
	rm -f "$root.log"
	skip "mmdebstrap could not make a Debian from $mirror"
}
rm -f "$root.log"
# A namesake of the clone's owner, or git would refuse to work in it.
git clone -q --no-hardlinks "$top" "$root/root/secure-rdma"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/hosts "$root/etc/hosts"

# The mounts are in a namespace of their own and go with it; so do the processes.
cat >"$root/root/inside" <<'END'
set -eu
root=$1
shift
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
exec chroot "$root" env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	sh -c 'cd /root/secure-rdma && exec ./run "$@"' run "$@"
END
for target in "$@"; do
	echo "fresh-debian: ./run $target"
	start=$(date +%s)
	unshare --mount --propagation private --pid --fork --kill-child \
		sh "$root/root/inside" "$root" "$target"
	echo "fresh-debian: ./run $target: ended well after $(($(date +%s) - start)) s"
done
