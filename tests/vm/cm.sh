#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cm.sh SERVER CLIENT rping|udaddy: by the connection manager; both check what they receive.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

address=$(address_of "$SERVER")
case $1 in
rping)
	serve 7174 cm rping -s -a "$address" -C 10 -v -V
	ask rping -c -a "$address" -C 10 -V
	;;
udaddy)
	serve 7174 cm udaddy -b "$address"
	ask udaddy -s "$address" -b "$(address_of "$CLIENT")"
	;;
esac
