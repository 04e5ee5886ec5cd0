# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# For the cases of interop, in place of lib.sh. A case runs in the network namespace that the guest
# is attached to, once for each direction:
#
#	CASE.sh SERVER CLIENT [ARG...]
#
# SERVER and CLIENT are `mock` (here) or `rdma` (the guest's kernel device).

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SERVER=$1 CLIENT=$2
shift 2
MOCK_ADDRESS=10.77.0.1 RDMA_ADDRESS=10.77.0.2

guest() {
	"$TOP/tests/vm/guest" exec "$*"
}

address_of() {
	case $1 in
	mock) echo "$MOCK_ADDRESS" ;;
	rdma) echo "$RDMA_ADDRESS" ;;
	esac
}

device_of() {
	case $1 in
	mock) echo mock0 ;;
	rdma) echo rdma0 ;;
	esac
}

# gid_of END [REGEX]: the index of its first RoCE v2 GID that matches; by default its IPv4 address
gid_of() {
	_where=guest _gid=${2:-::ffff:$(address_of "$1")}
	[ "$1" != mock ] || _where=mock
	$_where ibv_devinfo -v -d "$(device_of "$1")" |
		sed -n "s/.*GID\[ *\([0-9]*\)\]:[[:space:]]*$_gid, RoCE v2.*/\1/p" | head -n 1
}

# on END COMMAND ARG...
on() {
	_end=$1
	shift
	case $_end in
	mock) mock "$@" ;;
	rdma) guest "$@" ;;
	esac
}

# spawn_on END NAME COMMAND ARG...
spawn_on() {
	_end=$1 _as=$2
	shift 2
	case $_end in
	mock) spawn "$_as" mock "$@" ;;
	rdma) spawn "$_as" "$TOP/tests/vm/guest" exec "exec $*" ;;
	esac
}

# In the guest: waits until a TCP port, or one of the connection manager, is listened on.
_guest_waits_tcp='p=$(printf ":%04X 0*:0000 0A" "$PORT"); until grep -qi "$p" /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done'
_guest_waits_cm='until rdma resource show cm_id | grep -q "state LISTEN.*:$PORT "; do sleep 0.05; done'

# listens_on END PORT tcp|cm: returns when a program there does.
listens_on() {
	case $1.$3 in
	mock.tcp) until_true 20 _listening "$2" ;;
	mock.cm) until_true 20 rdma_listening "$2" ;;
	rdma.tcp) guest "PORT=$2; export PORT; timeout 20 sh -c '$_guest_waits_tcp'" ;;
	rdma.cm) guest "PORT=$2; export PORT; timeout 20 sh -c '$_guest_waits_cm'" ;;
	esac || fail "nothing listens on port $2 of $1"
}

# serve PORT tcp|cm PROGRAM ARG...: on $SERVER, as server; returns when it listens.
serve() {
	_port=$1 _how=$2
	shift 2
	spawn_on "$SERVER" server "$@"
	listens_on "$SERVER" "$_port" "$_how"
}

# Both have to be content, within a time that only a fault exceeds.
ask() {
	spawn_on "$CLIENT" client "$@"
	wait_exit client 60
	assert_eq 0 "$STATUS" "exit status of the client: $*"
	wait_exit server 20
	assert_eq 0 "$STATUS" "exit status of the server: $*"
}
