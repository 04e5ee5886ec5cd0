# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# For the scripts here that measure sessions: in memory, a directory $work, gone when the script ends, as is what it
# started; certificates in $certs; samples and their medians. $rounds counts them; $build is where the programs are.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
work=$(mktemp -d /dev/shm/srdma-bench.XXXXXX) || exit 1
certs=$work/certs
export MOCKRDMA_DIR=$work/mock
declare -A started=() # by their pid
remains=()            # other directories that are to go
trap '[ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null; rm -rf "$work" "${remains[@]}"' EXIT
mkdir "$MOCKRDMA_DIR" "$work/samples" "$work/share" || exit 1
"$top/scripts/make-certs.sh" -s 127.0.0.1 "$certs" >/dev/null || exit 1

fail() {
	echo "$*" >&2
	cat "$work"/*.log >&2
	exit 1
}

# port_of PID: the port where it listens, once it does; its own address comes before its peer's, which has no number
port_of() {
	local port
	for _ in $(seq 100); do
		port=$(ss -Hltnp 2>/dev/null | sed -nE "s/.*:([0-9]+) .*pid=$1,.*/\1/p" | head -n 1)
		[ -z "$port" ] || { echo "$port"; return; }
		sleep 0.1
	done
	return 1
}

# listen NAME COMMAND...: starts it, and sets $pid and $port.
listen() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null &
	pid=$!
	started[$pid]=$pid
	port=$(port_of "$pid") || fail "$name does not listen"
}

# finish PID: ends what was started
finish() {
	kill "$1"
	wait "$1"
	unset "started[$1]"
}

# start_server OPTION...: on the mock, as $pid; clients know its port.
start_server() {
	listen secure_server "$build/bin/mockrdma" run -- "$build/bin/secure_server" --listen 127.0.0.1:0 --log-level warn \
		--cert "$certs/server.pem" --key "$certs/server.key" --ca "$certs/ca.pem" "$@"
	server_port=$port
}

# client HOW COMMAND...: what secure_client says as JSON is in $json
json=$work/json
client() {
	local how=$1
	shift
	timeout 900 "$build/bin/mockrdma" run -- "$build/bin/secure_client" --json --data-protection "$how" \
		--cert "$certs/client.pem" --key "$certs/client.key" --ca "$certs/ca.pem" "127.0.0.1:$server_port" "$@" \
		>"$json" 2>"$work/client.log" || fail "secure_client $*"
}

# member KEY [OF]: a number of the client's JSON, of the object OF
member() {
	sed -nE "s/.*${2:+\"$2\":\{[^\}]*}\"$1\":([0-9.e+-]+).*/\1/p" "$json"
}

# median NAME: of the samples, a line each, in $work/samples/NAME
median() {
	sort -g "$work/samples/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
