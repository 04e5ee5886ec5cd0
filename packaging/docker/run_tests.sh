#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run_tests.sh: the demo on the best device that this container may use: an RDMA device that has an
# address of ours, the kernel's Soft-RoCE (it is set up where that is permitted), or else the mock.
# Says which it was, and ends with the demo's three lines if and only if they are true of it.
#
#   DEVICE=mock0|NAME    that one and no other
#   CLIENTS=10 BIG=64    how many clients, MiB of the large file

set -u
app=$(cd "$(dirname "$0")" && pwd)
sys=${SYSFS:-/sys}/class/infiniband
export CLIENTS=${CLIENTS:-10} BIG=${BIG:-64} BUILD=${BUILD:-/usr/local}

addresses() { # of this network namespace, but for loopback
	ip -o -4 address show scope global 2>/dev/null | awk '{ sub("/.*", "", $4); print $2, $4 }'
}

# The GID of a RoCE device for an IPv4 address: ::ffff:a.b.c.d
gid_of() {
	local a b c d
	IFS=. read -r a b c d <<<"$1"
	printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x' "$a" "$b" "$c" "$d"
}

# usable NAME: whether a program of ours may open it, and a GID of it is an address of ours, which is
# then in $address.
usable() {
	local _ ip v node=''
	for v in "$sys"/../infiniband_verbs/uverbs*; do
		[ "$(cat "$v/ibdev" 2>/dev/null)" != "$1" ] || node=/dev/infiniband/${v##*/}
	done
	[ -w "$node" ] || return 1
	while read -r _ ip; do
		grep -qsxF "$(gid_of "$ip")" "$sys/$1"/ports/1/gids/* && { address=$ip; return 0; }
	done < <(addresses)
	return 1
}

usable_device() {
	local d
	for d in "$sys"/*; do
		[ -e "$d" ] || continue
		usable "${d##*/}" && { device=${d##*/}; return 0; }
	done
	return 1
}

# Soft-RoCE on the first interface; the kernel loads its module when asked for such a link. The
# container's /dev was made before the device was.
make_soft_roce() {
	local interface v node major minor
	[ -x "$app/privileged/rdma" ] || return 1
	interface=$(addresses | awk '{ print $1; exit }')
	[ -n "$interface" ] || return 1
	"$app/privileged/rdma" link add rxe0 type rxe netdev "${interface%@*}" 2>/dev/null || return 1
	for v in "$sys"/../infiniband_verbs/uverbs* "$sys"/../misc/rdma_cm; do
		node=/dev/infiniband/${v##*/}
		if [ ! -e "$node" ] && [ -r "$v/dev" ]; then
			IFS=: read -r major minor <"$v/dev"
			"$app/privileged/mknod" -m 666 "$node" c "$major" "$minor" 2>/dev/null
		fi
	done
}

address=127.0.0.1
device=${DEVICE:-}
case $device in
mock0) ;;
'')
	usable_device || { make_soft_roce && usable_device; } || device=mock0
	;;
*)
	usable "$device" || {
		echo "run_tests: $device is not there, may not be opened, or has no address of this container" >&2
		exit 1
	}
	;;
esac

case $device in
mock0) what='an RDMA device made of software, in user space' ;;
rxe*) what="the kernel's Soft-RoCE, at $address" ;;
*) what="an RDMA device of this machine, at $address" ;;
esac
echo "device: $device: $what"
exec env DEVICE="$device" ADDRESS="$address" "$app/scripts/demo.sh"
