#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# put and get: files of all sizes, whole and verified, under the names and rules given.
# timeout: 180
. "$(dirname "$0")/../session.sh"

mkdir "$TEST_TMP/more"
start_server --export "more=$TEST_TMP/more" --log-level debug
log=$(log_of server)
here=$TEST_TMP/here
mkdir "$here"
cd "$here"

same() { # FILE FILE
	cmp "$1" "$2" || fail "$1 and $2 differ"
}
nothing_else() { # DIR NAME...
	assert_eq "$(printf '%s\n' "${@:2}" | sort)" "$(find "$1" -mindepth 1 -printf '%P\n' | sort)" "what is in $1"
}

# Sizes around everything that is cut somewhere: pages, slots (256 KiB), the region (4 MiB).
for size in 0 1 4095 4096 4097 262143 262144 262145 4194304 4194305 20000001; do
	head -c "$size" /dev/urandom >"f$size"
	expect 0 client --json put "f$size" data/
	assert_eq "$(sha256sum <"f$size" | cut -d' ' -f1)" "$(json sha256 "$OUT")" "SHA-256 of $size bytes"
	assert_eq "$size" "$(json bytes "$OUT")" bytes
	expect 0 client get "data/f$size" "back$size"
	same "f$size" "back$size"
	same "f$size" "$SHARE/f$size"
	rm "f$size" "back$size" "$SHARE/f$size"
done
nothing_else "$SHARE"
nothing_else "$here"

# Where it goes.
mkdir -p "$SHARE/dir/sub" "$here/sub"
echo hello >greeting
expect 0 client put greeting data/dir/renamed
expect 0 client put greeting data/dir/
expect 0 client put greeting data
nothing_else "$SHARE/dir" greeting renamed sub
expect 0 client get data/dir/renamed
expect 0 client get data/dir/renamed sub
expect 0 client get data/dir/renamed sub/other
nothing_else "$here/sub" renamed other
same greeting renamed
refused 2 'has 2 exports that take files: say which' client put greeting

# Standard input has no size beforehand; it needs a name.
seq 1 200000 >numbers
client --json put - data/numbers <numbers >"$TEST_TMP/out"
assert_eq "$(sha256sum <numbers | cut -d' ' -f1)" "$(json sha256 "$TEST_TMP/out")" SHA-256
same numbers "$SHARE/numbers"
refused 2 'put -: give the name' client put - data

# What exists is replaced only by --force, and then at once: who has it open keeps it.
echo other >"$SHARE/taken"
refused 1 "'data/taken' exists: .*--force" client put greeting data/taken
assert_eq other "$(cat "$SHARE/taken")" "the file that was not to be replaced"
exec 7<"$SHARE/taken"
expect 0 client put --force greeting data/taken
same greeting "$SHARE/taken"
assert_eq other "$(cat <&7)" "the file that was replaced, in its reader's eyes"
echo mine >sub/other
refused 1 "'sub/other' exists: .*--force" client get data/taken sub/other
assert_eq mine "$(cat sub/other)" "the file that was not to be replaced"
expect 0 client get --force data/taken sub/other
same greeting sub/other
refused 1 "'data/dir/sub' is a directory" client put --force greeting data/dir/sub

# ls
expect 0 client --json ls data
assert_grep '"name":"dir","kind":"directory"' "$OUT"
assert_grep '"name":"greeting","kind":"file","size":6' "$OUT"
expect 0 client ls data/dir
assert_eq 3 "$(wc -l <"$OUT")" "lines of ls"
# More than fits into a message
mkdir "$SHARE/many"
(cd "$SHARE/many" && seq -f 'a-name-that-takes-some-room-%05g' 1 3000 | xargs touch)
expect 0 client ls data/many
assert_eq 3000 "$(grep -c 'a-name-that-takes-some-room' "$OUT")" entries
assert_eq 00001,03000 "$(sed -n '1s/.*-//p; $s/.*-//p' "$OUT" | paste -sd,)" "first and last"

# Several at once, in several sessions.
head -c 3000000 /dev/urandom >big
pids=
for i in 1 2 3 4 5 6; do
	(trap - EXIT; client put big "data/big$i" && client get "data/big$i" "big$i" && cmp big "big$i") >"par$i.out" 2>&1 &
	pids="$pids $!"
done
for pid in $pids; do wait "$pid" || { cat par*.out; fail "one of six at once failed"; }; done

# No bar where there is no terminal.
expect 0 client get data/big1 nobar
assert_eq '' "$(cat "$ERR")" "standard error of a get into a pipe"
# And one where there is.
if command -v script >/dev/null; then
	on_terminal put big data/bar </dev/null >"$TEST_TMP/out"
	assert_grep 'bar .*[0-9]+% \[[#.]{24}\]' "$TEST_TMP/out"
fi

# Local mistakes
refused 1 "cannot read 'nosuch'" client put nosuch data
refused 1 'is a directory: put takes one file' client put sub data
refused 1 "cannot create 'nodir/x'|no directory" client get data/greeting nodir/x
refused 1 "no directory 'nodir/'" client get data/greeting nodir/

stop_server
assert_no_grep 'ERROR' "$log"
