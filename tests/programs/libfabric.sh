#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# libfabric's verbs provider over the mock: Debian's fi_pingpong with connections, datagrams, and
# the reliable datagrams made of each.
# variants: plain
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need fi_pingpong fi_info

expect 0 mock fi_info -p verbs
assert_grep 'domain: mock0' "$OUT"
assert_grep 'FI_PROTO_RDMA_CM_IB_RC' "$OUT"

# Over ofi_rxm, whoever sees the peer's disconnection before it polled the last message's completion
# destroys the QP, and the completion goes with it, as it does on adapters; then that side waits for
# ever. So both start again.
both() {
	port=$(free_port)
	spawn server mock fi_pingpong -B "$port" "$@"
	until_true 10 _listening "$port" || fail "fi_pingpong does not listen"
	expect 0 mock fi_pingpong -P "$port" "$@" 127.0.0.1
	until_true 3 _gone "$(pid_of server)" && return 0
	case $* in *ofi_rxm*) ;; *) fail "the server goes on: $*" ;; esac
	stop server KILL
	return 1
}

# pair PROVIDER ENDPOINT SIZE OPTION...
pair() {
	provider=$1 endpoint=$2 size=$3
	shift 3
	set -- -p "$provider" -e "$endpoint" -S "$size" "$@"
	until_true 30 both "$@" || fail "no success: $*"
	wait_exit server
	assert_eq 0 "$STATUS" "status of the server: $*"
	assert_grep '^[0-9]+[kmg]? +[0-9]+ +=[0-9]+ ' "$OUT"
	assert_no_grep 'mockrdma:' "$(log_of server)"
}

pair verbs msg 64 -I 200
pair verbs msg all -I 5 -c
pair verbs dgram 64 -I 50
pair 'verbs;ofi_rxm' rdm 64 -I 200 -c
pair 'verbs;ofi_rxm' rdm all -I 5
pair 'verbs;ofi_rxd' rdm 64 -I 20 -c
