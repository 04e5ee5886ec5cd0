#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's fio with its engine `rdma`: WRITE, READ and SEND.
# variants: plain
. "$(dirname "$0")/../lib.sh"
need fio
fio --enghelp 2>/dev/null | grep -q rdma || skip "this fio has no rdma engine"

# The target's depth is the number of messages: fio's SENDs wait for no receive, and it asks for no RNR
# retry, so that a target that falls behind a deeper or equal queue ends the test with RNR_RETRY_EXC_ERR.
for verb in write read send; do
	port=$(free_port)
	common="--ioengine=rdma --port=$port --bs=64k --size=5m"
	# shellcheck disable=SC2086
	spawn_listening server "$port" mock fio --name=take $common --rw=read --iodepth=80
	# shellcheck disable=SC2086
	expect 0 mock fio --name=give $common --rw=write --iodepth=16 --hostname=127.0.0.1 --verb=$verb
	assert_grep '^give: .* err= 0:' "$OUT"
	assert_grep 'WRITE: .* io=5120KiB' "$OUT"
	wait_exit server 20
	assert_eq 0 "$STATUS" "status of the server, $verb"
	assert_grep '^take: .* err= 0:' "$(log_of server)"
done
