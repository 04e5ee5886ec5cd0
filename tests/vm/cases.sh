# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What `interop` runs: run_case NAME SCRIPT SERVER CLIENT ARG...

sizes="1 2 4 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 32768 65536 131072 262144 524288 1048576"

# both_ways NAME SCRIPT ARG...: each end as server and as client
both_ways() {
	_name=$1 _script=$2
	shift 2
	run_case "$_name: kernel as server, mock as client" "$_script" rdma mock "$@"
	run_case "$_name: mock as server, kernel as client" "$_script" mock rdma "$@"
}

verbs_cases() {
	both_ways "ibv_rc_pingpong, 1 B to 1 MiB" verbs.sh pingpong ibv_rc_pingpong "$sizes" -c -n 10
	both_ways "ibv_rc_pingpong by IPv6" verbs.sh pingpong6 ibv_rc_pingpong "1 4096 1048576" -c -n 10
	both_ways "ibv_ud_pingpong, 1 B to 1 KiB" verbs.sh pingpong ibv_ud_pingpong \
		"1 2 4 8 16 32 64 128 256 512 1024" -c -n 1
	for program in ib_write_lat ib_read_lat; do
		both_ways "$program, 1 B to 1 MiB" verbs.sh perftest "$program" "$sizes" -n 10
	done
	both_ways "ib_send_bw, 1 B to 1 MiB" verbs.sh perftest ib_send_bw "$sizes" -n 20
	both_ways "ib_atomic_lat, fetch and add" verbs.sh perftest ib_atomic_lat 8 -n 100 -A FETCH_AND_ADD
	both_ways "ib_atomic_lat, compare and swap" verbs.sh perftest ib_atomic_lat 8 -n 100 -A CMP_AND_SWAP
}

cm_cases() {
	both_ways "rping" cm.sh rping
	both_ways "udaddy" cm.sh udaddy
}

session_cases() {
	for connect in direct cm; do
		run_case "secure_server and secure_client, $connect: both on the kernel" \
			session.sh rdma rdma "$connect"
		both_ways "secure_server and secure_client, $connect" session.sh "$connect"
	done
	run_case "secure_server and secure_client, in clear: both on the kernel" \
		session.sh rdma rdma direct --data-protection=none
	both_ways "secure_server and secure_client, in clear" session.sh direct --data-protection=none
}

roce_cases() {
	session_cases
	cm_cases
	verbs_cases
	run_case "speed of the mock and of the kernel in the guest" speed.sh rdma rdma
	run_asked "20,000 sessions at a time" scale.sh mock mock 20000
	skip_case "iWARP" "SIW_KERNEL= names no kernel with siw"
}

iwarp_cases() {
	run_case "iWARP: secure_server and secure_client, cm" session.sh rdma rdma cm --device rdma0
	run_case "iWARP: direct is refused" refused.sh rdma rdma
}

all_cases() {
	if [ "${RDMA_TYPE:-rxe}" = siw ]; then iwarp_cases; else roce_cases; fi
}
