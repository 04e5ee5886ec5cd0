#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# demo.sh: a server and ten clients on an RDMA device (the mock), each a process of its own, move
# real files both ways; two that are not who they should be are refused; then once more by way
# of the connection manager. Everything that is claimed at the end is checked here, from what
# the programs report (--json), and the script fails if anything was not so.
#
#   BUILD=build     the tree with the programs
#   CLIENTS=10      clients at once
#   BIG=256         MiB of the large file
#   NO_SECCOMP=     if set, the server filters no system calls: valgrind cannot
#   PATIENCE=1      factor of the times that it waits for things to happen
#   DEVICE=mock0    another: the programs run on that device of the system, at ADDRESS, without the mock
#   ADDRESS=127.0.0.1, AT_SERVER=, AT_CLIENTS=
#                   where the server listens, and what server and clients are started through
#                   when they are to be on different hosts (as in nsenter -t PID -n)

set -u
cd "$(dirname "$0")/.." || exit 1
build=$(cd "${BUILD:-build}" && pwd) || exit 1
clients=${CLIENTS:-10}
big_mib=${BIG:-256}
address=${ADDRESS:-127.0.0.1}
device=${DEVICE:-mock0}
launcher=()
[ "$device" != mock0 ] || launcher=("$build/bin/mockrdma" run --)
for tool in openssl tar sha256sum; do
	command -v $tool >/dev/null || { echo "demo: $tool is not installed" >&2; exit 1; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/srdma-demo.XXXXXX") || exit 1
# The queues of all processes, in memory where that has room for them: a container has 64 MiB there.
place=${MOCKRDMA_DIR:-/dev/shm}
room=$(df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
if [ -z "${MOCKRDMA_DIR:-}" ] && [ "${room:-0}" -lt $((128 + 16 * clients)) ]; then
	echo "demo: $place has ${room:-no} MiB: the mock's files are in ${TMPDIR:-/tmp}"
	place=${TMPDIR:-/tmp}
fi
host=$(mktemp -d -p "$place" mockrdma-demo.XXXXXX 2>/dev/null || mktemp -d) || exit 1
export MOCKRDMA_DIR=$host
log=$work/server.log
share=$work/share
mkdir "$share" "$work/in" "$work/out"
server_pid='' client_pids=()

cleanup() {
	local pid
	trap - EXIT
	for pid in $server_pid "${client_pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work" "$host"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }

die() {
	printf '\n✗ %s\n' "$*" >&2
	[ ! -s "$log" ] || { echo "  the end of the server's log:" >&2; tail -n 15 "$log" >&2; }
	exit 1
}

# Replaces its (sub)shell, so that what is started in the background is the process itself.
# TEST_PRELOAD and TEST_WRAP are what the tests run programs with: sanitizers, valgrind.
through=${AT_CLIENTS:-}
run_on_device() {
	# shellcheck disable=SC2086 # a list of words
	exec $through env ${TEST_PRELOAD:+LD_PRELOAD=$TEST_PRELOAD} ${TEST_WRAP:-} "${launcher[@]}" "$@"
}

# of KEY LINE: the value of a member of a JSON object in one line
of() { sed -nE "s/.*\"$1\":\"?([^\",}]*)[\",}].*/\1/p" <<<"$2"; }

# wait_until SECONDS COMMAND...: true as soon as the command is
wait_until() {
	local end=$((SECONDS + $1 * ${PATIENCE:-1}))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

events() { grep -c "\"event\":\"$1\"" "$log"; } # EVENT: how many in the server's log
has_events() { [ "$(events "$1")" -ge "$2" ]; }
sum_of() { sha256sum <"$1" | cut -d' ' -f1; }

mib_per_s() { awk -v b="$1" -v s="$2" 'BEGIN { printf "%.0f MiB/s", (s > 0 ? b / s / 1048576 : 0) }'; }

# --- what it takes -----------------------------------------------------------------------

step "A throw-away authority, certificates for a server and $clients clients, files"
names=()
for ((i = 1; i <= clients; i++)); do names+=("client-$i"); done
scripts/make-certs.sh -s "$address" -s localhost "${names[@]/#/-c}" "$work/certs" || die "no certificates"
scripts/make-certs.sh -c stranger "$work/foreign" || die "no certificates of a foreign authority"
scripts/sources all | tar -cf "$work/source.tar" -T - || die "cannot make a tar of the source"
head -c "$((big_mib << 20))" /dev/urandom >"$work/big.bin" || die "cannot make the large file"
source_sum=$(sum_of "$work/source.tar")
big_sum=$(sum_of "$work/big.bin")
say "source.tar: $(stat -c %s "$work/source.tar") bytes, SHA-256 $source_sum"
say "big.bin:    $(stat -c %s "$work/big.bin") bytes, SHA-256 $big_sum"

step "A server on the RDMA device $device"
through=${AT_SERVER:-} run_on_device "$build/bin/secure_server" --listen "$address:0" --json --cert "$work/certs/server.pem" \
	--key "$work/certs/server.key" --ca "$work/certs/ca.pem" --export "data=$share" \
	--data-protection sealed,none \
	${NO_SECCOMP:+--no-seccomp} --handshake-timeout $((10 * ${PATIENCE:-1}))s 2>"$log" &
server_pid=$!
wait_until 20 has_events listening 1 || die "the server does not listen"
port=$(of port "$(grep '"event":"listening"' "$log")")
say "process $server_pid, $address:$port; $(grep -c . "$log") lines in its log so far"

# client CERTIFICATE ARG...
client() {
	local cert=$1
	shift
	run_on_device "$build/bin/secure_client" --json --ca "$work/certs/ca.pem" \
		--cert "$cert.pem" --key "$cert.key" --timeout $((30 * ${PATIENCE:-1}))s \
		"$address:$port" "$@"
}

# --- ten clients at once -----------------------------------------------------------------

# commands NAME: what one client does
commands() {
	local text="written by $1 one-sided"
	cat <<END
ping -c 200
write --offset 4096 --text "$text"
read --offset 4096 --length ${#text}
put $work/source.tar data/$1.tar
get data/$1.tar $work/out/$1.tar
END
	[ "$1" != client-1 ] || cat <<END
put $work/big.bin data/$1.big
get data/$1.big $work/out/$1.big
END
	echo 'ls data'
}

# start_client NAME RESULTS ARG...: a shell that waits for its commands from a pipe
start_client() {
	local name=$1 results=$2
	shift 2
	mkfifo "$work/in/$results"
	client "$work/certs/$name" "$@" shell <"$work/in/$results" >"$work/out/$results.json" \
		2>"$work/out/$results.err" &
	client_pids+=($!)
}

step "$clients clients, each a process of its own, connected at the same time"
for name in "${names[@]}"; do start_client "$name" "$name"; done
gates=()
for name in "${names[@]}"; do
	exec {gate}>"$work/in/$name" || die "cannot open the pipe to $name"
	gates+=("$gate")
done
wait_until 30 has_events established "$clients" || die "only $(events established) of $clients sessions came up"
[ "$(events closed)" = 0 ] || die "a session ended before all were up"
say "$clients sessions are up at once; now each puts and gets files, writes and reads"
started=${EPOCHREALTIME/./}
for ((i = 0; i < clients; i++)); do
	commands "${names[i]}" >&"${gates[i]}"
	eval "exec ${gates[i]}>&-"
done
for ((i = 0; i < clients; i++)); do
	wait "${client_pids[i]}" || die "${names[i]} failed: $(cat "$work/out/${names[i]}.err")"
done
client_pids=()
all_us=$((${EPOCHREALTIME/./} - started))

# --- the same by way of the connection manager, and without a seal ------------------------

# once_more RESULTS ARG...: what client-1 did, by another session
once_more() {
	start_client client-1 "$@"
	exec {gate}>"$work/in/$1"
	commands client-1 | sed "s|data/client-1|data/$1|g; s|out/client-1|out/$1|g" >&"$gate"
	exec {gate}>&-
	wait "${client_pids[0]}" || die "the client in $1 mode failed: $(cat "$work/out/$1.err")"
	client_pids=()
}

step "The same once more, connected by librdmacm (cm)"
once_more cm --connect cm
step "And once more in clear (--data-protection=none), one-sided from memory to memory"
once_more none --data-protection=none
again=(cm none)
results=("${names[@]}" "${again[@]}")

# --- who is refused ----------------------------------------------------------------------

# refused WHO CLIENT-SAYS SERVER-SAYS COMMAND...
refused() {
	local who=$1 client_says=$2 server_says=$3 before line status
	shift 3
	before=$(events refused)
	line=$("$@" ping 2>/dev/null) # a subshell: "$@" replaces it
	status=$?
	[ $status = 1 ] || die "$who: exit status $status, not 1"
	[ "$(of ok "$line")" = false ] || die "$who was not refused"
	[ "$(of code "$line")" = certificate ] || die "$who was refused for another reason: $line"
	[[ "$line" == *"$client_says"* ]] || die "$who is told something else: $line"
	wait_until 10 has_events refused $((before + 1)) || die "the server does not know that it refused $who"
	[[ "$(grep '"event":"refused"' "$log" | tail -n 1)" == *"$server_says"* ]] ||
		die "the server refused $who for another reason"
	say "$who is refused; it is told:"
	say "    $(sed -E 's/.*"message":"([^"]*)".*/\1/' <<<"$line")"
}

step "Two who are not who they should be"
refused "a client without a certificate" 'requires a certificate' 'sent no certificate' \
	run_on_device "$build/bin/secure_client" --json --ca "$work/certs/ca.pem" "$address:$port"
refused "a client of a foreign authority" 'does not trust the CA' 'not signed by a CA that we trust' \
	client "$work/foreign/stranger"

# --- the end, and what is left -----------------------------------------------------------

step "Stopping the server"
kill -TERM "$server_pid"
wait "$server_pid" || die "the server's exit status is $?, not 0"
server_pid=''
left=$(grep '"event":"left"' "$log") || die "the server did not say what it left open"
for kind in sessions queue_pairs memory_regions protection_domains completion_queues \
	shared_receive_queues cm_ids contexts memory_windows; do
	[ "$(of $kind "$left")" = 0 ] || die "the server left $(of $kind "$left") $kind open"
done
say "exit status 0; left open: 0 sessions, 0 QPs, 0 MRs, 0 of anything"
nothing_on_host() { [ -z "$(find "$host" -mindepth 1 2>/dev/null)" ]; }
wait_until 10 nothing_on_host || die "left of the mock: $(find "$host" -mindepth 1)"
say "the mock's directory is empty"
expected=$(printf '%s.tar\n' "${results[@]}"; printf '%s.big\n' client-1 "${again[@]}")
[ "$(find "$share" -mindepth 1 -printf '%P\n' | sort)" = "$(sort <<<"$expected")" ] ||
	die "the server's directory has other files than those that were put: $(ls -A "$share")"
say "the server's directory has the $(wc -l <<<"$expected") files that were put, and no other"

# --- what was moved ----------------------------------------------------------------------

step "What was moved"
bytes=0
# moved RESULT FILE
moved() {
	local put get
	put=$(grep '"command":"put"' "$work/out/$1.json" | grep "\"to\":\"data/$2\"")
	get=$(grep '"command":"get"' "$work/out/$1.json" | grep "\"from\":\"data/$2\"")
	bytes=$((bytes + $(of bytes "$put") + $(of bytes "$get")))
	case $2 in *.big) say "$1: $((big_mib)) MiB put at $(mib_per_s "$(of bytes "$put")" "$(of seconds "$put")")," \
		"got back at $(mib_per_s "$(of bytes "$get")" "$(of seconds "$get")")" ;; esac
}
for r in "${results[@]}"; do moved "$r" "$r.tar"; done
moved client-1 client-1.big
ten=$bytes
for r in "${again[@]}"; do moved "$r" "$r.big"; done
say "$clients clients together: $(mib_per_s "$ten" "$(awk -v us="$all_us" 'BEGIN { print us / 1e6 }')")," \
	"all that each of them did included"
say "in all: $((bytes >> 20)) MiB in $((2 * ${#results[@]} + 2 * (1 + ${#again[@]}))) transfers," \
	"SHA-256 computed on both sides, and again here"
say "median round trip of a message while all were at it: $(for r in "${names[@]}"; do
	of p50 "$(grep '"command":"ping"' "$work/out/$r.json")"; done | sort -n |
	awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }') us"

# --- the three claims, each by what checks just that -------------------------------------

# Every queue pair, at both ends, said RTS when its device was asked, and was on the device.
connections_established() {
	local r line
	for r in "${results[@]}"; do
		line=$(head -n 1 "$work/out/$r.json")
		[ "$(of qp_state "$line")" = RTS ] || { echo "$r: queue pair in '$(of qp_state "$line")'"; return 1; }
		[ "$(of device "$line")" = "$device" ] || { echo "$r: not on $device"; return 1; }
	done
	[ "$(of connect "$(head -n 1 "$work/out/cm.json")")" = cm ] || { echo "cm: not connected by cm"; return 1; }
	[ "$(grep '"event":"established"' "$log" | grep -c '"qp_state":"RTS"')" = ${#results[@]} ] ||
		{ echo "the server does not have ${#results[@]} queue pairs in RTS"; return 1; }
}

# For each session, what the client calls its own PSN is what the server calls the peer's, and
# the other way round (as hashes); both are in force in the device, and the proof over the
# queue pair was verified at both ends.
psns_exchanged() {
	local r line ours theirs server check
	for r in "${results[@]}"; do
		line=$(head -n 1 "$work/out/$r.json")
		ours=$(of psn_local "$line") theirs=$(of psn_peer "$line")
		if [ -z "$ours" ] || [ -z "$theirs" ] || [ "$ours" = "$theirs" ]; then
			echo "$r: no PSNs"
			return 1
		fi
		server=$(grep '"event":"established"' "$log" | grep "\"psn_local\":\"$theirs\",\"psn_peer\":\"$ours\"")
		[ "$(grep -c established <<<"$server")" = 1 ] ||
			{ echo "$r: the server has no session with these PSNs"; return 1; }
		[ "$(of psn_exchanged "$server")" = true ] || { echo "$r: the server lacks its proof"; return 1; }
		for check in tls psn_in_force proof_received proof_accepted; do
			[[ "$line" == *"\"$check\":true"* ]] || { echo "$r: $check is not true"; return 1; }
		done
	done
}

# same_file RESULT FILE SUM: at both programs, on the server's disk and here
same_file() {
	local r=$1 file=$2 sum=$3 line
	for line in "$(grep '"command":"put"' "$work/out/$r.json" | grep "\"to\":\"data/$file\"")" \
		"$(grep '"command":"get"' "$work/out/$r.json" | grep "\"from\":\"data/$file\"")"; do
		[ "$(of ok "$line") $(of sha256 "$line")" = "true $sum" ] ||
			{ echo "$r: $file: the programs report '$(of sha256 "$line")'"; return 1; }
	done
	[ "$(sum_of "$share/$file")" = "$sum" ] || { echo "$r: $file differs at the server"; return 1; }
	[ "$(sum_of "$work/out/$file")" = "$sum" ] || { echo "$r: $file differs as it came back"; return 1; }
}

# protected_as_asked RESULT: sealed, but where it was asked for in clear; both ends say so
protected_as_asked() {
	local line server how
	line=$(head -n 1 "$work/out/$1.json")
	server=$(grep '"event":"established"' "$log" | grep "\"psn_local\":\"$(of psn_peer "$line")\"")
	how=$(of protection "$line")
	[ "$how" = "$(of protection "$server")" ] || { echo "$1: the server's data protection is another"; return 1; }
	case $1/$how in
	none/none | *[!e]/aes-256-gcm | *[!e]/chacha20-poly1305) ;;
	*) echo "$1: data protection '$how'"; return 1 ;;
	esac
}

# Files by SHA-256, one-sided access by its bytes; protected as was asked.
data_transferred() {
	local r text hex
	for r in "${results[@]}"; do
		protected_as_asked "$r" || return 1
		same_file "$r" "$r.tar" "$source_sum" || return 1
		case $r in client-*) text=$r ;; *) text=client-1 ;; esac
		text="written by $text one-sided"
		hex=$(printf %s "$text" | od -An -tx1 | tr -d ' \n')
		[ "$(of hex "$(grep '"command":"read"' "$work/out/$r.json")")" = "$hex" ] ||
			{ echo "$r: reads something else than it wrote"; return 1; }
	done
	for r in client-1 "${again[@]}"; do
		same_file "$r" "$r.big" "$big_sum" || return 1
	done
}

claim() { # SENTENCE CHECK
	local why
	why=$($2) || die "not so: $1: $why"
	printf '✓ %s\n' "$1"
}
echo
claim 'RDMA connection established' connections_established
claim 'PSN exchange completed' psns_exchanged
claim 'Data transfer successful' data_transferred

cleanup
for path in "$work" "$host"; do
	[ ! -e "$path" ] || { echo "✗ $path is still there" >&2; exit 1; }
done
