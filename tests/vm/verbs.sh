#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# verbs.sh SERVER CLIENT KIND PROGRAM SIZES ARG...: a program of rdma-core's examples (KIND pingpong, or
# pingpong6: by IPv6) or of perftest (KIND perftest) with each size of message.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

kind=$1 program=$2 sizes=$3
shift 3

# options_of END: the device and address it is to use
options_of() {
	case $kind in
	pingpong) echo "-d $(device_of "$1") -g $(gid_of "$1")" ;;
	pingpong6) echo "-d $(device_of "$1") -g $(gid_of "$1" "fe80:.*")" ;;
	perftest) echo "-d $(device_of "$1") -x $(gid_of "$1") -F" ;;
	esac
}
server_options=$(options_of "$SERVER")
client_options=$(options_of "$CLIENT")

for size in $sizes; do
	port=18515
	[ "$SERVER" = rdma ] || port=$(free_port)
	case $program in ib_atomic*) with= ;; *) with="-s $size" ;; esac
	# shellcheck disable=SC2086 # lists of words
	serve "$port" tcp "$program" $server_options -p "$port" $with "$@"
	# shellcheck disable=SC2086
	ask "$program" $client_options -p "$port" $with "$@" "$(address_of "$SERVER")"
done
