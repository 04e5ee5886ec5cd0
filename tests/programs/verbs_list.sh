#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The list of verbs has every function of the libraries and headers that are installed, our library
# defines what it says, and docs/verbs.md is made of it. VERBS_ROOT=/path/of/another/system looks at
# those that are installed there (scripts/newer-rdma-core.sh).
. "$(dirname "$0")/../lib.sh"
CC=${CC:-gcc}
need nm "$CC"

list() { "$TOP/scripts/verbs-table" names "$1" | LC_ALL=C sort; }
for kind in exported newer system inline members; do
	list $kind >"$TEST_TMP/$kind"
	[ -s "$TEST_TMP/$kind" ] || fail "the list has no entry of the kind $kind"
	assert_eq "" "$(uniq -d <"$TEST_TMP/$kind" | grep -v '^ibv_query_port$' || :)" "entries twice, of $kind"
done
LC_ALL=C sort -u "$TEST_TMP/exported" "$TEST_TMP/system" >"$TEST_TMP/defined"
LC_ALL=C sort -u "$TEST_TMP/defined" "$TEST_TMP/inline" >"$TEST_TMP/all"

# only_in FIRST SECOND WHAT: fails, naming them, when FIRST has lines that SECOND has not.
only_in() {
	more=$(LC_ALL=C comm -23 "$1" "$2" | tr '\n' ' ')
	[ -z "$more" ] || fail "$3: $more"
}

# Functions of all public versions; rdma-core's private version is for its own parts alone.
public() {
	nm -D --defined-only "$1" | awk '$2 ~ /^[TWi]$/ && $3 !~ /@+IBVERBS_PRIVATE/ {
		sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u
}

root=${VERBS_ROOT:-}
installed() {
	if [ -n "$root" ]; then
		find -H "$root/lib" "$root/usr/lib" -name "$1" | head -n 1
	else
		"$CC" -print-file-name="$1"
	fi
}

for library in libibverbs.so.1 librdmacm.so.1; do
	file=$(installed $library)
	[ -e "$file" ] || skip "$library is not installed"
	public "$file" >"$TEST_TMP/$library"
	[ "$(wc -l <"$TEST_TMP/$library")" -gt 50 ] || fail "$file: too few functions to be it"
	only_in "$TEST_TMP/$library" "$TEST_TMP/defined" "$library has what mock/api/verbs_list.def has not: add"
done

nm -D --defined-only "$BUILD/lib/libmockrdma.so" | awk '{ print $3 }' |
	LC_ALL=C sort -u >"$TEST_TMP/ours"
only_in "$TEST_TMP/exported" "$TEST_TMP/ours" "libmockrdma.so does not define"
only_in "$TEST_TMP/newer" "$TEST_TMP/ours" "libmockrdma.so does not define, for later versions of rdma-core,"
# What it defines besides, for programs that look below /sys, are functions of the C library.
grep -E '^_?(ibv|rdma|verbs)_' "$TEST_TMP/ours" >"$TEST_TMP/verbs"
only_in "$TEST_TMP/verbs" "$TEST_TMP/exported" "libmockrdma.so defines what the list has not"

header() {
	if [ -n "$root" ]; then
		echo "$root/usr/include/$1"
	else
		echo "#include <$1>" | "$CC" -E -x c - |
			sed -n "s|^# [0-9]* \"\\(/[^\"]*$1\\)\".*|\\1|p" | head -n 1
	fi
}
verbs_h=$(header infiniband/verbs.h)

# The name is the word before the first parenthesis, on the line of `static inline` or the next ones.
awk '/static inline/ { wanted = 1; sub(/.*static inline/, "") }
     wanted && match($0, /[A-Za-z_0-9]+\(/) { print substr($0, RSTART, RLENGTH - 1); wanted = 0 }' \
	"$verbs_h" | LC_ALL=C sort -u >"$TEST_TMP/header"
[ "$(wc -l <"$TEST_TMP/header")" -gt 80 ] || fail "$verbs_h: too few inline functions to be it"
only_in "$TEST_TMP/header" "$TEST_TMP/all" "$verbs_h has inline functions that mock/api/verbs_list.def has not: add"

# members STRUCT TABLE: the functions in a struct of the header.
members() {
	awk -v name="struct $1 {" -v table="$2" '
	$0 == name { inside = 1 }
	/^};/ { inside = 0 }
	inside && match($0, /\(\*[a-z_0-9]+\) ?\(/) {
		member = substr($0, RSTART + 2)
		sub(/\).*/, "", member)
		if (member !~ /^_compat_|^ABI_placeholder/)
			print table "." member
	}' "$verbs_h"
}
{
	members verbs_context verbs_context
	members ibv_context_ops context_ops
	members ibv_qp_ex qp_ex
	members ibv_cq_ex cq_ex
} | LC_ALL=C sort >"$TEST_TMP/tables"
[ "$(wc -l <"$TEST_TMP/tables")" -gt 70 ] || fail "$verbs_h: too few entries in its tables"
only_in "$TEST_TMP/tables" "$TEST_TMP/members" "$verbs_h has entries in tables that mock/api/verbs_list.def has not: add"

"$TOP/scripts/verbs-table" >"$TEST_TMP/verbs.md"
cmp "$TEST_TMP/verbs.md" "$TOP/docs/verbs.md" || fail "docs/verbs.md is not what mock/api/verbs_list.def makes: make docs"
