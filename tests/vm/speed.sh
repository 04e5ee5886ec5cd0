#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# speed.sh rdma rdma: the mock beside the kernel's Soft-RoCE, both in the guest and both between
# two processes there; lines that begin with `=` are results. Fails where there is no figure, not where
# it is low.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

gid=$(gid_of rdma)

# figure COLUMN COMMAND...: of the last line of figures
figure() {
	_column=$1
	shift
	guest "$*" >"$TEST_TMP/figures" && awk -v c="$_column" '/^ *[0-9]/ { v = $c } END { print v }' "$TEST_TMP/figures"
}

# both_in_guest COLUMN PREFIX PROGRAM ARG...: as server and as client
both_in_guest() {
	_c=$1 _prefix=$2
	shift 2
	spawn server "$TOP/tests/vm/guest" exec "exec $_prefix $*"
	listens_on rdma 18515 tcp
	figure "$_c" "$_prefix $* 127.0.0.1"
	wait_exit server 30
}

on_mock="env MOCKRDMA_DIR=/dev/shm $BUILD/bin/mockrdma run --"

# median COMMAND...: of three
median() {
	for _run in 1 2 3; do "$@"; done | sort -n | sed -n 2p
}

# compare WHAT COLUMN BETTER PROGRAM ARG...
compare() {
	_what=$1 _col=$2 _better=$3
	shift 3
	kernel=$(median both_in_guest "$_col" env "$@" -F -d rdma0 -x "$gid")
	mock=$(median both_in_guest "$_col" "$on_mock" "$@" -F -d mock0)
	if [ -z "$kernel" ] || [ -z "$mock" ]; then fail "no figure of $*"; fi
	awk -v what="$_what" -v k="$kernel" -v m="$mock" -v better="$_better" 'BEGIN {
		printf "= %s: kernel %s, mock %s: %.1f x better\n", what, k, m, better == "less" ? k / m : m / k }'
}

compare "ib_send_lat 64 B (median, us)" 5 less ib_send_lat -s 64 -n 2000
compare "ib_write_bw 64 KiB (average, MB/s)" 4 more ib_write_bw -s 65536 -n 1000
