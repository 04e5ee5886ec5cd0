#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The demo between two hosts: over a good network, and over one that loses, repeats, reorders
# and corrupts packets.
# timeout: 300
# variants: plain
. "$(dirname "$0")/../hosts.sh"
need openssl bash

hosts 2
# The longest packets that there are.
for host in 1 2; do on "$host" ip link set wire1 mtu 9000; done
# demo MIB: with a large file of so much
demo() {
	expect 0 env ADDRESS=10.77.1.2 AT_SERVER="nsenter -t $(pid_of host2) -n" \
		AT_CLIENTS="nsenter -t $(pid_of host1) -n" BIG="$1" "$TOP/scripts/demo.sh"
}

demo 4
a_bad_network
CLIENTS=3 demo 1
