#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# session.sh SERVER CLIENT direct|cm [OPTION...]: secure_server and secure_client, as they were built, do all
# that they can do.
# shellcheck source=tests/vm/pair.sh
. "$(dirname "$0")/pair.sh"

connect=$1
shift
options=$*
address=$(address_of "$SERVER")
certs=$TEST_TMP/certs
# The guest sees our files, and writes into its own memory.
share=/run/share
if [ "$SERVER" = mock ]; then share=$TEST_TMP/share; fi

# at END COMMAND: a shell command there, not on the mock
at() {
	case $1 in
	mock) sh -c "$2" ;;
	rdma) guest "$2" ;;
	esac
}

sum_of() {
	at "$1" "sha256sum <$2"
}

at "$SERVER" "rm -rf $share; mkdir $share"
"$TOP/scripts/make-certs.sh" -x -s "$address" "$certs"
head -c 5000000 /dev/urandom >"$TEST_TMP/original"
wanted=$(sha256sum <"$TEST_TMP/original")

as() {
	echo "--cert $certs/$1.pem --key $certs/$1.key --ca $certs/ca.pem --connect $connect $options"
}

# shellcheck disable=SC2046 # lists of words
spawn_on "$SERVER" server "$BUILD/bin/secure_server" --listen "$address:4433" $(as server) \
	--export "data=$share"
wait_for server 'listening on' 30

client() {
	# shellcheck disable=SC2046
	on "$CLIENT" "$BUILD/bin/secure_client" $(as client) "$address" "$@"
}

client ping -c 20 -s 1000
client send hello
client write --text "over-the-wire"
client read --length 64 --output /dev/null
client put "$TEST_TMP/original" data/copy
copy=/run/copy
[ "$CLIENT" = rdma ] || copy=$TEST_TMP/copy
client get --force data/copy "$copy"
assert_eq "$wanted" "$(sum_of "$SERVER" "$share/copy")" "what the server has"
assert_eq "$wanted" "$(sum_of "$CLIENT" "$copy")" "what the client got"
client ls data
stop server TERM 30
assert_eq 0 "$STATUS" "exit status of the server"
assert_grep 'left open: 0 sessions, 0 QPs, 0 MRs, 0 PDs, 0 CQs' "$(log_of server)"
