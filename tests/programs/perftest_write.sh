#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ib_write_lat and ib_write_bw with each transport and each option that perftest
# supports; one case a line. (perftest.sh has some of each for the other variants.)
# timeout: 300
# variants: plain
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/perftest.sh"
need ib_write_lat ib_write_bw

cases <<END
# The programs have no events (-e) for WRITE.
write_lat RC,UC,XRC     -n 100 -s 64
write_lat RC            -n 100 -s 64 -R
write_lat RC,UC,XRC     -n 100 -s 64 -I 64
write_lat RC            -n 5 -a -C
write_lat RC            -D 1 -f 0 -s 64
write_bw  RC,UC,XRC     -n 100 -s 4096
write_bw  RC            -n 100 -s 4096 -R
write_bw  RC,UC,XRC     -n 100 -s 4096 -b
write_bw  RC,UC,XRC     -n 100 -s 4096 -q 16
write_bw  RC            -n 100 -s 4096 -q 16 -R
write_bw  RC,UC,XRC     -n 100 -s 64 -I 64
write_bw  RC            -n 5 -a
write_bw  RC,UC,XRC     -D 1 -f 0 -s 4096
END
