#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the containers of compose.yaml do, with certificates in a volume that they share:
#
#   compose.sh certificates ADDRESS NAME...   for a server at that address and these clients
#   compose.sh server ADDRESS                 serves until it is stopped
#   compose.sh client NAME ADDRESS            moves a file there and back, and says how it went

set -eu
certificates=${CERTIFICATES:-/certificates}
app=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

client() {
	mockrdma run -- secure_client --json --cert "$certificates/$name.pem" --key "$certificates/$name.key" \
		--ca "$certificates/ca.pem" "$address" "$@"
}
# the value of a member of a JSON object in one line
of() { sed -nE "s/.*\"$1\":\"?([^\",}]*)[\",}].*/\1/p"; }

case $1 in
certificates)
	address=$2
	shift 2
	[ -e "$certificates/done" ] || "$app/scripts/make-certs.sh" -s "$address" "${@/#/-c}" "$certificates"
	touch "$certificates/done"
	;;
server)
	mkdir "$work/data"
	# Room for so few sessions' queues is in the 64 MiB of /dev/shm that a container has.
	exec mockrdma run -- secure_server --listen "$2:4433" --cert "$certificates/server.pem" \
		--key "$certificates/server.key" --ca "$certificates/ca.pem" --export "data=$work/data" \
		--max-sessions "${MAX_SESSIONS:-100}" --metrics "127.0.0.1:${METRICS:-9433}"
	;;
client)
	name=$2 address=$3
	head -c 4M /dev/urandom >"$work/file"
	printf 'put %s data/%s\nget data/%s %s\n' "$work/file" "$name" "$name" "$work/back" |
		client shell >"$work/said"
	line=$(head -n 1 "$work/said")
	[ "$(of qp_state <<<"$line")" = RTS ] || { cat "$work/said"; exit 1; }
	echo "device: $(of device <<<"$line"): an RDMA device made of software, to $address by RoCE v2"
	echo '✓ RDMA connection established'
	for check in tls psn_in_force proof_received proof_accepted; do
		[[ $line == *"\"$check\":true"* ]] || { echo "$check is not true"; exit 1; }
	done
	echo '✓ PSN exchange completed'
	cmp "$work/file" "$work/back"
	echo '✓ Data transfer successful'
	;;
*)
	sed -n '4,8p' "$0" >&2
	exit 2
	;;
esac
