#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# An attacker on loopback: what is done to queue pairs without protection, to secret PSNs, and to sealed sessions.
# ATTACK_MILLIONS of forged packets are counted at the end; `make attack` asks for many.
# variants: plain asan
# timeout: 120
. "$(dirname "$0")/../hosts.sh"

hosts 1
export MOCKRDMA_LINK=roce
status=0
on 1 mock "$BUILD/tests/attack/attack" "${ATTACK_MILLIONS:-0.05}" || status=$?
assert_eq 0 "$status" "status of the attacker: an attack failed without protection, or succeeded with it"
