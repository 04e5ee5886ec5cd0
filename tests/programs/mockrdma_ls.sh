#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mockrdma ls and stat show what the processes of a host have, and count what they did, also of
# those that have gone; who looks takes no part in the host.
. "$(dirname "$0")/../lib.sh"
need rping ibv_rc_pingpong ib_write_bw

tool=$BUILD/bin/mockrdma

# Nobody is there, and looking does not change that.
expect 0 "$tool" ls
assert_grep 'no process' "$OUT"
expect 0 "$tool" ls --json
assert_eq '{"processes":[],"devices":[],"qps":[],"cqs":[],"mrs":[],"listeners":[]}' \
	"$(cat "$OUT")" 'the empty host'
expect 0 "$tool" stat --json
assert_eq '{"processes":[],"host":{}}' "$(cat "$OUT")" 'counters of the empty host'
assert_eq '' "$(ls "$MOCKRDMA_DIR")" 'files in the directory'
expect 2 "$tool" ls --jsno
assert_grep "'--jsno'" "$ERR"
expect 2 "$tool" stat -x

# count NAME: of the host as a whole.
count() {
	"$tool" stat --json | sed 's/.*"host"://' | grep -o "\"$1\":[0-9]*" | cut -d: -f2
}
lists() {
	"$tool" ls --json | grep -qE -e "$1"
}

# A listener, which keeps the host while others come and go.
port=$(free_port)
spawn listener mock rping -s -a 127.0.0.1 -p "$port"
until_true 10 lists "\"TCP\",\"address\":\"127.0.0.1\",\"port\":$port,\"listening\":1" ||
	fail "the listener is not shown"
assert_eq 0 "$(count sent_pkts)" 'packets sent before any'

# 100 round trips: 100 SENDs from each side, each acknowledged, and no drop.
pingpong=$(free_port)
spawn server mock ibv_rc_pingpong -g 0 -p "$pingpong" -n 100 -s 4096
until_true 10 _listening "$pingpong" || fail "no pingpong server"
"$tool" ls >"$TEST_TMP/ls"
assert_grep "^ *[0-9]+  *mock0  *[0-9]+  *RC  *INIT " "$TEST_TMP/ls"
assert_grep "4096  local-write" "$TEST_TMP/ls"
expect 0 mock ibv_rc_pingpong -g 0 -p "$pingpong" -n 100 -s 4096 127.0.0.1
wait_exit server
assert_eq 200 "$(count rdma_sends)" rdma_sends
assert_eq 200 "$(count rdma_recvs)" rdma_recvs
assert_eq 819200 "$(count sent_bytes)" sent_bytes
assert_eq 819200 "$(count rcvd_bytes)" rcvd_bytes
assert_eq "$(count sent_pkts)" "$(count rcvd_pkts)" 'packets sent and received'
assert_eq "" "$("$tool" stat | grep ^drop_)" drops

# Two that are connected know each other; their counters grow while they run.
port=$(free_port)
spawn target mock ib_write_bw -p "$port" --run_infinitely
until_true 10 _listening "$port" || fail "no perftest server"
spawn writer mock ib_write_bw -p "$port" --run_infinitely 127.0.0.1
pair='"RC","state":"RT[RS]","peer_qpn":[1-9][0-9]*,"peer_gid":"::ffff:[0-9.]*","peer_pid":[1-9]'
until_true 10 lists "$pair.*$pair" || fail "the connected pair is not shown"
lists '"access":"[^"]*remote-write' || fail "no region that can be written to"
before=$(count request_bytes_rcvd)
more() { [ "$(count request_bytes_rcvd)" -gt "$before" ]; }
until_true 10 more || fail "the counters stand still"

# Killed, they leave what they had counted.
before=$(count request_bytes_rcvd)
stop writer KILL
stop target KILL
lists '"qps":\[\]' || fail "QPs of the dead are shown"
expect 0 mock ibv_devices
[ "$(count request_bytes_rcvd)" -ge "$before" ] || fail "counts went with their process"

# A program may have any name: neither JSON nor the terminal is broken by it.
odd=$TEST_TMP/$(printf 'a"b\\c\033d')
cp "$(command -v rping)" "$odd"
spawn odd mock "$odd" -s -a 127.0.0.1 -p "$(free_port)"
until_true 10 lists '"program":"a\\"b\\\\c\\u001bd"' || fail "the odd name: $("$tool" ls --json)"
"$tool" ls >"$TEST_TMP/ls"
assert_grep 'a"b\\c\?d' "$TEST_TMP/ls"
stop odd KILL

# Again each second, with what came meanwhile.
spawn watcher "$tool" stat -w
wait_for watcher '/s$'
stop watcher
