# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Hosts for test scripts: network namespaces, joined by veth pairs. Read in place of lib.sh, which
# it reads itself: an ordinary user begins anew in a user namespace of his own, and where the
# system permits none the test is skipped. The hosts are gone when the script ends.
#
#	hosts 1                         one, with nothing but its loopback interface
#	hosts 2                         10.77.1.1 and fd77:1::1 on host 1, …2 on host 2
#	hosts 3                         host 2 routes between 1 (10.77.1.1) and 3 (10.77.2.2)
#	on 1 mock PROGRAM ARG...        there
#	on 2 spawn NAME mock PROGRAM ARG...

[ "$(id -u)" = 0 ] || [ -n "${IN_USER_NAMESPACE:-}" ] || {
	unshare -Urn true 2>/dev/null || {
		echo "this system permits no network namespaces"
		exit 77
	}
	IN_USER_NAMESPACE=1 exec unshare -Urn "$0" "$@"
}
# shellcheck disable=SC1091 # relative to the script that reads this one
. "$(dirname "$0")/../lib.sh"
need ip unshare nsenter

# By index, in the order in which the mock has them: link-local, IPv4, IPv6.
export GID_LINK=0 GID_IPV4=1 GID_IPV6=2

# --- what is on a host -------------------------------------------------------------------

_in_host() {
	_host=$1
	shift
	nsenter -t "$(pid_of "host$_host")" -n -- "$@"
}

# on HOST COMMAND ARG...: a program or a function of lib.sh; what it starts is there.
_in=
on() {
	case $(command -v "$2") in
	/*)
		_in_host "$@"
		return
		;;
	esac
	_in="nsenter -t $(pid_of "host$1") -n --"
	shift
	_on_status=0
	"$@" || _on_status=$?
	_in=
	return "$_on_status"
}

# In place of lib.sh's: which programs there are is asked on the host.
rdma_listening() {
	$_in mockrdma ls --json | grep -q "\"port\":$1,\"listening\":1}"
}

_listening_there() {
	_hex=$(printf ':%04X 0' "$2")
	_in_host "$1" cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qi "$_hex"
}

# spawn_on HOST NAME PORT mock PROGRAM ARG...: a server; returns when it listens on the TCP port.
spawn_on() {
	_spawn_host=$1 _spawn_name=$2 _spawn_port=$3
	shift 3
	on "$_spawn_host" spawn "$_spawn_name" "$@"
	until_true 10 _listening_there "$_spawn_host" "$_spawn_port" ||
		fail "$_spawn_name does not listen on $_spawn_port of host $_spawn_host"
}

# served NAME PROGRAM ARG...: the client on host 1, of a server that is there already. Both succeed, and what
# they write says so, too.
served() {
	_served_by=$1
	shift
	expect 0 on 1 mock "$@"
	wait_exit "$_served_by" 60
	assert_eq 0 "$STATUS" "status of $_served_by of $1"
	for _said in "$OUT" "$ERR" "$(log_of "$_served_by")"; do
		assert_no_grep 'invalid data|[Ff]ailed|Completion with error' "$_said"
	done
}

# across HOST ADDRESS PROGRAM ARG...: a program that takes -p PORT, as server on that host, which
# has the address, and as client on host 1.
across() {
	_across_host=$1 _across_address=$2 _across_port=$(free_port)
	shift 2
	spawn_on "$_across_host" server "$_across_port" mock "$@" -p "$_across_port"
	served server "$@" -p "$_across_port" "$_across_address"
}

# counter HOST NAME: of the mock's, of all processes there were while one is left.
counter() {
	_in_host "$1" mockrdma stat -a | awk -v name="$2" '$1 == name { print $NF }'
}

# a_bad_network: what the mock is to make of the network from now on, the same each time.
a_bad_network() {
	export MOCKRDMA_LOSS=5 MOCKRDMA_DUPLICATE=5 MOCKRDMA_REORDER=5 MOCKRDMA_CORRUPT=1 MOCKRDMA_SEED=7
	export MOCKRDMA_CM_TIMEOUT=200
}

# netem HOST INTERFACE ARG...: as `tc qdisc … netem`. False where the kernel has none.
netem() {
	_netem_host=$1 _netem_wire=$2
	shift 2
	command -v tc >/dev/null && _in_host "$_netem_host" tc qdisc add dev "$_netem_wire" root netem "$@" 2>/dev/null
}

# --- making them -------------------------------------------------------------------------

_is_ready() {
	[ "$(readlink "/proc/$(pid_of "host$1")/ns/net" 2>/dev/null)" != "$_our_net" ] &&
		[ "$(cat "/proc/$(pid_of "host$1")/comm")" = sleep ]
}

# _make_host N: a process that holds its namespace.
_make_host() {
	_our_net=$(readlink /proc/self/ns/net)
	spawn "host$1" unshare -n sleep infinity
	until_true 10 _is_ready "$1" || skip "this system permits no network namespaces: $(cat "$(log_of "host$1")")"
	# An address is of use at once.
	_in_host "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' 2>/dev/null || :
	_in_host "$1" ip link set lo up
}

# _address HOST INTERFACE NET LAST
_address() {
	_in_host "$1" ip address add "10.77.$3.$4/24" dev "$2"
	_in_host "$1" ip -6 address add "fd77:$3::$4/64" dev "$2" nodad 2>/dev/null || :
	_in_host "$1" ip link set "$2" up
}

# The link-local address comes by itself, a moment later.
_has_addresses() {
	_in_host "$1" ip -6 address show dev "$2" scope link | grep -q fe80 &&
		! _in_host "$1" ip -6 address show dev "$2" tentative | grep -q inet6
}

# _join HOST OTHER NET: a pair of interfaces, wire1 or wire2 on each. Asked for in the first, since
# the script's own network may belong to somebody who permits none.
_join() {
	_in_host "$1" ip link add "wire$3" type veth peer name "wire$3" netns "$(pid_of "host$2")" \
		2>"$TEST_TMP/veth.log" || skip "no veth interfaces can be made: $(cat "$TEST_TMP/veth.log")"
	_address "$1" "wire$3" "$3" 1
	_address "$2" "wire$3" "$3" 2
	for _end in "$1" "$2"; do
		until_true 10 _has_addresses "$_end" "wire$3" || skip "IPv6 addresses do not come"
	done
}

# _route HOST NET GATEWAY: its network and last number
_route() {
	_in_host "$1" ip route add "10.77.$2.0/24" via "10.77.$3"
	_in_host "$1" ip -6 route add "fd77:$2::/64" via "fd77:$(echo "$3" | sed 's/\./::/')" 2>/dev/null || :
}

# hosts 1|2|3
hosts() {
	_make_host 1
	[ "$1" != 1 ] || return 0
	_make_host 2
	_join 1 2 1
	[ "$1" != 2 ] || return 0
	_make_host 3
	_join 2 3 2
	_in_host 2 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	_route 1 2 1.2
	_route 3 1 2.1
}
