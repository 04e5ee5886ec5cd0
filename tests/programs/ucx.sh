#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# UCX over the mock: Debian's ucx_perftest with the transports rc_verbs and ud_verbs.
# variants: plain
# timeout: 120
. "$(dirname "$0")/../lib.sh"
# Loopback has room for the longest packets; other interfaces may not.
export MOCKRDMA_DEVICES=mock0=lo
need ucx_perftest ucx_info

expect 0 mock ucx_info -d
for transport in rc_verbs ud_verbs; do
	assert_grep "Transport: $transport" "$OUT"
done
assert_grep 'Device: mock0:1' "$OUT"

# pair TRANSPORTS OPTION...: through UCP's choice of protocols
pair() {
	export UCX_TLS="$1"
	shift
	run_pair "$@"
}

# uct_pair TRANSPORT OPTION...: one transport by itself
uct_pair() {
	transport=$1
	shift
	run_pair -d mock0:1 -x "$transport" "$@"
}

run_pair() {
	port=$(free_port)
	spawn server mock ucx_perftest -p "$port"
	until_true 10 _listening "$port" || fail "ucx_perftest does not listen"
	expect 0 mock ucx_perftest -p "$port" -w 5 "$@" 127.0.0.1
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server: $UCX_TLS $*"
	assert_grep '^Final: ' "$OUT"
	assert_no_grep 'ERROR|mockrdma:' "$ERR"
	assert_no_grep 'ERROR|mockrdma:' "$(log_of server)"
}

pair rc_v,self -t tag_lat -s 8 -n 200
pair rc_v,self -t tag_bw -s 1048576 -n 50
pair rc_v,self -t ucp_put_bw -s 65536 -n 100
pair rc_v,self -t ucp_get -s 100000 -n 100
pair rc_v,self -t ucp_fadd -s 8 -n 100
pair rc_v,self -t ucp_cswap -s 4 -n 100
pair ud_v,self -t tag_lat -s 8 -n 50
pair ud_v,self -t tag_bw -s 10000 -n 50
pair rc_v,ud_v,self -t stream_lat -s 100 -n 50
unset UCX_TLS
UCX_TLS=all
uct_pair rc_verbs -t am_lat -D short -s 8 -n 200
uct_pair rc_verbs -t am_bw -D zcopy -s 4096 -n 200
uct_pair rc_verbs -t put_bw -D bcopy -s 1024 -n 200
uct_pair rc_verbs -t get -D zcopy -s 8192 -n 200
uct_pair rc_verbs -t add_lat -s 8 -n 100
uct_pair ud_verbs -t am_lat -D short -s 8 -n 50
uct_pair ud_verbs -t am_bw -D bcopy -s 1024 -n 100
