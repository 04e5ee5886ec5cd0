#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The manual pages name every setting and option that the programs have, and no other.
# variants: plain
. "$(dirname "$0")/../lib.sh"

# same WHAT FILE FILE: two lists with the same lines
same() {
	[ -s "$2" ] || fail "$1: none found in the program"
	diff -u --label program --label manual "$2" "$3" || fail "$1: program and manual differ"
}
cd "$TEST_TMP"

sed -nE 's/.*(\.public = \{ |(LIMIT|ODDS)\()"(MOCKRDMA_[A-Z_]*)".*/\3/p' "$TOP/mock/host/settings.c" | sort >settings
sed -n 's/^\.It Ev \(MOCKRDMA_[A-Z_]*\)$/\1/p' "$TOP/man/mockrdma.1" | sort >manual
same "settings of the mock" settings manual

for program in secure_server secure_client; do
	expect 0 "$BUILD/bin/$program" --help
	grep -oE -e '(^|[ |,[])--[a-z][a-z0-9-]*' "$OUT" | grep -o -e '--.*' | sort -u >options
	sed 's/\\&//g' "$TOP/man/$program.1" | grep '^\.It ' | grep -oE 'Fl -[a-z][a-z0-9-]*' |
		sed 's/Fl -/--/' | sort -u >manual
	same "options of $program" options manual
done
