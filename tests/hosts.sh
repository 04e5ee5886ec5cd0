# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# For scripts that need more than one host: network namespaces that are joined by a cable
# (a pair of veth interfaces). To be read before lib.sh, as an ordinary user begins anew in
# a user namespace of its own.

[ "$(id -u)" = 0 ] || [ -n "${TEST_HOSTS:-}" ] || {
	export TEST_HOSTS=1
	unshare --user --map-root-user --net true 2>/dev/null || {
		echo "this system permits no network namespaces"
		exit 77
	}
	exec unshare --user --map-root-user --net "$0" "$@"
}
. "$(dirname "$0")/../lib.sh"
need ip unshare nsenter
unshare --net true 2>/dev/null || skip "this system permits no network namespaces"

# hosts_make: hosts a and b, 10.77.0.1 and fd77::1, 10.77.0.2 and fd77::2.
hosts_make() {
	for _host in a b; do
		spawn "host_$_host" unshare --net sleep infinity
		mkdir "$TEST_TMP/host-$_host"
	done
	for _host in a b; do
		until_true 10 _has_network "$(pid_of "host_$_host")" || fail "host $_host does not come up"
	done
	ip link add "cable$$" netns "$(pid_of host_a)" type veth peer name "cable$$" netns "$(pid_of host_b)" ||
		skip "there are no veth interfaces"
	_connect a 1
	_connect b 2
}

_has_network() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ] &&
		[ "$(cat "/proc/$1/comm")" = sleep ]
}

_connect() {
	_inside "$1"
	$_in ip link set lo up
	$_in ip link set "cable$$" name eth0
	$_in ip address add "10.77.0.$2/24" dev eth0
	$_in ip address add "fd77::$2/64" dev eth0 nodad
	$_in ip link set eth0 up
	_in=
}

_in=
_inside() {
	_in="nsenter --net=/proc/$(pid_of "host_$1")/ns/net --"
}

# at HOST FUNCTION ARG...: mock, spawn, and whatever calls them, on that host.
at() {
	_dir=$MOCKRDMA_DIR
	_inside "$1"
	MOCKRDMA_DIR=$TEST_TMP/host-$1
	shift
	_done=0
	"$@" || _done=$?
	MOCKRDMA_DIR=$_dir _in=
	return $_done
}

# In place of lib.sh's: which programs there are is asked on the host.
rdma_listening() {
	$_in mockrdma ls --json | grep -q "\"port\":$1,\"listening\":1}"
}
