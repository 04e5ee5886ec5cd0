#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo, smaller: it ends with its three lines. And each line is really checked: where a
# client reports anything else, the demo says what was not so, and fails.
# timeout: 240
# variants: plain asan tsan valgrind cov
. "$(dirname "$0")/../lib.sh"
need openssl tar sha256sum

[ "$TEST_VARIANT" != valgrind ] || export NO_SECCOMP=1

demo() { # BUILD [CLIENTS] [MIB]
	TMPDIR=$TEST_TMP BUILD=$1 CLIENTS=${2:-3} BIG=${3:-4} PATIENCE=$(_scaled 1) "$TOP/scripts/demo.sh"
}
left() {
	find "$TEST_TMP" "$MOCKRDMA_DIR" -mindepth 1 -maxdepth 1 -name '*-demo.*'
}

expect 0 demo "$BUILD"
assert_eq "✓ RDMA connection established
✓ PSN exchange completed
✓ Data transfer successful" "$(tail -n 3 "$OUT")" "the end of the demo"
assert_eq 3 "$(grep -c '^✓' "$OUT")" "claims"
assert_eq '' "$(left)" "left by the demo"

[ "$TEST_VARIANT" = plain ] || exit 0 # the rest is about the script alone

# In a container /dev/shm has no room for the queues of so many.
own=-m
[ "$(id -u)" = 0 ] || own=-rm
if unshare $own mount -t tmpfs -o size=16m tmpfs /dev/shm 2>/dev/null; then
	# shellcheck disable=SC2016 # for the shell there
	expect 0 env -u MOCKRDMA_DIR TMPDIR="$TEST_TMP" BUILD="$BUILD" CLIENTS=3 BIG=4 unshare $own sh -c \
		'mount -t tmpfs -o size=16m tmpfs /dev/shm && "$1"' sh "$TOP/scripts/demo.sh"
	assert_grep "^demo: /dev/shm has 16 MiB: the mock's files are in $TEST_TMP" "$OUT"
	assert_eq 3 "$(grep -c '^✓' "$OUT")" "claims without room in /dev/shm"
	assert_eq '' "$(left)" "left by that demo"
else
	echo "small /dev/shm: skipped: no mount namespaces here (unshare $own)"
fi

# A tree whose client lies, by an edit of what it prints.
fake=$TEST_TMP/fake
mkdir -p "$fake/bin"
ln -s "$BUILD/lib" "$fake/lib"
cp "$BUILD/bin/mockrdma" "$BUILD/bin/secure_server" "$fake/bin/"

not_so() { # EDIT CLAIM CLAIMS-BEFORE
	cat >"$fake/bin/secure_client" <<-END
		#!/bin/bash
		"$BUILD/bin/secure_client" "\$@" | sed -E '$1'
		exit \${PIPESTATUS[0]}
	END
	chmod +x "$fake/bin/secure_client"
	expect 1 demo "$fake" 1 1
	assert_grep "✗ not so: $2: " "$ERR"
	assert_eq "$3" "$(grep -c '^✓' "$OUT" || :)" "claims before that"
	assert_eq '' "$(left)" "left by a demo that failed"
}
not_so 's/"RTS"/"RTR"/' 'RDMA connection established' 0
not_so 's/"psn_local":"./"psn_local":"x/' 'PSN exchange completed' 1
not_so 's/"proof_accepted":true/"proof_accepted":false/' 'PSN exchange completed' 1
not_so 's/"protection":"[ac][^"]*"/"protection":"none"/' 'Data transfer successful' 2
not_so 's/"sha256":"./"sha256":"x/' 'Data transfer successful' 2
not_so 's/"hex":"../"hex":"00/' 'Data transfer successful' 2
