#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ibv_devices and ibv_devinfo show the device, its port and a GID per address.
. "$(dirname "$0")/../lib.sh"
need ibv_devices ibv_devinfo ip

expect 0 mock ibv_devices
assert_grep '^ +mock0[[:space:]]+[0-9a-f]{16}$' "$OUT"
assert_eq 1 "$(grep -cE '[0-9a-f]{16}$' "$OUT")" "number of devices"

expect 0 mock ibv_devinfo
assert_grep 'hca_id:[[:space:]]+mock0' "$OUT"
assert_grep 'transport:[[:space:]]+InfiniBand' "$OUT"
assert_grep 'phys_port_cnt:[[:space:]]+1$' "$OUT"
assert_grep 'state:[[:space:]]+PORT_ACTIVE' "$OUT"
assert_grep 'link_layer:[[:space:]]+Ethernet' "$OUT"

expect 0 mock ibv_devinfo -v -d mock0 -i 1
for limit in max_qp max_qp_wr max_sge max_cq max_cqe max_mr max_pd max_srq max_qp_rd_atom; do
	assert_grep "$limit:[[:space:]]+[1-9][0-9]*$" "$OUT"
done
assert_grep 'atomic_cap:[[:space:]]+ATOMIC_' "$OUT"
assert_eq "$(grep -cE 'GID\[' "$OUT")" "$(grep -cE 'GID\[.*RoCE v2' "$OUT")" "RoCE v2 GIDs"
for address in $(ip -4 -o address show | awk '{ sub("/.*", "", $4); print $4 }'); do
	assert_grep "GID\[.*::ffff:$address, RoCE v2" "$OUT"
done
for address in $(ip -6 -o address show | awk '{ sub("/.*", "", $4); print $4 }'); do
	assert_grep "GID\[.*[^0-9a-f]$address, RoCE v2" "$OUT"
done

# Who asks for a device that there is not is told so.
expect 255 mock ibv_devinfo -d nosuch0
