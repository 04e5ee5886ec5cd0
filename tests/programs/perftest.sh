#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's perftest between two processes: each finishes on both sides and prints its figures.
# timeout: 180
. "$(dirname "$0")/../lib.sh"
# Loopback has room for the longest packets; other interfaces may not.
export MOCKRDMA_DEVICES=mock0=lo
need ib_write_lat ib_send_bw ib_read_bw ib_atomic_lat

# perftest SIZE ITERATIONS PROGRAM OPTION...: the iterations that the row of figures shows, of all
# queue pairs together.
perftest() {
	size=$1 iterations=$2 program=$3
	shift 3
	each=$iterations
	case " $* " in *' -q 4 '*) each=$((iterations / 4)) ;; esac
	port=$(free_port)
	spawn server mock "$program" -p "$port" -n "$each" "$@"
	until_true 10 _listening "$port" || fail "$program $*: the server does not listen"
	expect 0 mock "$program" -p "$port" -n "$each" "$@" 127.0.0.1
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server, $program $*"
	for output in "$OUT" "$ERR" "$(log_of server)"; do
		assert_no_grep 'Completion with error|Failed status|[Uu]nable|[Cc]ouldn' "$output"
	done
	# Columns: size, iterations, then figures, none of which may be zero or missing.
	assert_grep "^ $size +$iterations +(0\.0*[1-9]|[1-9])[0-9.]* " "$OUT"
}

perftest 2 1000 ib_write_lat
perftest 8 1000 ib_send_lat -s 8
perftest 4096 1000 ib_send_lat -s 4096 -e
perftest 8 1000 ib_read_lat -s 8
perftest 8 1000 ib_atomic_lat
perftest 8 1000 ib_atomic_lat -A CMP_AND_SWAP
perftest 65536 2000 ib_send_bw
perftest 65536 2000 ib_write_bw
perftest 65536 2000 ib_read_bw
perftest 8 2000 ib_atomic_bw
perftest 1048576 200 ib_send_bw -s 1048576 -b
perftest 8 5000 ib_send_bw -s 8 -I 8
perftest 4096 2000 ib_send_bw -s 4096 --use-srq
perftest 4096 8000 ib_write_bw -s 4096 -q 4
perftest 4096 1000 ib_read_bw -s 4096 -e
perftest 4096 1000 ib_send_bw -s 4096 -e

perftest 8 200 ib_send_lat -c UC -s 8
perftest 2 200 ib_write_lat -c UC
perftest 65536 500 ib_write_bw -c UC
perftest 4096 500 ib_send_bw -c UC -s 4096 -r 500
perftest 8 200 ib_send_lat -c XRC -s 8
perftest 65536 500 ib_write_bw -c XRC
perftest 4096 500 ib_read_bw -c XRC -s 4096
perftest 512 2000 ib_send_bw -c XRC -s 512 -q 4 -e
perftest 64 200 ib_send_lat -c UD -s 64
perftest 1024 200 ib_send_lat -c UD -s 1024 -e
perftest 2048 1000 ib_send_bw -c UD -s 2048 -r 1000
perftest 64 1000 ib_send_bw -c UD -s 64 -r 2000 -b

# Connected by the connection manager. The programs shake hands over a first connection, and
# then one side listens while the other connects, neither waiting: who comes too early is refused
# (and this version's client then uses ids that it has freed), and
# the server keeps waiting. So both start again.
perftest_cm() {
	size=$1 iterations=$2
	shift 2
	until_true 20 both_cm "$@" -s "$size" -n "$iterations" || fail "$* -R does not succeed"
	assert_grep "^ $size +[1-9][0-9]* +(0\.0*[1-9]|[1-9])[0-9.]* " "$TEST_TMP/client.log"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server, $* -R"
	assert_no_grep 'Completion with error|Failed status' "$(log_of server)"
}
both_cm() {
	port=$(free_port)
	spawn_listening server "$port" mock "$@" -R -p "$port"
	mock "$@" -R -p "$port" 127.0.0.1 >"$TEST_TMP/client.log" 2>&1 && return 0
	stop server KILL
	assert_grep 'REJECTED|Unexpected CM event bl blka 8' "$TEST_TMP/client.log"
	forget_report 'in rdma_(resolve_addr|resolve_route|destroy_id|destroy_qp|connect) ' '#[23] .*/usr/bin/ib_'
	return 1
}
perftest_cm 8 1000 ib_send_lat
perftest_cm 65536 1000 ib_write_bw
perftest_cm 4096 500 ib_read_lat
perftest_cm 4096 1000 ib_send_bw -q 4

# All sizes in one run: 23 lines of figures.
port=$(free_port)
spawn server mock ib_write_bw -a -n 50 -p "$port"
until_true 10 _listening "$port" || fail "the server does not listen"
expect 0 mock ib_write_bw -a -n 50 -p "$port" 127.0.0.1
assert_eq 23 "$(grep -cE '^ [0-9]+ +50 ' "$OUT")" "sizes measured"
wait_exit server
assert_eq 0 "$STATUS" "status of the server"
