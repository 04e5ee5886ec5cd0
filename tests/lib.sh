# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Helpers for test scripts, in POSIX sh. A script starts with
#
#	#!/bin/sh
#	# SPDX-License-Identifier: BSD-2-Clause
#	# what it shows
#	. "$(dirname "$0")/../lib.sh"
#
# and runs under tests/run-tests or alone. It has `set -eu`; $TOP, $BUILD and $TEST_TMP; and
# what it started with `spawn` is ended when it exits.

set -eu

TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
TEST_VARIANT=${TEST_VARIANT:-plain}
TEST_PRELOAD=${TEST_PRELOAD:-}
TEST_WRAP=${TEST_WRAP:-}
PATH=$BUILD/bin:$PATH
export BUILD PATH TEST_VARIANT

# Alone: directories of its own, as the runner would have made them.
_own_dirs=
if [ -z "${TEST_TMP:-}" ]; then
	TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/srdma-test.XXXXXX")
	MOCKRDMA_DIR=$(mktemp -d /dev/shm/mockrdma-test.XXXXXX)
	TEST_PORTS=$TEST_TMP/ports
	mkdir "$TEST_PORTS"
	export TEST_TMP MOCKRDMA_DIR TEST_PORTS
	_own_dirs=1
fi

_spawned=
_why=
_cleanup() {
	_status=$?
	trap - EXIT
	for _pid in $_spawned; do kill -KILL "$_pid" 2>/dev/null || :; done
	wait 2>/dev/null || :
	if [ "$_status" != 0 ] && [ "$_status" != 77 ]; then
		for _log in "$TEST_TMP"/*.log; do
			[ -s "$_log" ] || continue
			echo "--- ${_log##*/}"
			tail -n 60 "$_log"
		done
		[ -z "$_why" ] || echo "FAILED: $_why" # again: who sees the end alone sees it
	fi
	[ -z "$_own_dirs" ] || rm -rf "$TEST_TMP" "$MOCKRDMA_DIR"
	exit "$_status"
}
trap _cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	_why=$*
	echo "FAILED: $_why" >&2
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# need PROGRAM...: skips the test where one is not installed.
need() {
	for _p in "$@"; do
		command -v "$_p" >/dev/null || skip "$_p is not installed"
	done
}

# wide COMMAND ARG...: one case of many of its kind, which the plain variant alone runs.
wide() {
	[ "$TEST_VARIANT" != plain ] || "$@"
}

# --- programs on the mock ----------------------------------------------------------------

_is_ours() {
	case $(readlink -f "$(command -v "$1")") in "$BUILD"/*) return 0 ;; esac
	return 1
}

# _exec_on_mock PROGRAM ARG...: replaces the (sub)shell; on another host if $_in says so (hosts.sh). Sanitizers have to be loaded first;
# whether a program of others leaks is not for us to judge.
_exec_on_mock() {
	if ! _is_ours "$1"; then
		export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
		[ -z "$TEST_WRAP" ] || TEST_WRAP="$TEST_WRAP --leak-check=no"
	fi
	# Not into env itself: what is preloaded may fail its allocations.
	# shellcheck disable=SC2086
	exec env --default-signal=INT,QUIT ${TEST_PRELOAD:+"LD_PRELOAD=$TEST_PRELOAD"} ${_in:-} $TEST_WRAP "$BUILD/bin/mockrdma" run -- "$@"
}

# mock PROGRAM ARG...: runs it on the mock, in the variant under test.
mock() {
	(_exec_on_mock "$@")
}

# sends_unwritten: the script's programs send memory that they never wrote. memcheck sees it when the
# message is copied; for them it looks for bad accesses alone.
sends_unwritten() {
	[ -z "$TEST_WRAP" ] || TEST_WRAP="$TEST_WRAP --undef-value-errors=no"
}

# forget_report REGEX...: what a sanitizer had to say of a process, if it has lines with each of these: of a program that is
# not ours, where the test knows of it.
forget_report() {
	for _report in "${TEST_REPORTS:-/nowhere}".*; do
		[ -e "$_report" ] || continue
		_known=true
		for _regex; do grep -qE -e "$_regex" "$_report" || _known=false; done
		! $_known || rm "$_report"
	done
}

# --- processes ---------------------------------------------------------------------------

# spawn NAME [mock] PROGRAM ARG...: in the background, output to $TEST_TMP/NAME.log. The
# shell would have it ignore SIGINT, which it should not.
spawn() {
	_name=$1
	shift
	: >"$TEST_TMP/$_name.log" # nobody is to find there what the last one of that name wrote
	if [ "$1" = mock ]; then
		shift
		(trap - EXIT INT TERM; _exec_on_mock "$@") >"$TEST_TMP/$_name.log" 2>&1 </dev/null &
	else
		(trap - EXIT INT TERM; exec env --default-signal=INT,QUIT "$@") >"$TEST_TMP/$_name.log" 2>&1 </dev/null &
	fi
	eval "_pid_$_name=$!"
	_spawned="$_spawned $!"
}

# pid_of NAME
pid_of() {
	eval "echo \"\$_pid_$1\""
}

# log_of NAME: the file with what it wrote.
log_of() {
	echo "$TEST_TMP/$1.log"
}

# Ended, though perhaps not waited for yet.
_gone() {
	case $(cut -d')' -f2 "/proc/$1/stat" 2>/dev/null) in
	'' | ' Z'*) return 0 ;;
	esac
	return 1
}

_scaled() {
	case $TEST_VARIANT in
	asan | cov) echo $(($1 * 3)) ;;
	tsan) echo $(($1 * 4)) ;;
	valgrind) echo $(($1 * 8)) ;;
	*) echo "$1" ;;
	esac
}

# until_true SECONDS COMMAND ARG...: polls; fails (returns 1) at the deadline.
until_true() {
	_deadline=$(($(date +%s) + $(_scaled "$1")))
	shift
	until "$@"; do
		[ "$(date +%s)" -le "$_deadline" ] || return 1
		sleep 0.05
	done
}

_line_or_gone() {
	grep -qE -e "$2" "$(log_of "$1")" || _gone "$(pid_of "$1")"
}

# wait_for NAME REGEX [SECONDS=10]: until NAME has written a line that matches.
wait_for() {
	until_true "${3:-10}" _line_or_gone "$1" "$2" ||
		fail "$1 did not write '$2' within ${3:-10} s"
	grep -qE -e "$2" "$(log_of "$1")" || fail "$1 ended without writing '$2'"
}

# The number may soon be another process's.
_forget() {
	_left=
	for _p in $_spawned; do [ "$_p" = "$1" ] || _left="$_left $_p"; done
	_spawned=$_left
}

# wait_exit NAME [SECONDS=10]: its exit status, in $STATUS too. Ends the test when it goes on.
wait_exit() {
	_pid=$(pid_of "$1")
	until_true "${2:-10}" _gone "$_pid" || fail "$1 still runs after ${2:-10} s"
	STATUS=0
	wait "$_pid" || STATUS=$?
	_forget "$_pid"
}

# stop NAME [SIGNAL=TERM] [SECONDS=10]: sends it and waits for the end; status in $STATUS.
stop() {
	kill -s "${2:-TERM}" "$(pid_of "$1")" 2>/dev/null || :
	wait_exit "$1" "${3:-10}"
}

# --- ports -------------------------------------------------------------------------------

_listening() {
	_hex=$(printf ':%04X 0*:0000 0A' "$1") # local port, no remote, LISTEN
	grep -qsi "$_hex" /proc/net/tcp /proc/net/tcp6
}

# rdma_listening PORT: whether a program on the mock waits for connections on that port.
rdma_listening() {
	mockrdma ls --json | grep -q "\"port\":$1,\"listening\":1}"
}

# spawn_listening NAME PORT mock PROGRAM ARG...: as spawn; returns when it listens there. Few such
# programs say so, and a client that comes too early is refused: of many connections the
# first ones only, which then misses them for ever.
spawn_listening() {
	_listens_on=$2
	_waits=$1
	shift 2
	spawn "$_waits" "$@"
	until_true 10 rdma_listening "$_listens_on" ||
		fail "$_waits does not listen on $_listens_on"
}

# free_port: a TCP port that nothing listens on, and that no other test of this run was given.
free_port() {
	while :; do
		_port=$(($(od -An -N2 -tu2 /dev/urandom) % 12000 + 20000))
		mkdir "$TEST_PORTS/$_port" 2>/dev/null || continue
		_listening "$_port" || break
	done
	echo "$_port"
}

# --- what must be so ---------------------------------------------------------------------

# assert_eq WANTED GOT [WHAT]
assert_eq() {
	[ "$1" = "$2" ] || fail "${3:-value}: wanted '$1', got '$2'"
}

# assert_grep REGEX FILE
assert_grep() {
	grep -qE -e "$1" "$2" || {
		cat "$2"
		fail "nothing in ${2##*/} matches '$1'"
	}
}

# assert_no_grep REGEX FILE
assert_no_grep() {
	! grep -nE -e "$1" "$2" || fail "a line of ${2##*/} matches '$1'"
}

# expect STATUS COMMAND ARG...: runs it; output in $OUT and $ERR (files); checks the status.
expect() {
	_want=$1
	shift
	OUT=$TEST_TMP/expect.out ERR=$TEST_TMP/expect.err
	STATUS=0
	"$@" >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
	[ "$STATUS" = "$_want" ] || {
		cat "$OUT" "$ERR"
		fail "exit status $STATUS, wanted $_want: $*"
	}
}
