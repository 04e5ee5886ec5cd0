#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/deploy_aws.sh against a stand-in for AWS that validates each call by AWS's service models:
# all of it comes up; whichever call fails, and also when only its answer is lost, the next run goes
# on and there is nothing twice; --destroy leaves nothing; a dry run calls nobody and prints each call.
# timeout: 1200
# variants: plain
. "$(dirname "$0")/../lib.sh"
need openssl ssh-keygen
/usr/bin/python3 -c 'import awscli.botocore' 2>/dev/null || skip "Debian's awscli is not installed"

cd "$TEST_TMP"
mkdir -p bin home
ln -s "$TOP/tests/aws/aws" bin/aws
# The instances: they do what they are told, and write it down; the REMOTE_FAIL_AT-th thing they refuse.
cat >bin/ssh <<'END'
#!/bin/sh
case "$*" in *'tar -xzf -'*) cat >/dev/null ;; esac
printf '%s %s\n' "${0##*/}" "$(echo "$*" | tr '\n' ' ')" >>"$HOME/remote"
[ "$(grep -c . "$HOME/remote")" != "${REMOTE_FAIL_AT:-}" ] || exit 255
[ "${0##*/}" = scp ] || exit 0
for last; do :; done
case $last in
*:*) ;;
*) echo measured >"$last" ;;
esac
END
chmod +x bin/ssh
ln -s ssh bin/scp
export PATH=$PWD/bin:$PATH HOME=$PWD/home CALLER_ADDRESS=203.0.113.7 AWS_CLOUD=$PWD/cloud AWS_SERVE=$PWD/serve
unset XDG_STATE_HOME AWS_REGION AWS_DEFAULT_REGION AWS_FAIL_AT

(unset AWS_SERVE AWS_FAIL_AT; exec env --default-signal=INT,QUIT bin/aws --serve "$PWD/serve") >aws.log 2>&1 &
_spawned="$_spawned $!"
until_true 60 test -S serve || fail "the stand-in does not start"

deploy() {
	"$TOP/scripts/deploy_aws.sh" --yes --region us-east-1 --results "$TEST_TMP/results" "$@" >deploy.log 2>&1 </dev/null
}
# is EXPRESSION: of the cloud `c`
is() {
	/usr/bin/python3 -c 'import json, sys
c = json.load(open(sys.argv[1]))
running = [i for i in c["instances"].values() if i["State"]["Name"] == "running"]
ok = eval(sys.argv[2])
if not ok: print(json.dumps(c, indent=1))
sys.exit(not ok)' "$AWS_CLOUD" "$1" || fail "not so in the cloud: $1"
}
# cloud EXPRESSION: changed, or printed
cloud() {
	/usr/bin/python3 -c 'import json, sys
c = json.load(open(sys.argv[1]))
exec(sys.argv[2])
json.dump(c, open(sys.argv[1], "w"))' "$AWS_CLOUD" "$1"
}
calls() { cloud 'print(c["calls"])'; }
# changing FIRST LAST: the numbers of those calls among them that change something
changing() {
	cloud "print(*(n for n, call in enumerate(c['log'], 1) if $1 <= n <= $2 and not call.startswith(('Describe', 'Get'))))"
}
kinds='("instances", "groups", "placements", "keys", "volumes", "interfaces")'
complete_once() {
	is 'len(running) == 2 and len(c["groups"]) == 1 and len(c["placements"]) == 1 and len(c["keys"]) == 1'
	is 'len(c["volumes"]) == 2 and len(c["interfaces"]) == 2'
	is 'len(list(c["groups"].values())[0]["rules"]) == 3'
	is 'all({"Key": "secure-rdma-deployment", "Value": "secure-rdma"} in x["Tags"] for k in '"$kinds"' for x in c[k].values())'
	is 'all({"Key": "secure-rdma-deployment", "Value": "secure-rdma"} in r["Tags"] for g in c["groups"].values() for r in g["rules"])'
	[ -s results/results.txt ] || fail "no results"
}
nothing_left() {
	is 'not running and not any(c[k] for k in '"$kinds"'[1:])'
	assert_eq '' "$(find home -type f ! -name remote)" "files left by --destroy"
}
anew() {
	rm -rf cloud home results
	mkdir home
}

# --- nothing fails ---
deploy || fail "deploy"
complete_once
calls=$(calls)
changing=$(changing 1 "$calls")
remote=$(grep -c . home/remote)
assert_grep 'cost: two c6in.32xlarge in us-east-1, 14.52 USD an hour' deploy.log
assert_grep "203.0.113.7/32" cloud
CALLER_ADDRESS=203.0.113.8 deploy || fail "deploying what is there already, from another address"
complete_once
assert_grep "203.0.113.8/32" cloud
CALLER_ADDRESS=here deploy && fail "it took 'here' for an address"
assert_grep "set CALLER_ADDRESS" deploy.log

# --- what its owner does by hand ---
cloud 'for i in c["instances"].values(): i["State"]["Name"] = "terminated"; c["volumes"].clear(); c["interfaces"].clear()'
deploy || fail "deploying anew what was ended by hand"
complete_once
mv home home.lost
mkdir home
deploy && fail "it goes on without its key"
assert_grep "key pair 'secure-rdma' that is not in .*: --destroy" deploy.log
rm -r home
mv home.lost home
# A disk and an adapter that outlived their instances.
cloud 'c["volumes"]["vol-x"] = {"VolumeId": "vol-x", "Status": "available", "of": "", "Tags": list(c["volumes"].values())[0]["Tags"]}'
cloud 'c["interfaces"]["eni-x"] = {"NetworkInterfaceId": "eni-x", "Status": "available", "of": "", "Tags": list(c["volumes"].values())[0]["Tags"]}'
deploy --destroy || fail "destroy"
nothing_left
deploy --destroy || fail "destroying nothing"
expect 1 "$TOP/scripts/deploy_aws.sh" --yes --type t3.micro --region us-east-1
assert_grep 'has no EFA adapter' "$ERR"
for answer in '' no; do
	"$TOP/scripts/deploy_aws.sh" --region us-east-1 <<<"$answer" >deploy.log 2>&1 && fail "it went on without a yes"
	assert_grep 'nothing was made' deploy.log
done

# --- each call fails once ---
if [ "$calls" -le 15 ] || [ "$remote" -le 8 ]; then fail "only $calls calls, and $remote to instances"; fi
goes_on() {
	deploy || fail "after a failure ($*) it does not go on"
	complete_once
}
for n in $changing; do
	for how in before after; do
		anew
		AWS_FAIL_AT=$n AWS_FAIL_HOW=$how deploy && fail "it did not see that call $n failed ($how)"
		goes_on "call $n, $how"
	done
done
# Where a call that changes nothing failed it is as where the next one that does failed before it did.
for ((n = 1; n <= calls; n++)); do
	case " $changing " in *" $n "*) continue ;; esac
	anew
	if AWS_FAIL_AT=$n deploy; then
		assert_grep "cost: .*not known" deploy.log # the one whose failure may be passed over
	else
		assert_eq "$n" "$(calls)" "calls, the last of which failed"
	fi
done
# An instance that AWS ended before it ever ran: the order was carried out, and may be given anew.
anew
AWS_FAIL_AT=$((calls - 1)) deploy && fail "it did not see that it could not wait"
cloud 'for i in c["instances"].values(): i["State"]["Name"] = "terminated"; c["volumes"].clear(); c["interfaces"].clear()'
deploy && fail "it took instances that have ended"
assert_grep 'ended: call this again' deploy.log
goes_on "instances ended"
for ((n = 1; n <= remote; n++)); do
	rm -rf home/remote home/.local/state/secure-rdma-aws/*.certs results
	REMOTE_FAIL_AT=$n deploy && fail "it did not see that an instance failed at $n"
	rm home/remote
done
goes_on "of instances"

# --- and of those that end it ---
before=$(calls)
cp cloud cloud.up
cp -r home home.up
deploy --destroy || fail destroy
nothing_left
all=$(calls)
changing=$(changing $((before + 1)) "$all")
for ((n = before + 1; n <= all; n++)); do
	for how in before after; do
		case "$how $changing " in *" $n "* | before*) ;; *) continue ;; esac
		cp cloud.up cloud
		rm -rf home && cp -r home.up home
		AWS_FAIL_AT=$n AWS_FAIL_HOW=$how deploy --destroy && fail "it did not see that call $n failed ($how)"
		case " $changing " in *" $n "*) ;; *) continue ;; esac
		deploy --destroy || fail "after a failure ($how) of call $n it cannot be destroyed"
		nothing_left
	done
done

# --- a dry run ---
anew
deploy --dry-run || fail "dry run"
[ ! -e cloud ] || fail "a dry run called AWS"
assert_eq '' "$(find home results -mindepth 1 2>/dev/null || :)" "files of a dry run"
for call in import-key-pair create-security-group authorize-security-group-ingress create-placement-group run-instances wait; do
	assert_grep "^aws .* ec2 $call" deploy.log
done
deploy --dry-run --destroy || fail "dry run of destroy"
assert_grep '^aws .* ec2 terminate-instances' deploy.log
[ ! -e cloud ] || fail "a dry run called AWS"
echo "$calls calls and $remote to instances, each of which failed once"
