#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the settings of a bad network take, and what they say of anything else.
# variants: plain
. "$(dirname "$0")/../lib.sh"
need ibv_devices

# said SETTING: what the mock says about it
said() {
	expect 0 mock env "$1" ibv_devices
	cat "$ERR"
}

for good in MOCKRDMA_LOSS=0 MOCKRDMA_LOSS=100 MOCKRDMA_DUPLICATE=0.0001 MOCKRDMA_REORDER=7. \
	MOCKRDMA_CORRUPT=1.25 MOCKRDMA_DELAY=0 MOCKRDMA_DELAY=0.5ms MOCKRDMA_DELAY=10s \
	MOCKRDMA_DELAY=20us MOCKRDMA_SEED=0 MOCKRDMA_SEED=18446744073709551615; do
	assert_eq '' "$(said "$good")" "$good"
done
for bad in MOCKRDMA_LOSS=5% MOCKRDMA_LOSS=100.1 MOCKRDMA_LOSS=-1 MOCKRDMA_DUPLICATE=a MOCKRDMA_REORDER=.5 \
	MOCKRDMA_CORRUPT=99999999999999999999; do
	assert_eq "mockrdma: $bad is not understood and ignored: it takes percent, 0 to 100, as in 0.5" \
		"$(said "$bad" | sed 's/^.*MOCKRDMA/mockrdma: MOCKRDMA/')" "$bad"
done
for bad in MOCKRDMA_DELAY=5 MOCKRDMA_DELAY=1h MOCKRDMA_DELAY=11s MOCKRDMA_DELAY=ms; do
	assert_eq "mockrdma: $bad is not understood and ignored: it takes a time up to 10s, as in 200us or 1.5ms" \
		"$(said "$bad" | sed 's/^.*MOCKRDMA/mockrdma: MOCKRDMA/')" "$bad"
done
