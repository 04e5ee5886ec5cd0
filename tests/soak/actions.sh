# shellcheck shell=bash disable=SC2154 # tests/soak/soak sets what is not set here
# SPDX-License-Identifier: BSD-2-Clause
#
# What the clients of the soak do. Each writes what came of it to $WORK/results.N, one line:
#
#   ACTION OUTCOME       ok, killed, a code of the client's, or what must not be: crash-SIGNAL, unnamed
#
# and of files, NAME SHA256, to sent.N before it sends them and to stored.N when it was told that they are stored.

CLIENT_FAULTS="alloc=30000,eintr=200,short=20,full=500,clock=1800,seed="

# launch FAULTS ARG...: a client in the background, as $launched; it writes to $out and $err.
launch() {
	local preload=''
	[ -z "$1" ] || preload=$FAULT_LIBRARY
	(
		trap - EXIT INT TERM
		export SOAK_FAULTS=$1
		export TEST_PRELOAD=$preload
		shift
		_exec_on_mock secure_client --cert "$CERTS/client.pem" --key "$CERTS/client.key" --ca "$CERTS/ca.pem" \
			--timeout 20s --json "127.0.0.1:$(cat "$WORK/$server.port")" "$@"
	) >"$out" 2>"$err" </dev/null &
	launched=$!
}

# outcome ACTION [SIGNAL]: waits for it; $SIGNAL is what we sent.
outcome() {
	local status=0 code
	wait "$launched" || status=$?
	code=$(sed -nE 's/.*"code":"([a-z_]*)".*/\1/p' "$out")
	if [ $status = 0 ]; then
		code=ok
	elif [ -n "${2:-}" ] && [ $status = $((128 + $(kill -l "$2"))) ]; then
		code=killed # SIGINT too, where it came before the client's own handler was there
	elif [ $status -gt 128 ]; then
		code=crash-$((status - 128))
	elif ! grep -q '^secure_client: .' "$err" || [ -z "$code" ] || [ "$code" = none ]; then
		# The sentence alone is enough when there is no memory left for JSON.
		grep -qE '^(secure_client|mockrdma): .' "$err" && code=${code:-sentence_only} || code=unnamed
	fi
	echo "$1@$server $code" >>"$WORK/results.$n"
	case $code in crash-* | unnamed) cp "$err" "$WORK/bad.$n.$code.$count" ;; esac
	[ "$code" = ok ]
}

# a_file KILOBYTES: up to that size, noted as sent; its name in $name, its digest in $sha.
a_file() {
	name=c$n-$count
	file=$WORK/$name
	head -c $(((RANDOM * 32768 + RANDOM) % ($1 * 1024) + 1)) /dev/urandom >"$file"
	sha=$(sha256sum <"$file")
	sha=${sha%% *}
	echo "$server/$name $sha" >>"$WORK/sent.$n"
}

stored() {
	echo "$server/$name $sha" >>"$WORK/stored.$n"
	if [ "$(sha256sum <"$TEST_TMP/$server/$name")" != "$sha  -" ]; then
		echo "LOST $server/$name" >>"$WORK/lost.$n"
	fi
}

# Faults in one client of three.
some_faults() {
	faults=''
	[ $((RANDOM % 3)) != 0 ] || faults=$CLIENT_FAULTS$RANDOM
}

act_ping() { launch "$faults" ping -c 5 -i 10ms; outcome ping || :; }
act_send() { launch "$faults" send "hello $count"; outcome send || :; }
act_list() { launch "$faults" ls data; outcome ls || :; }

act_put() {
	a_file 3000
	launch "$faults" put "$file" "data/$name"
	! outcome put || stored
}

act_get() {
	a_file 2000
	launch '' put "$file" "data/$name"
	outcome put || return 0
	stored
	launch "$faults" get "data/$name" "$file.got"
	if outcome get; then
		cmp -s "$file" "$file.got" || echo "LOST $file.got" >>"$WORK/lost.$n"
	elif [ -e "$file.got" ] && ! cmp -s "$file" "$file.got"; then
		echo "PARTIAL $file.got" >>"$WORK/lost.$n"
	fi
}

act_write() {
	head -c 20000 /dev/urandom >"$WORK/w$n"
	launch "$faults" write --file "$WORK/w$n"
	outcome write || :
}

# killed SIGNAL: somewhere in a put.
killed() {
	a_file 30000
	launch "$faults" put "$file" "data/$name"
	sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
	kill -s "$1" "$launched" 2>/dev/null
	! outcome "put-$1" "$1" || stored
}
act_killed() { killed KILL; }
act_interrupted() { killed INT; }

act_stalls() {
	a_file 30000
	launch '' put "$file" "data/$name"
	sleep "0.$((RANDOM % 5))"
	kill -STOP "$launched" 2>/dev/null
	sleep $((RANDOM % 3))
	kill -CONT "$launched" 2>/dev/null
	! outcome put-stalled || stored
}

# It comes back until it is done: but for the kill that hits it after the server stored the file and before it heard so.
act_patient() {
	a_file 30000
	launch '' --reconnect 50 put --force "$file" "data/$name"
	outcome put-patient || return 0
	stored
	launch '' --reconnect 50 get "data/$name" "$file.got"
	! outcome get-patient || cmp -s "$file" "$file.got" || echo "LOST $file.got" >>"$WORK/lost.$n"
}

# No client of ours: bytes that mean nothing, a connection that says nothing, TLS and then nothing of sense.
act_garbage() {
	(head -c 3000 /dev/urandom >"/dev/tcp/127.0.0.1/$(cat "$WORK/$server.port")") 2>/dev/null
	echo "garbage@$server sent" >>"$WORK/results.$n"
}
act_silent() {
	(exec 3<>"/dev/tcp/127.0.0.1/$(cat "$WORK/$server.port")" && sleep 1) 2>/dev/null
	echo "silent@$server sent" >>"$WORK/results.$n"
}
act_liar() {
	(head -c 3000 /dev/urandom; sleep 0.3) | timeout 5 openssl s_client -quiet -tls1_3 -connect "127.0.0.1:$(cat "$WORK/$server.port")" \
		-cert "$CERTS/client.pem" -key "$CERTS/client.key" -CAfile "$CERTS/ca.pem" >/dev/null 2>&1
	echo "liar@$server sent" >>"$WORK/results.$n"
}

ACTIONS=(ping ping send list put put get get write killed interrupted stalls patient patient garbage silent liar)

# The oldest are looked at once more, and go.
forget_oldest() {
	local old sha
	while [ "$(wc -l <"$WORK/stored.$n")" -gt "$KEPT" ]; do
		read -r old sha <"$WORK/stored.$n"
		[ "$(sha256sum <"$TEST_TMP/$old")" = "$sha  -" ] || echo "LOST $old" >>"$WORK/lost.$n"
		rm -f "${TEST_TMP:?}/$old"
		sed -i 1d "$WORK/stored.$n"
		echo "$old" >>"$WORK/checked.$n"
	done
}

# work N SEED: until the deadline.
work() {
	RANDOM=$2
	n=$1 count=0 out=$WORK/out.$1 err=$WORK/err.$1
	set +e
	: >"$WORK/stored.$n"
	: >"$WORK/sent.$n"
	while [ "$(date +%s)" -lt "$deadline" ]; do
		count=$((count + 1))
		server=steady
		[ $((RANDOM % 3)) != 0 ] || server=victim
		some_faults
		"act_${ACTIONS[RANDOM % ${#ACTIONS[@]}]}"
		rm -f "$WORK/c$n-"*
		forget_oldest
	done
}
