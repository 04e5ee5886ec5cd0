#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every command that README.md and docs/getting-started.md show is run, as it stands but for its port numbers, and prints what
# is shown below it. Behind ```sh a block may say how:
#
#   background: REGEX           until it has written a line that matches, and on
#   background-listening: PORT  until something listens there, and on
#   fails                       it has to
#   not-here: FILE WORD         that file has the word, and does so
#
# timeout: 240
# variants: plain
. "$(dirname "$0")/../lib.sh"
need openssl ib_write_lat ibv_devinfo

port=$(free_port)
perftest_port=$(free_port)
groups=''
end_groups() {
	local g
	for g in $groups; do kill -TERM -- "-$g" 2>/dev/null || :; done
	groups=''
}
trap 'STATUS=$?; set +e; end_groups; (exit $STATUS); _cleanup' EXIT

# blocks DOCUMENT: NN.sh with NN.how, and NN.text with what it prints
blocks() {
	awk '
	/^```sh/ { n++; name = sprintf("%02d", n); print substr($0, 7) >(name ".how"); out = name ".sh"; next }
	/^```text/ { out = name ".text"; next }
	/^```/ { if (out != "") close(out); out = ""; next }
	out != "" { print >out }' "$1"
}

# run_in_background NAME HOW...: until it is there
run_in_background() {
	local name=$1 kind=$2
	shift 2
	spawn "$name" setsid bash -eu "./$name.sh"
	groups="$groups $(pid_of "$name")"
	case $kind in
	background:) wait_for "$name" "$*" 20 ;;
	*) until_true 20 _listening "$perftest_port" || fail "$name does not listen" ;;
	esac
}

elsewhere() { # FILE WORD
	grep -qF -e "$2" "$TOP/$1" || fail "$1 does not have '$2'"
}

# printed TEXT: each line of it, in this order, '…' being anything
printed() {
	/usr/bin/python3 - "$1" ./*.log <<-'END'
		import re, sys
		text = "\n".join(open(p, encoding="utf-8").read() for p in sys.argv[2:])
		for line in open(sys.argv[1], encoding="utf-8").read().splitlines():
		    wanted = ".*".join(re.escape(part) for part in line.split("…"))
		    if not re.search(f"^{wanted}$", text, re.M):
		        sys.exit(f"{sys.argv[1]}: nothing printed: {line}")
	END
}

run_block() { # NAME
	local how
	read -r -a how <"$1.how" || :
	# shellcheck disable=SC1090 # of a document
	case ${how[0]:-} in
	'') . "./$1.sh" >"$1.log" 2>&1 ;;
	fails) bash -eu "./$1.sh" >"$1.log" 2>&1 && fail "it does not fail: $(cat "$1.sh")" ;;
	background*) run_in_background "$1" "${how[@]}" ;;
	not-here:) elsewhere "${how[@]:1}" ;;
	*) fail "no way to run a block is called '${how[0]}'" ;;
	esac
	[ ! -e "$1.text" ] || printed "$1.text" || fail "what is shown"
}

run_document() { # DOCUMENT AT-LEAST-BLOCKS
	local name count=0
	blocks "$1"
	sed -i "s/4433/$port/g; s/ib_write_lat/& -p $perftest_port -n 200/" ./*.sh ./*.text 2>/dev/null || :
	for name in [0-9][0-9].sh; do
		run_block "${name%.sh}"
		count=$((count + 1))
	done
	[ "$count" -ge "$2" ] || fail "only $count commands in $1"
	end_groups
}

# in_tree NAME: a directory in which things can be left lying about, with all of the project and our build.
of_test=$TEST_TMP
in_tree() {
	mkdir "$of_test/$1"
	cd "$of_test/$1"
	ln -s "$TOP"/* .
	ln -sfn "$BUILD" build
	TEST_TMP=$PWD # where `spawn` writes
}

host=$MOCKRDMA_DIR
in_tree started
run_document "$TOP/docs/getting-started.md" 12
unset MOCKRDMA_LINK MOCKRDMA_LOSS MOCKRDMA_REORDER MOCKRDMA_SEED MOCKRDMA_PCAP
rm -r "$MOCKRDMA_DIR" # it made that
MOCKRDMA_DIR=$host

in_tree readme
"$TOP/scripts/make-certs.sh" -s localhost -c me . >/dev/null
mkdir share
echo 'an image' >big.iso
export LD_PRELOAD=$BUILD/lib/libmockrdma.so # README.md says: `mockrdma run --` in front of both
run_document "$TOP/README.md" 10
cmp big.iso share/big.iso
