#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# refused.sh rdma rdma: on an iWARP device queue pairs cannot be connected directly; the client says
# so, and what to do.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

certs=$TEST_TMP/certs
"$TOP/scripts/make-certs.sh" -x -s "$RDMA_ADDRESS" "$certs"

as() {
	echo "--cert $certs/$1.pem --key $certs/$1.key --ca $certs/ca.pem --device rdma0"
}

# shellcheck disable=SC2046 # lists of words
spawn_on "$SERVER" server "$BUILD/bin/secure_server" --listen "$RDMA_ADDRESS:4433" $(as server)
wait_for server 'listening on' 30
# shellcheck disable=SC2046
expect 1 on "$CLIENT" "$BUILD/bin/secure_client" $(as client) --connect direct "$RDMA_ADDRESS" ping
assert_grep "is iWARP, which has no starting PSNs: connect by 'cm'" "$ERR"
stop server TERM 30
assert_eq 0 "$STATUS" "exit status of the server"
