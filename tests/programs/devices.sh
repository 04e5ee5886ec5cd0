#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# MOCKRDMA_DEVICES: several devices, and devices with the addresses of one interface.
. "$(dirname "$0")/../lib.sh"
need ibv_devices ibv_devinfo ibv_rc_pingpong rping ucmatose

tool=$BUILD/bin/mockrdma
names() {
	mock ibv_devices | sed -n '3,$s/^ *\([^ \t]*\).*/\1/p' | tr '\n' ' '
}
assert_eq 'mock0 ' "$(names)" 'devices by default'

# What cannot be understood is said, and changes nothing.
for wrong in 'a,,b' 'a=' '=lo' 'a,a' 'a/b' '..' 'a=lo=b' 'a,b,c,d,e,f,g,h,i'; do
	export MOCKRDMA_DEVICES="$wrong"
	expect 0 mock ibv_devices
	assert_grep 'MOCKRDMA_DEVICES=.* is not understood' "$ERR"
	assert_eq 'mock0 ' "$(names 2>/dev/null)" "devices for $wrong"
done

# One with all addresses, one with loopback's: each has a GUID, and of the GIDs its own.
export MOCKRDMA_DEVICES=all,loop=lo
assert_eq 'all loop ' "$(names)" devices
mock ibv_devinfo -v -d all >"$TEST_TMP/all"
mock ibv_devinfo -v -d loop >"$TEST_TMP/loop"
guid() { sed -n 's/^\tnode_guid:[[:space:]]*//p' "$TEST_TMP/$1"; }
[ "$(guid all)" != "$(guid loop)" ] || fail "both have the GUID $(guid all)"
gids() { grep -o 'GID\[.*\]:.*' "$TEST_TMP/$1"; }
gids loop >"$TEST_TMP/gids"
assert_grep '::ffff:127\.0\.0\.1' "$TEST_TMP/gids"
gids all | grep -vE '::ffff:127\.|[[:space:]]::1,' >"$TEST_TMP/others" || :
while read -r other; do
	! grep -qF "${other##*]:}" "$TEST_TMP/gids" || fail "$other is loopback's"
done <"$TEST_TMP/others"
# What one has is among those of all; its table begins with it.
while read -r gid; do
	gids all | grep -qF "${gid##*]:}" || fail "$gid is not among those of all"
done <"$TEST_TMP/gids"
assert_grep 'GID\[ *0\]:' "$TEST_TMP/gids"
index_on() { sed -n 's/.*GID\[ *\([0-9]*\)\].*::ffff:127.0.0.1.*/\1/p' "$TEST_TMP/$1"; }
index=$(index_on loop)

# /sys has both, each with its interfaces.
assert_eq 'all loop ' "$(mock ls /sys/class/infiniband | tr '\n' ' ')" '/sys'
assert_eq lo "$(mock ls /sys/class/infiniband/loop/device/net)" 'interface of loop'
assert_eq lo "$(mock cat "/sys/class/infiniband/loop/ports/1/gid_attrs/ndevs/$index")" ndev

# Between two devices, and only by GIDs that a device has.
port=$(free_port)
spawn server mock ibv_rc_pingpong -d loop -g "$index" -p "$port" -n 50
until_true 10 _listening "$port" || fail "no pingpong server"
"$tool" ls --json >"$TEST_TMP/ls"
assert_grep '"name":"all","netdev":""' "$TEST_TMP/ls"
assert_grep '"name":"loop","netdev":"lo"' "$TEST_TMP/ls"
assert_grep '"device":"loop","qpn":[0-9]*,"type":"RC"' "$TEST_TMP/ls"
expect 0 mock ibv_rc_pingpong -d all -g "$(index_on all)" -p "$port" -n 50 127.0.0.1
wait_exit server
assert_eq 0 "$STATUS" 'status of the pingpong server'

# The connection manager takes the device that has the address: the bound one first.
port=$(free_port)
spawn listener mock rping -s -a 127.0.0.1 -p "$port" -P
until_true 10 sh -c "'$tool' ls --json | grep -q '\"port\":$port,\"listening\":1'" ||
	fail "no rping server"
spawn client mock rping -c -a 127.0.0.1 -p "$port"
used() { "$tool" ls --json | grep -q '"device":"loop",.*"state":"RTS".*"device":"loop",.*"state":"RTS"'; }
until_true 10 used || fail "rping uses another device: $("$tool" ls)"
stop client KILL
stop listener KILL

# Without a device for it, an address is none.
address=$(sed -n 's/.*::ffff:\([0-9.]*\).*/\1/p' "$TEST_TMP/others" | head -n 1)
if [ -n "$address" ]; then
	export MOCKRDMA_DEVICES=loop=lo
	STATUS=0
	mock ucmatose -b "$address" -p "$port" >"$TEST_TMP/refused" 2>&1 || STATUS=$?
	[ "$STATUS" != 0 ] || fail "bound to $address, which no device has"
	assert_grep 'Cannot assign requested address' "$TEST_TMP/refused"
fi

# An interface that is not there: the device is, and its port is down.
export MOCKRDMA_DEVICES=gone=nosuchif0
mock ibv_devinfo -v >"$TEST_TMP/gone"
assert_grep 'state:[[:space:]]*PORT_DOWN' "$TEST_TMP/gone"
assert_no_grep 'GID\[' "$TEST_TMP/gone"
assert_eq '1: DOWN' "$(mock cat /sys/class/infiniband/gone/ports/1/state)" 'state in /sys'
