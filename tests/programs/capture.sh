#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# MOCKRDMA_PCAP: what goes between two programs is in a file as packets, which tshark finds
# nothing wrong with, and `mockrdma dump` prints.
# timeout: 120
# variants: plain
. "$(dirname "$0")/../lib.sh"
need ibv_rc_pingpong ib_read_bw

file=$TEST_TMP/all.pcap
# pair PORT PROGRAM ARG...: on this host, as server and client
pair() {
	_pair_port=$1
	shift
	spawn server mock "$@" -p "$_pair_port"
	until_true 10 _listening "$_pair_port" || fail "$1 does not listen"
	expect 0 mock "$@" -p "$_pair_port" 127.0.0.1
	wait_exit server
	assert_eq 0 "$STATUS" "server of $1"
}

export MOCKRDMA_PCAP="$file"
pair "$(free_port)" ibv_rc_pingpong -g 0 -s 3001 -m 1024 -n 5
pair "$(free_port)" ibv_ud_pingpong -g 0 -s 1000 -n 5
pair "$(free_port)" ibv_uc_pingpong -g 0 -s 3000 -m 1024 -n 5
pair "$(free_port)" ib_read_bw -F -x 0 -s 9000 -n 5 -m 4096
pair "$(free_port)" ib_write_lat -F -x 0 -s 9000 -n 5 -m 4096
pair "$(free_port)" ib_atomic_bw -F -x 0 -n 5
unset MOCKRDMA_PCAP

expect 0 mockrdma dump "$file"
dump=$OUT.dump
cp "$OUT" "$dump"
assert_no_grep 'ICRC wrong|not a packet|another packet' "$dump"
# Ten messages of three packets each, and an answer to each message.
assert_eq 10 "$(grep -c 'RC SEND First .* 1024 bytes' "$dump")" "first packets"
assert_eq 10 "$(grep -c 'RC SEND Last .* 953 bytes ack-request' "$dump")" "last packets"
assert_eq 10 "$(grep -c 'UD SEND Only .* 1000 bytes' "$dump")" "datagrams"
assert_eq 10 "$(grep -c 'UC SEND Last .* 952 bytes' "$dump")" "UC"
assert_eq 5 "$(grep -c 'RC READ Request .* length 9000' "$dump")" "READ requests"
assert_eq 5 "$(grep -c 'RC READ Response Last .* 808 bytes' "$dump")" "READ responses"
assert_grep 'RC WRITE First' "$dump"
assert_grep 'RC (ATOMIC|Atomic) Acknowledge' "$dump"
# The PSN of a packet is that of the one before and one.
grep 'RC SEND ' "$dump" | sed 's/.* qp 0x\([0-9a-f]*\) psn \(0x[0-9a-f]*\) .*/\1 \2/' | sort -s -k 1,1 >"$TEST_TMP/psns"
before=
while read -r qp psn; do
	[ "$qp" != "${before% *}" ] || assert_eq $(((${before#* } + 1) % 16777216)) $((psn)) "PSN to QP $qp"
	before="$qp $psn"
done <"$TEST_TMP/psns"

# One file for each process; and one that is not ours.
export MOCKRDMA_PCAP="$TEST_TMP/%p.pcap"
pair "$(free_port)" ibv_rc_pingpong -g 0 -n 5
assert_eq 2 "$(find "$TEST_TMP" -name '[0-9]*.pcap' | wc -l)" "files"
echo "something else, and rather long" >"$TEST_TMP/other"
export MOCKRDMA_PCAP="$TEST_TMP/other"
pair "$(free_port)" ibv_rc_pingpong -g 0 -n 5
assert_grep 'MOCKRDMA_PCAP: .*/other is there and not a capture' "$ERR"
assert_eq "something else, and rather long" "$(cat "$TEST_TMP/other")" "a file of others"
expect 1 mockrdma dump "$TEST_TMP/other"
assert_grep 'it is no capture' "$ERR"
expect 1 mockrdma dump "$TEST_TMP/none"
unset MOCKRDMA_PCAP

# Who is killed leaves what there was.
export MOCKRDMA_PCAP="$TEST_TMP/killed.pcap"
port=$(free_port)
spawn server mock ibv_rc_pingpong -g 0 -n 1000000 -p "$port"
until_true 10 _listening "$port" || fail "it does not listen"
spawn client mock ibv_rc_pingpong -g 0 -n 1000000 -p "$port" 127.0.0.1
until_true 10 test -s "$TEST_TMP/killed.pcap" || fail "nothing is captured"
stop client KILL
stop server KILL
unset MOCKRDMA_PCAP
expect 0 mockrdma dump "$TEST_TMP/killed.pcap"
assert_no_grep 'ICRC wrong|not a packet|another packet' "$OUT"

command -v tshark >/dev/null || skip "all but Wireshark's opinion: tshark is not installed"
. "$(dirname "$0")/../tshark.sh"
tshark_agrees "$file"
tshark_agrees "$TEST_TMP/killed.pcap"
