#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# make-certs.sh [-s NAME]... [-c NAME]... [-x] DIR
#
# Makes throw-away certificates in DIR, to try secure_server and secure_client with:
#
#   ca.pem ca.key             an authority; one that is there already is used
#   server.pem server.key     a server, for each -s NAME (a DNS name or an address);
#                             default: localhost, 127.0.0.1, ::1 and this host's name
#   NAME.pem NAME.key         a client for each -c NAME (a DNS name; or a URI, whose last part
#                             names the files); default: client
#   expired-….pem, .key       with -x: both again, valid until yesterday
#
# They are valid for 30 days. The authority's key lies beside them: not for production.

set -eu

usage() {
	sed -n '4,15p' "$0" | sed 's/^# \{0,1\}//'
	exit "$1"
}

die() {
	echo "make-certs.sh: $*" >&2
	exit 1
}

servers='' clients='' expired=''
while getopts hs:c:x opt; do
	case $opt in
	h) usage 0 ;;
	s) servers="$servers $OPTARG" ;;
	c) clients="$clients $OPTARG" ;;
	x) expired=1 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || usage 2 >&2
command -v openssl >/dev/null || die "openssl is not installed: apt-get install openssl"

dir=$1
[ -n "$servers" ] || servers="localhost 127.0.0.1 ::1 $(uname -n)"
[ -n "$clients" ] || clients=client
umask 077
mkdir -p "$dir" || die "cannot make the directory $dir"
work=$(mktemp -d "${TMPDIR:-/tmp}/make-certs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# quietly COMMAND...: what it wrote, only when it fails
quietly() {
	"$@" >"$work/log" 2>&1 && return
	cat "$work/log" >&2
	die "$1 $2 failed: see above"
}

new_key() {
	quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# san NAME...: as an extension's value
san() {
	for _name in "$@"; do
		case $_name in
		*://*) _kind=URI ;;
		*:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) _kind=IP ;;
		*) _kind=DNS ;;
		esac
		case $_kind,$_name in IP,*[!0-9.:a-fA-F]*) _kind=DNS ;; esac
		printf '%s%s:%s' "${_comma:-}" "$_kind" "$_name"
		_comma=,
	done
}

make_authority() {
	new_key "$dir/ca.key"
	cat >"$work/ca.cnf" <<END
[req]
prompt = no
distinguished_name = dn
x509_extensions = ext
[dn]
CN = Throw-away CA $(openssl rand -hex 4)
[ext]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
	quietly openssl req -x509 -new -key "$dir/ca.key" -config "$work/ca.cnf" -days 30 \
		-out "$dir/ca.pem"
}

# issue FILE COMMON-NAME PURPOSE SAN FROM TO: FILE.pem and FILE.key in DIR. `openssl ca` is
# the only command of OpenSSL 3.0 that takes both dates.
issue() {
	cat >"$work/issue.cnf" <<END
[req]
prompt = no
distinguished_name = dn
[dn]
CN = $2
[ca]
default_ca = here
[here]
database = $work/index
new_certs_dir = $work
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
x509_extensions = ext
[any]
commonName = supplied
[ext]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $3
subjectAltName = $4
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
	: >"$work/index"
	new_key "$dir/$1.key"
	quietly openssl req -new -key "$dir/$1.key" -config "$work/issue.cnf" -out "$work/csr"
	quietly openssl ca -batch -notext -config "$work/issue.cnf" -cert "$dir/ca.pem" \
		-keyfile "$dir/ca.key" -in "$work/csr" -out "$dir/$1.pem" \
		-startdate "$5" -enddate "$6"
}

# date_in DAYS: as openssl ca wants it
date_in() {
	date -u -d "$1 days" +%Y%m%d%H%M%SZ
}

# issue_all PREFIX FROM TO
issue_all() {
	# shellcheck disable=SC2086 # lists of words
	set -- "$1" "$2" "$3" $servers
	_prefix=$1 _from=$2 _to=$3
	shift 3
	issue "${_prefix}server" "$1" serverAuth "$(san "$@")" "$_from" "$_to"
	for _client in $clients; do
		issue "$_prefix${_client##*/}" "${_client##*/}" clientAuth "$(san "$_client")" "$_from" "$_to"
	done
}

[ -f "$dir/ca.key" ] || make_authority
issue_all '' "$(date_in -1)" "$(date_in 30)"
[ -z "$expired" ] || issue_all expired- "$(date_in -30)" "$(date_in -1)"
