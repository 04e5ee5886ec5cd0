#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's ibv_asyncwatch sees an interface go down and come up, and an address come, in a network
# namespace of its own.
. "$(dirname "$0")/../hosts.sh"
need ibv_asyncwatch

# seen EVENT: the line that the program prints for it.
seen() { grep -q "^ *event_type IBV_EVENT_$1 .*, port 1$" "$(log_of watch)"; }
gids() { grep -c 'IBV_EVENT_GID_CHANGE' "$(log_of watch)"; }
more_gids() { [ "$(gids)" -gt "$before" ]; }
started() { grep -q 'async event FD' "$(log_of watch)"; }

hosts 1
on 1 spawn watch mock stdbuf -oL ibv_asyncwatch
until_true 10 started || fail "it does not start"
on 1 ip link set lo down
until_true 10 seen PORT_ERR || fail "it hears nothing of the interface that goes down"
on 1 ip link set lo up
until_true 10 seen PORT_ACTIVE || fail "it hears nothing of the interface that comes up"
# The first may be hidden by what is still on the way of the interface's own.
for host in 1 2 3 4 5; do
	before=$(gids)
	on 1 ip addr add "10.9.8.$host/32" dev lo
	until_true 10 more_gids || fail "it hears nothing of an address"
done
kill "$(pid_of watch)"
wait_exit watch
