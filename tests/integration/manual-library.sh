#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each function of libsrdma, and of libmockrdma's own, has a manual page with the prototype that the header has, each option
# and code is described, and mandoc and groff have nothing to say about any page.
# variants: plain
. "$(dirname "$0")/../lib.sh"
need mandoc groff nm

cd "$TEST_TMP"
header=$TOP/include/srdma.h

# same WHAT FILE FILE: two lists with the same lines
same() {
	[ -s "$2" ] || fail "$1: none found"
	diff -u --label wanted --label manual "$2" "$3" || fail "$1: the manual differs"
}

# --- every function has a page ---
nm -D --defined-only "$BUILD/lib/libsrdma.so" "$BUILD/lib/libmockrdma.so" |
	awk '$3 ~ /^(srdma|mockrdma)_/ { sub(/@.*/, "", $3); print $3 }' | sort >exported
{
	for page in "$TOP"/man/*.3; do basename "$page" .3; done
	"$TOP/scripts/man-links" "$TOP"/man/*.3 | cut -d' ' -f1
} | sort >pages
assert_eq '' "$(uniq -d pages)" "pages that two files claim"
grep -vxF srdma pages >functions # the introduction
same "functions with a page" exported functions

# --- with its prototype: names, types and arguments, in any layout ---
{
	sed 's|/\*.*\*/||' "$header" | tr '\n' ' ' | grep -oE 'SRDMA_API [^;{]*srdma_[a-z_]+\([^;]*\);'
	sed 's|/\*.*\*/||; s/^int mockrdma_/MOCK_API &/' "$TOP"/include/mockrdma*.h | tr '\n' ' ' |
		grep -oE 'MOCK_API int mockrdma_[a-z_]+\([^;]*\);'
} | sed -E 's/^[A-Z]+_API //; s/[[:space:]]+/ /g; s/ *\* */*/g' | sort >prototypes
awk '
/^\.Ft / { type = substr($0, 5); gsub(/"/, "", type) }
/^\.Fo / { name = $2; arguments = "" }
/^\.Fa / && name { a = substr($0, 5); gsub(/"/, "", a); arguments = arguments (arguments == "" ? "" : ", ") a }
/^\.Fc/ { print type " " name "(" arguments ");"; name = "" }
' "$TOP"/man/*.3 | sed 's/ *\* */*/g' | sort >manual
same prototypes prototypes manual

# --- with every option and code ---
sed -nE 's/^\t(SRDMA_(OPT|E)[A-Z_]*|SRDMA_E[A-Z]+)( = -?[0-9]+)?( =)?,?.*/\1/p' "$header" | sort -u >names
sed -n 's/^\.It Dv \(SRDMA_[A-Z_]*\).*/\1/p' "$TOP/man/srdma_context_new.3" "$TOP/man/srdma_strerror.3" |
	grep -E '^SRDMA_(OPT_|E[A-Z])' | sort -u >manual
same "options and codes" names manual

# --- no complaints ---
for page in "$TOP"/man/*.[13]; do
	mandoc -T lint -W warning "$page" 2>&1 | grep -vE 'outdated mandoc.db|STYLE:' >said || :
	[ ! -s said ] || { cat said; fail "mandoc: ${page##*/}"; }
	groff -ww -mandoc -Tutf8 -z "$page" >said 2>&1
	[ ! -s said ] || { cat said; fail "groff: ${page##*/}"; }
done

# --- what is installed can be found by any name ---
make -s -C "$TOP" BUILD="${BUILD#"$TOP"/}" DESTDIR="$PWD/dest" PREFIX=/usr install >install.log 2>&1
while read -r name; do
	mandoc -T ascii "dest/usr/share/man/man3/$name.3" >text 2>&1 || :
	head -n 1 text | grep -q '^:so\|can.t open' && fail "$name: a link that leads nowhere"
done <exported
for name in srdma_read_wait srdma_worker_run; do
	page=$(sed -n 's/^\.so //p' "dest/usr/share/man/man3/$name.3")
	grep -q "^\.Nm $name" "dest/usr/share/man/$page" || fail "$name: its link leads to '$page'"
done
