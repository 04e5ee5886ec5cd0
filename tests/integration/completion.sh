#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Completion in bash: the words that it offers are those that the programs' help has, and they are
# what the programs take.
# variants: plain
. "$(dirname "$0")/../lib.sh"

cd "$TEST_TMP"

# shellcheck source=/dev/null
# offered WORD...: what is offered for the last word, one a line.
offered() {
	(
		. "$TOP/packaging/completion/secure_client"
		. "$TOP/packaging/completion/mockrdma"
		compopt() { :; } # only there when readline calls
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"_$1" "$1" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
		[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
	)
}
offers() { # WANTED WORD...
	local wanted=$1
	shift
	assert_eq "$(tr ' ' '\n' <<<"$wanted" | sort)" "$(offered "$@" | sort)" "offered for '$*'"
}
for program in secure_server secure_client mockrdma; do
	# shellcheck source=/dev/null
	(
		. "$TOP/packaging/completion/secure_client"
		. "$TOP/packaging/completion/mockrdma"
		complete -p "$program"
	) | grep -qx "complete -F _$program $program" || fail "nothing completes $program"
done

# --- all options of the help, and no other ---
secure_server --help | grep -oE -e '(^ +|, )--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort -u >options
offered secure_server - | sort >got
diff -u options got || fail "options of secure_server"
secure_client --help | sed '1,/^Options:/d' | grep -oE -e '(^ +|, )--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort -u >options
offered secure_client - | sort >got
diff -u options got || fail "options of secure_client"
[ "$(wc -l <got)" -gt 10 ] || fail "the help of secure_client was not understood"

# --- commands, and what each takes, as the program itself says ---
offers 'ping send write read put get ls shell bench' secure_client host ''
offers 'ping put' secure_client --cert a.pem host p
for command in $(offered secure_client host ''); do
	expect 0 secure_client host "$command" --help
	sed -n 's/^ *\(-[a-z]\), *\(--[a-z-]*\).*/\1\n\2/p; s/^ *\(--[a-z-]*\) .*/\1/p' "$OUT" |
		grep -vxE -e '-h|--help|-V|--version' | sort -u >options
	offered secure_client host "$command" - | sort >got
	diff -u options got || fail "options of the command $command"
done
offers '--offset --output' secure_client host:4433 read --o
offers '--force --no-sync' secure_client host get --

# --- what comes behind an option ---
touch certificate.pem certificate.key
offers 'certificate.pem certificate.key' secure_server --cert cert
offers 'certificate.key' secure_client --key = certificate.k
offers 'certificate.pem' secure_client host put certificate.p
offers 'cm' secure_client --connect c
for option in --connect --transport --data-protection --packet-protection --log-level; do
	for program in secure_server secure_client; do
		for word in $(offered $program $option ''); do
			# The word is not what the program complains of.
			$program $option "$word" >said 2>&1 || :
			assert_no_grep "$option.*$word|'$word'" said
		done
		[ "$(offered $program $option '' | wc -l)" -ge 2 ] || fail "nothing is offered for $option"
		expect 2 $program $option nonsense --cert x --key x --ca x host ping
		assert_grep 'nonsense' "$ERR"
	done
done
offers '' secure_server --workers ''

# --- mockrdma ---
offers "$(mockrdma --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --help --version" mockrdma ''
offers '-a -w --json' mockrdma stat ''
offers '--json' mockrdma ls ''
offered mockrdma run ba >got
assert_grep '^bash$' got
offered mockrdma run -- ba >got
assert_grep '^bash$' got
offers 'certificate.pem' mockrdma dump certificate.p
