#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Programs that look at /sys/class/infiniband find the device there, and nothing else changes.
. "$(dirname "$0")/../lib.sh"
need rping ibv_rc_pingpong

device=/sys/class/infiniband/mock0
port=$device/ports/1

# value FILE: what it holds, as a program sees it.
value() {
	mock cat "$1"
}
assert_eq mock0 "$(mock ls /sys/class/infiniband)" devices
assert_eq '4: ACTIVE' "$(value $port/state)" state
assert_eq '5: LinkUp' "$(value $port/phys_state)" phys_state
assert_eq Ethernet "$(value $port/link_layer)" link_layer
assert_eq 0x0 "$(value $port/lid)" lid
assert_eq 0xffff "$(value $port/pkeys/0)" pkey
assert_eq '1: CA' "$(value $device/node_type)" node_type
assert_eq mock0 "$(value /sys/class/infiniband_verbs/uverbs-mock0/ibdev)" ibdev

# What the verbs say, and what the files say, are the same.
mock ibv_devinfo -v -d mock0 >"$TEST_TMP/devinfo"
guid=$(sed -n 's/^\tnode_guid:[[:space:]]*//p' "$TEST_TMP/devinfo")
assert_eq "$guid" "$(value $device/node_guid)" node_guid
assert_eq "$(sed -n 's/^\tfw_ver:[[:space:]]*//p' "$TEST_TMP/devinfo")" "$(value $device/fw_ver)" fw_ver

# Each GID has an interface, which is one of the system's, and one of the device's.
gid=$(value $port/gids/0)
netdev=$(value $port/gid_attrs/ndevs/0)
[ -e "/sys/class/net/$netdev" ] || fail "no interface '$netdev'"
mock ls $device/device/net >"$TEST_TMP/netdevs"
assert_grep "^$netdev\$" "$TEST_TMP/netdevs"
assert_eq 'RoCE v2' "$(value $port/gid_attrs/types/0)" 'type of the GID'
echo "$gid" | grep -qE '^[0-9a-f]{4}(:[0-9a-f]{4}){7}$' || fail "no GID: $gid"

# As scripts do that list devices with their interfaces.
# shellcheck disable=SC2016
mock sh -c 'for d in /sys/class/infiniband/*; do
	for p in "$d"/ports/*; do
		read -r state <"$p/state"
		for n in "$d"/device/net/*; do echo "${d##*/} port ${p##*/} ==> ${n##*/} ($state)"; done
	done
done' >"$TEST_TMP/netdev"
assert_grep "^mock0 port 1 ==> $netdev \\(4: ACTIVE\\)$" "$TEST_TMP/netdev"
assert_eq $device "$(mock readlink -f /sys/class/infiniband/mock0)" realpath
mock find /sys/class/infiniband -name state >"$TEST_TMP/found"
assert_eq $port/state "$(cat "$TEST_TMP/found")" 'what find finds'

# What is not there is not, what cannot be written is not, as the caller's own paths have it.
expect 1 mock cat $device/nonsense
assert_grep "$device/nonsense: No such file" "$ERR"
expect 1 mock cat /sys/class/infinibandage
assert_grep '/sys/class/infinibandage: No such file' "$ERR"
expect 1 mock cp /dev/null $device/node_desc
assert_grep 'Permission denied' "$ERR"
assert_eq "$(cat /proc/sys/kernel/ostype)" "$(value /proc/sys/kernel/ostype)" 'another file'
assert_eq "$(ls /sys/class/net)" "$(mock ls /sys/class/net)" 'another directory'

# The device's node can be looked at, and no more.
node=/dev/infiniband/uverbs-mock0
expect 0 mock test -c $node
expect 1 mock cat $node
assert_grep "$node: No such device or address" "$ERR"
expect 2 mock sh -c ": >>$node"
assert_grep "$node: No such device or address" "$ERR"
expect 1 mock test -e /dev/infiniband/uverbs-nosuch0
expect 1 mock cat /dev/infiniband/uverbs-nosuch0
assert_grep "uverbs-nosuch0: No such file" "$ERR"

# Counters are the host's, and of the time at which they are read.
tcp=$(free_port)
spawn listener mock rping -s -a 127.0.0.1 -p "$tcp"
tcp=$(free_port)
spawn server mock ibv_rc_pingpong -g 0 -p "$tcp" -n 100 -s 4096
until_true 10 _listening "$tcp" || fail "no pingpong server"
assert_eq 0 "$(value $port/counters/port_xmit_data)" 'data before any was sent'
expect 0 mock ibv_rc_pingpong -g 0 -p "$tcp" -n 100 -s 4096 127.0.0.1
wait_exit server
assert_eq 204800 "$(value $port/counters/port_xmit_data)" port_xmit_data
assert_eq 204800 "$(value $port/counters/port_rcv_data)" port_rcv_data
assert_eq 200 "$(value $port/hw_counters/rdma_sends)" rdma_sends
assert_eq 0 "$(value $port/hw_counters/out_of_seq_request)" out_of_seq_request
stop listener KILL

# Other languages' ways, where they are installed.
if command -v perl >/dev/null; then
	assert_eq 'mock0 4: ACTIVE' "$(mock perl -e 'opendir(D, "/sys/class/infiniband");
		print join(" ", grep { !/^\./ } readdir D), " ";
		open(F, "<", (glob("/sys/class/infiniband/*/ports/1/state"))[0]); print <F>')" perl
fi
if command -v /usr/bin/python3 >/dev/null; then
	assert_eq "['mock0'] ['$port']" "$(mock /usr/bin/python3 -c '
import glob, os
print(os.listdir("/sys/class/infiniband"), glob.glob("/sys/class/infiniband/*/ports/*"))')" python
fi
if command -v ibstat >/dev/null; then
	mock ibstat >"$TEST_TMP/ibstat"
	assert_grep "CA 'mock0'" "$TEST_TMP/ibstat"
	assert_grep 'State: Active' "$TEST_TMP/ibstat"
	mock ibstatus >"$TEST_TMP/ibstatus"
	assert_grep "'mock0' port 1 status" "$TEST_TMP/ibstatus"
fi

# Nothing stays: a process that was killed leaves its files to the next.
spawn holder mock tail -f $device/node_type
wait_for holder '1: CA'
[ -n "$(find "$MOCKRDMA_DIR" -name 'mockrdma-sys.*')" ] || fail "the files are elsewhere"
stop holder KILL
value $port/state >/dev/null
left() { [ -n "$(find "$MOCKRDMA_DIR" -mindepth 1 -name 'mockrdma-sys.*')" ]; }
! left || fail "files are left: $(find "$MOCKRDMA_DIR" -name 'mockrdma-sys.*')"
