#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ib_send_lat and ib_send_bw with each transport and each option that perftest
# supports; one case a line. (perftest.sh has some of each for the other variants.)
# timeout: 300
# variants: plain
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/perftest.sh"
need ib_send_lat ib_send_bw

cases <<END
# --- SEND. The connection manager makes no UC, and perftest no XRC by it.
send_lat  RC,UC,UD,XRC  -n 100 -s 64
send_lat  RC,UD         -n 100 -s 64 -R
send_lat  RC,UC,UD,XRC  -n 100 -s 64 -e
send_lat  RC,UC,UD,XRC  -n 100 -s 64 -I 64
send_lat  RC,UD         -n 100 -s 64 --use-srq
send_lat  RC            -n 5 -a -C
send_lat  RC,UD         -D 1 -f 0 -s 64
send_bw   RC,UC,UD,XRC  -n 100 -s 512
send_bw   RC,UD         -n 100 -s 512 -R
send_bw   RC,UC,UD,XRC  -n 100 -s 512 -e
send_bw   RC,UC,UD,XRC  -n 100 -s 512 -b
send_bw   RC,UC,UD,XRC  -n 100 -s 512 -q 16 -r 128
send_bw   RC            -n 100 -s 512 -q 16 -R
send_bw   RC,UC,UD,XRC  -n 100 -s 64 -I 64
send_bw   RC,UD         -n 100 -s 512 --use-srq
send_bw   RC            -n 100 -s 512 --use-srq -q 16 -e
send_bw   RC            -n 5 -a
send_bw   RC,UC,UD,XRC  -D 1 -f 0 -s 512
END
