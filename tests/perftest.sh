# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# For tests of Debian's perftest, after lib.sh: tables with one case a line.

is_listening() {
	case $1 in
	*' -R'*) rdma_listening "$port" ;;
	*) _listening "$port" ;;
	esac
}

# perftest gives no figures when its own look at the processor's clock was disturbed, for half a second, by other work.
was_disturbed() {
	grep -q '^ *Correlation coefficient r^2: ' "$TEST_TMP/client.log" "$TEST_TMP/server.log"
}

# With -R, the programs shake hands over a first connection and then one connects while
# the other begins to listen, neither waiting: who is early is refused (UD: SIDR status 1). Then both start again.
was_refused() {
	case $1 in
	*' -R'*) grep -qaE 'REJECTED|UNREACHABLE; error: 1\.|Unexpected CM event bl blka 8' "$TEST_TMP/client.log" ;;
	*) return 1 ;;
	esac
}

once() {
	port=$(free_port)
	spawn server mock "$@" -p "$port"
	until_true 10 is_listening " $*" || fail "the server does not listen: $*"
	STATUS=0
	mock "$@" -p "$port" 127.0.0.1 >"$TEST_TMP/client.log" 2>&1 </dev/null || STATUS=$?
	[ "$STATUS" != 0 ] || return 0
	stop server KILL
	was_disturbed || was_refused " $*" || fail "client: status $STATUS: $*"
	return 1
}

# case_of LINES PROGRAM OPTION...: both sides succeed, and the client shows so many lines of figures.
case_of() {
	lines=$1
	shift
	until_true 20 once "$@" || fail "does not succeed: $*"
	wait_exit server 30
	assert_eq 0 "$STATUS" "status of the server, $*"
	for output in "$TEST_TMP/client.log" "$(log_of server)"; do
		assert_no_grep 'Completion with error|Failed status|[Uu]nable|[Cc]ouldn|mockrdma:' "$output"
	done
	shown=$(grep -caE '^ [0-9]+ +[1-9][0-9]* +[0-9].*[1-9]' "$TEST_TMP/client.log")
	assert_eq "$lines" "$shown" "lines of figures, $*"
}

# cases: reads lines of a program's name without its `ib_`, the transports, and the options. (-a of a latency takes -C, cycles: else
# the program measures the processor's clock, half a second, once for each of the 23 sizes.)
cases() {
	while read -r program types options; do
		case $program in '' | '#'*) continue ;; esac
		lines=1
		case " $options " in *' -a '*) lines=23 ;; esac
		for type in $(echo "$types" | tr , ' '); do
			# shellcheck disable=SC2086
			case_of "$lines" "ib_$program" -c "$type" $options
		done
	done
}
