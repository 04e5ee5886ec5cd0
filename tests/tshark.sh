# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What Wireshark says of a capture; for scripts that have tests/lib.sh.

# tshark_agrees FILE: it finds packets, all of RoCE v2 with right checksums, and none that is
# malformed. What they carry is not RPC, which it guesses.
tshark_agrees() {
	tshark -r "$1" --disable-protocol rpcordma -o udp.check_checksum:TRUE \
		-o ip.check_checksum:TRUE -T fields -e frame.number -e frame.protocols \
		-e udp.checksum.status -e ip.checksum.status -e _ws.malformed \
		-e infiniband.bth.destqp >"$TEST_TMP/tshark" 2>"$TEST_TMP/tshark.err" ||
		fail "tshark does not read ${1##*/}: $(cat "$TEST_TMP/tshark.err")"
	[ -s "$TEST_TMP/tshark" ] || fail "no packet in ${1##*/}"
	awk -F '\t' '$2 !~ /udp:infiniband/ || $3 != 1 || ($2 ~ /:ip:/ && $4 != 1) || $5 != "" || $6 == ""' \
		"$TEST_TMP/tshark" >"$TEST_TMP/tshark.bad"
	[ ! -s "$TEST_TMP/tshark.bad" ] || fail "in ${1##*/}: $(head -n 3 "$TEST_TMP/tshark.bad")"
}
