#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# scale.sh mock mock SESSIONS: so many at a time, as bench/sessions has them, in the guest, which unlike many
# machines lets a process have that many descriptors. All succeed, or it fails; how fast they
# are says little, since the guest's processors are emulated.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

guest "export TMPDIR=/dev/shm; ulimit -n $(($1 * 2)) && CLIENTS=$1 ROUNDS=1 BUILD=$BUILD $TOP/bench/sessions" >"$TEST_TMP/sessions"
sed 's/^/= /' "$TEST_TMP/sessions"
