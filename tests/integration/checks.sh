#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The checks find what they are there for, with file, line and what to do.
# variants: plain
. "$(dirname "$0")/../lib.sh"

fake=$TEST_TMP/fake
mkdir -p "$fake"
cp -r "$TOP/scripts" "$fake/"

# file PATH: in the fake tree, from standard input
file() {
	mkdir -p "$fake/$(dirname "$1")"
	cat >"$fake/$1"
}
licence='/* SPDX-License-Identifier: BSD-2-Clause */'

for layer in base wire host object link transport cm api; do
	echo "$licence" | file "mock/$layer/$layer.h"
done
for layer in common session server client; do
	echo "$licence" | file "src/$layer/$layer.h"
done
echo "$licence" | file include/srdma.h
printf '%s\n#include "cm/cm.h"\n#include "base/base.h"\n#include <stdio.h>\n' "$licence" |
	file mock/api/good.c
printf '%s\n#include "common/common.h"\n#include "srdma.h"\n' "$licence" | file src/session/good.c
expect 0 "$fake/scripts/check-layers"
expect 0 "$fake/scripts/check-licence"
expect 0 "$fake/scripts/check-sizes"

# refused PATH INCLUDE: check-layers points at the second line of a file with that include
refused() {
	printf '%s\n#include %s\n' "$licence" "$2" | file "$1"
	expect 1 "$fake/scripts/check-layers"
	assert_grep "^$1:2: " "$OUT"
	assert_eq 1 "$(wc -l <"$OUT")" "complaints about $1"
	rm "$fake/$1"
}
refused mock/host/up.c '"object/object.h"'
refused mock/object/up.c '"transport/transport.h"'
refused mock/base/up.c '"wire/wire.h"'
refused mock/wire/beside.c '"host/host.h"'
refused mock/cm/across.c '"common/common.h"'
refused mock/cm/across.c '"srdma.h"'
refused src/session/across.c '"host/host.h"'
refused src/server/beside.c '"client/client.h"'
refused src/common/up.c '"session/session.h"'
refused mock/link/around.c '"../host/host.h"'
refused examples/inside.c '"session/session.h"'

# body N: N lines of a function's body
body() {
	for _ in $(seq "$1"); do printf '\tx();\n'; done
}
{ printf '%s\nint f(void)\n{\n' "$licence"; body 26; echo '}'; } | file mock/api/long.c
expect 1 "$fake/scripts/check-layers"
assert_grep '^mock/api/long\.c:30: a function of 26 lines' "$OUT"
rm "$fake/mock/api/long.c"

printf '\n' | file mock/new/thing.c
expect 1 "$fake/scripts/check-layers"
assert_grep 'no layer has the name mock/new' "$OUT"
expect 1 "$fake/scripts/check-licence"
assert_grep '^mock/new/thing\.c:1: no licence' "$OUT"
rm -r "$fake/mock/new"

{ printf '%s\nint f(void)\n{\n' "$licence"; body 61; echo '}'; } | file src/server/long.c
expect 0 "$fake/scripts/check-sizes"
assert_grep '^src/server/long\.c:3: warning: a function of 61 lines' "$OUT"
{ echo "$licence"; body 1000; } | file src/server/huge.c
expect 1 "$fake/scripts/check-sizes"
assert_grep '^src/server/huge\.c:1001: 1001 lines: over 1,000' "$OUT"
