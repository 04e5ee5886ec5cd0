#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ib_read_lat, ib_read_bw, ib_atomic_lat and ib_atomic_bw with each transport and each option that perftest
# supports; one case a line. (perftest.sh has some of each for the other variants.)
# timeout: 300
# variants: plain
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/perftest.sh"
need ib_read_lat ib_read_bw ib_atomic_lat ib_atomic_bw

cases <<END
# --- READ
read_lat  RC,XRC        -n 100 -s 64
read_lat  RC            -n 100 -s 64 -R
read_lat  RC,XRC        -n 100 -s 64 -e
read_lat  RC            -n 5 -a -C
read_lat  RC            -D 1 -f 0 -s 64
read_bw   RC,XRC        -n 100 -s 4096
read_bw   RC            -n 100 -s 4096 -R
read_bw   RC,XRC        -n 100 -s 4096 -e
read_bw   RC,XRC        -n 100 -s 4096 -b
read_bw   RC,XRC        -n 100 -s 4096 -q 16
read_bw   RC            -n 5 -a
read_bw   RC,XRC        -D 1 -f 0 -s 4096
# --- atomics, which are of eight bytes
atomic_lat RC,XRC       -n 100
atomic_lat RC           -n 100 -R
atomic_lat RC,XRC       -n 100 -e
atomic_lat RC           -n 100 -A CMP_AND_SWAP
atomic_lat RC           -D 1 -f 0
atomic_bw RC,XRC        -n 100
atomic_bw RC            -n 100 -R
atomic_bw RC,XRC        -n 100 -e
atomic_bw RC,XRC        -n 100 -b
atomic_bw RC,XRC        -n 100 -q 16
atomic_bw RC            -n 100 -A CMP_AND_SWAP -q 16
atomic_bw RC            -D 1 -f 0
END
