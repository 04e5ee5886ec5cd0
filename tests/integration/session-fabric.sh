#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sessions by libfabric: the library's tests (whose two ends are in one process, which shm cannot),
# then the programs.
# timeout: 300
. "$(dirname "$0")/../session.sh"
pkg-config --exists libfabric || skip "libfabric-dev is not installed: this build is without"

# A provider's own handler of crashes would hide ours.
export HFI_NO_BACKTRACE=1 IPATH_NO_BACKTRACE=1

# All tests of sessions, but for those that are about queue pairs: test_in_srdma_cm, test_in_srdma_windows.
suite="test_srdma_blocking test_srdma_memory test_srdma_revocation test_srdma_session test_srdma_strangers test_srdma_trust
	test_srdma_unread test_srdma_vanish test_in_srdma_control test_in_srdma_hostile test_in_srdma_sealed test_in_srdma_secrets"
# suite_by PROVIDER: all of them, on the mock where it is verbs
suite_by() {
	trap - EXIT
	local test said
	for test in $suite; do
		said=$TEST_TMP/$1.$test.log
		mock env DUO_FABRIC="$1" "$BUILD/tests/unit/$test" >"$said" 2>&1 || {
			grep -v '  OK \]\|  RUN  ' "$said"
			echo "by $1: $test: exit status $?"
			return 1
		}
	done
}
# Most of their time they wait.
suite_by tcp &
tcp=$!
suite_by verbs &
verbs=$!
wait $tcp || fail "sessions by libfabric's provider tcp"
wait $verbs || fail "sessions by libfabric's provider verbs"

head -c 3000000 /dev/urandom >"$TEST_TMP/file"
sum=$(sha256sum <"$TEST_TMP/file")

commands() {
	client "$@" --json shell <"$TEST_TMP/commands"
}

# programs PROVIDER: files both ways, memory, sealed and in clear, under the filter of system calls
programs() {
	local by="--transport=fabric --fabric-provider=$1" how
	# shellcheck disable=SC2086 # a list of words
	start_server $by --data-protection sealed,none
	for how in sealed none; do
		cat >"$TEST_TMP/commands" <<END
ping -c 20 -s 1000
put $TEST_TMP/file data/$1-$how
get --force data/$1-$how $TEST_TMP/back
write --text one-sided
END
		# shellcheck disable=SC2086
		expect 0 commands $by --data-protection=$how
		assert_eq 5 "$(grep -c '"ok":true' "$OUT")" "commands that succeeded, and the shell"
		assert_eq 5 "$(grep -c '"transport":"fabric".*"psn_exchanged":false,"proven":true' "$OUT")" "what is attested"
		assert_no_grep '"verified":false' "$OUT"
		assert_grep "\"device\":\"[^\"]*$1" "$OUT"
		assert_eq "$sum" "$(sha256sum <"$TEST_TMP/back")" "the file that came back"
	done
	assert_grep 'established from .* data protection none, proof verified' "$(log_of server)"
	# The other transport, and another provider, are named.
	refused 1 "uses the transport 'verbs', we 'fabric'" client ping
	stop_server
}
programs tcp
programs shm

start_server --transport=fabric --fabric-provider=tcp
refused 1 "uses libfabric's provider '?shm'?, we '?tcp" client --transport=fabric --fabric-provider=shm ping
refused 1 "no provider 'nonesuch'" client --transport=fabric --fabric-provider=nonesuch ping
refused 1 "'cm' is for the transport 'verbs'" client --transport=fabric --connect cm ping
stop_server
refused 2 "'smoke' is none of verbs, fabric" client --transport=smoke ping
