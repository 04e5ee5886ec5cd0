#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sessions by libfabric: the library's tests (whose two ends are in one process, which shm cannot),
# then the programs.
# timeout: 180
. "$(dirname "$0")/../session.sh"
pkg-config --exists libfabric || skip "libfabric-dev is not installed: this build is without"

# A provider's own handler of crashes would hide ours.
export HFI_NO_BACKTRACE=1 IPATH_NO_BACKTRACE=1

# unit PROVIDER TEST...: the tests of sessions by that provider, on the mock where it is verbs
unit() {
	local provider=$1 test
	shift
	for test in "$@"; do
		expect 0 mock env DUO_FABRIC="$provider" "$BUILD/tests/unit/$test"
	done
}
unit tcp test_srdma_blocking test_srdma_memory test_in_srdma_sealed
unit verbs test_srdma_blocking

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
