#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's rdmacm-utils with each of the options that their manual pages have; one case a line.
# (rping.sh, rdma_cm*.sh and rsocket.sh have some of each for the other variants, and what takes more
# than a line. `-S all` takes minutes, and is left out.)
# timeout: 300
# variants: plain
. "$(dirname "$0")/../lib.sh"
need rping ucmatose udaddy udpong mckey cmtime rstream riostream rdma_server rdma_client \
	rdma_xserver rdma_xclient

# A kernel without IPv6 has no ::1, and a root file system without /etc/hosts no localhost.
has_ipv6() {
	grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null
}

# What tells its success, besides the status.
success_of() {
	case $1 in
	rping) echo '^ping data: rdma-ping-|RDMA_CM_EVENT_ESTABLISHED' ;;
	rstream | riostream) echo '^custom  ' ;;
	udpong) echo '^custom  ' ;;
	cmtime) echo '^disconnect ' ;;
	rdma_*) echo "(^|/)$1: end 0" ;;
	*) echo '^return status 0' ;;
	esac
}

server_of() {
	case $1 in
	rdma_client) echo rdma_server ;;
	rdma_xclient) echo rdma_xserver ;;
	*) echo "$1" ;;
	esac
}

# Options for both sides, with the port if the program can be told.
common() {
	case $1 in
	udaddy) port=7174 ;;
	*)
		port=$(free_port)
		all="-p $port $all"
		;;
	esac
}

is_served() {
	case " $all " in
	*' -T s '* | *' -T f '*) _listening "$port" ;;
	*) rdma_listening "$port" ;;
	esac || _gone "$(pid_of server)"
}

# The library accepts as soon as the server listens; riostream says only then how many regions it
# wants, and a client that comes between has none. Then both start again.
came_early() {
	[ "$1" = riostream ] && grep -q '^riomap: Cannot allocate memory' "$TEST_TMP/client.log"
}

# rstream -T async takes the end of the connection for an error when poll tells of it together with the last
# data, and has all the data by then.
hung_up() {
	[ "$program $STATUS" = 'rstream 16' ] && case " $all " in *' -T a'*) return 0 ;; esac
	return 1
}

once() {
	all=$both
	common "$program"
	# shellcheck disable=SC2086
	spawn server mock "$(server_of "$program")" $server $all
	until_true 10 is_served || fail "the server does not listen: $line"
	STATUS=0
	# shellcheck disable=SC2086
	mock "$program" $client $all >"$TEST_TMP/client.log" 2>&1 </dev/null || STATUS=$?
	if [ "$STATUS" = 0 ]; then
		assert_grep "$(success_of "$program")" "$TEST_TMP/client.log"
		return 0
	fi
	hung_up && return 0
	came_early "$program" || fail "client: status $STATUS: $line"
	stop server KILL
	return 1
}

# Some serve for ever.
is_endless() {
	case $program in
	cmtime | udpong) return 0 ;;
	rping) case " $server " in *' -P '*) return 0 ;; esac ;;
	esac
	return 1
}

serve_and_ask() {
	until_true 20 once || fail "does not succeed: $line"
	if is_endless; then
		stop server KILL
	else
		wait_exit server 30
		assert_eq 0 "$STATUS" "status of the server: $line"
	fi
	for output in "$TEST_TMP/client.log" "$(log_of server)"; do
		assert_no_grep 'mismatch|cma event|wc status|mockrdma:|_ERROR|[Ff]ailed' "$output"
	done
}

# cases: reads lines of PROGRAM : OPTIONS OF THE SERVER : OF THE CLIENT : OF BOTH
cases() {
	while IFS= read -r line; do
		case $line in '' | '#'*) continue ;; esac
		case $line in
		*::*) has_ipv6 || continue ;;
		*localhost*) getent hosts localhost >/dev/null || continue ;;
		esac
		rest=$line
		program=$(echo "${rest%% ; *}" | tr -d ' ') rest=${rest#* ; }
		server=${rest%% ; *} rest=${rest#* ; }
		client=${rest%% ; *} both=${rest#* ; }
		serve_and_ask
	done
}

# The one of rdma-core 60 and later is of another kind (rdma_cm.sh); from 56 on, it has a TCP connection beside,
# for which it asks for an IPv4 address.
cmtime_cases() {
	cmtime -h >"$TEST_TMP/cmtime" 2>&1 || :
	! grep -q controller_address "$TEST_TMP/cmtime" || return 0
	cases <<END
cmtime ; -b 127.0.0.1 ; -s 127.0.0.1              ; -c 10
cmtime ; -b 127.0.0.1 ; -s 127.0.0.1 -b 127.0.0.1 ; -c 10 -r 5 -t 500
END
	grep -q base_qpn "$TEST_TMP/cmtime" || echo 'cmtime ; -b ::1 ; -s ::1 ; -c 10' | cases
}

cases <<END
rping ; -s -a 127.0.0.1    ; -c -a 127.0.0.1              ; -v -V -C 3
rping ; -s -a 127.0.0.1    ; -c -a 127.0.0.1              ; -d -C 3
rping ; -s -a 127.0.0.1    ; -c -a 127.0.0.1              ; -v -V -C 3 -S 23
rping ; -s -a 127.0.0.1    ; -c -a 127.0.0.1              ; -v -V -C 3 -S 65535
rping ; -s -a 127.0.0.1    ; -c -a 127.0.0.1              ; -v -V -C 3 -q
rping ; -s                 ; -c -a 127.0.0.1 -I 127.0.0.1 ; -v -V -C 3
rping ; -s -a ::0          ; -c -a ::1 -I ::1             ; -v -V -C 3
rping ; -s -a ::0          ; -c -a 127.0.0.1              ; -v -V -C 3
rping ; -s -P -a 127.0.0.1 ; -c -a 127.0.0.1              ; -v -V -C 3

ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1              ; -c 1
ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1 -b 127.0.0.1 ; -f ip -P tcp
ucmatose ; -b localhost ; -s localhost              ; -f name
ucmatose ; -b ::1       ; -s ::1                    ; -f ipv6
ucmatose ; -b ::0       ; -s 127.0.0.1              ; -c 2
ucmatose ; -b ::1       ; -s ::1                    ; -P ib
ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1              ; -c 20 -C 0
ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1              ; -C 1 -S 1
ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1              ; -C 3 -S 1000000
ucmatose ; -b 127.0.0.1 ; -s 127.0.0.1 -t 32        ; -a 14 -m

udaddy ; -b 127.0.0.1 ; -s 127.0.0.1              ; -c 1
udaddy ; -b 127.0.0.1 ; -s 127.0.0.1 -b 127.0.0.1 ; -c 3 -C 0
udaddy ; -b 127.0.0.1 ; -s 127.0.0.1 -t 32        ; -C 5 -S 1
udaddy ; -b 127.0.0.1 ; -s 127.0.0.1              ; -S 1024 -p 0x0111
udaddy ; -b ::1       ; -s ::1                    ; -c 2
udaddy ; -b ::0       ; -s 127.0.0.1              ; -c 2

rdma_client  ; -s 127.0.0.1 ; -s 127.0.0.1 ;
rdma_client  ; -s ::1       ; -s ::1       ;
rdma_xclient ;              ; -s 127.0.0.1 ; -c r
rdma_xclient ;              ; -s 127.0.0.1 ; -c x

rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T s -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T f -I 3 -C 20 -S 64
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T a -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T a -T v -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T n -T v -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T r -T b -T v -I 3 -C 20 -S 2000
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -T v -I 3 -C 20 -S 20000 -B 4096
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -i 0 -I 3 -C 20 -S 200
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -i 512 -I 3 -C 20 -S 200
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -k 1 -I 3 -C 20 -S 200
rstream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -f ip -I 3 -C 20 -S 200
rstream ; -b localhost ; -s localhost ; -T b -f name -I 3 -C 20 -S 200
rstream ; -b ::1       ; -s ::1       ; -T b -I 3 -C 20 -S 200

riostream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T a -I 3 -C 20 -S 2000
riostream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -T v -I 3 -C 20 -S 2000
riostream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T n -T v -I 3 -C 20 -S 2000
riostream ; -b 127.0.0.1 ; -s 127.0.0.1 ; -T b -B 8192 -i 16 -I 3 -C 5
riostream ; -b ::1       ; -s ::1       ; -T b -I 3 -C 20 -S 200
END
cmtime_cases
