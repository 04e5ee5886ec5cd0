#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/deploy_aws.sh --dry-run prints every call, in order, and makes none. tests/ship has it deploy.
# variants: plain
. "$(dirname "$0")/../lib.sh"

cd "$TEST_TMP"
mkdir bin home
for program in aws ssh scp ssh-keygen curl; do
	printf '#!/bin/sh\necho "%s $*" >>"%s/called"\nexit 1\n' $program "$PWD" >bin/$program
	chmod +x bin/$program
done
dry() {
	PATH=$PWD/bin:$PATH HOME=$PWD/home XDG_STATE_HOME='' CALLER_ADDRESS='' "$TOP/scripts/deploy_aws.sh" --dry-run "$@"
}
in_order() { # REGEX...
	local line=0 next regex
	for regex in "$@"; do
		next=$(tail -n +$((line + 1)) "$ERR" | grep -nE -m 1 -e "$regex" | cut -d: -f1)
		[ -n "$next" ] || { cat "$ERR"; fail "not printed, or too early: $regex"; }
		line=$((line + next))
	done
}

expect 0 dry --region eu-north-1 --type c7gn.16xlarge --name mine
in_order 'cost: two c7gn.16xlarge in eu-north-1' '^ssh-keygen' 'ec2 import-key-pair' 'ec2 create-placement-group.*cluster' '^curl' \
	'ec2 create-security-group' 'ingress .*IpProtocol=-1.*GroupId=GROUP' 'egress .*IpProtocol=-1.*GroupId=GROUP' \
	'ingress .*FromPort=22.*CALLER/32' 'ec2 run-instances .*c7gn.16xlarge --count 2.*InterfaceType=efa' 'ec2 wait' \
	'^scripts/sources all .*PUBLIC-1' 'ssh .*PUBLIC-1 .*efa_installer' 'ssh .*PUBLIC-2 .*efa_installer' 'make-certs.sh -s PRIVATE-1' 'scp .*server.key.*PUBLIC-1' \
	'scp .*client.key.*PUBLIC-2' 'ssh .*PUBLIC-1 .*secure_server' 'ssh .*PUBLIC-2 .*secure_client' \
	'ssh .*PUBLIC-2 .*fi_pingpong' 'scp .*results.txt'
# All that is made has the tag.
assert_eq '' "$(grep -E '^aws .* (create|run|import|authorize)-' "$ERR" | grep -v 'secure-rdma-deployment.*mine' || :)" "calls without the tag"
expect 0 dry --destroy
in_order 'terminate-instances' 'wait instance-terminated' 'delete-security-group' 'delete-placement-group' 'delete-key-pair'
[ ! -e called ] || fail "a dry run called: $(cat called)"
assert_eq '' "$(find home aws-results -mindepth 0 ! -name home 2>/dev/null)" "files that a dry run made"

expect 2 dry --nonsense
assert_grep '^scripts/deploy_aws.sh' "$ERR"
expect 1 dry --name 'not a name'
expect 1 env PATH=/usr/bin:/bin HOME=/nonexistent "$TOP/scripts/deploy_aws.sh" --name 'not a name'
