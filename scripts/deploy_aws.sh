#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# scripts/deploy_aws.sh [OPTION]...: two instances with EFA adapters in a placement group at AWS, this
# project built there, server and client run, and measured; the results are fetched.
#
#   --dry-run        print every call, make none
#   --destroy        end all of it, and show that nothing is left
#   --yes            do not ask before it costs money
#   --name NAME      of the deployment (secure-rdma): a tag on all that it makes
#   --region REGION  (as `aws` is configured, else us-east-1)
#   --type TYPE      of the instances (c6in.32xlarge)
#   --results DIR    where results go (aws-results)
#
# It finds by their tag what an earlier run made, so after a failure at any step it is called again
# and goes on. Instances cost money until --destroy.

set -euo pipefail
shopt -s inherit_errexit # a call that fails ends the script, wherever its result was to go
top=$(cd "$(dirname "$0")/.." && pwd)
name=secure-rdma type=c6in.32xlarge results=aws-results
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
dry='' destroy='' yes=''
key_dir=${XDG_STATE_HOME:-$HOME/.local/state}/secure-rdma-aws

say() { echo "deploy_aws: $*" >&2; }
die() {
	say "$*"
	exit 1
}
usage() {
	sed -n '4,17p' "$0" | sed 's/^# \{0,1\}//'
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	--dry-run) dry=1 ;;
	--destroy) destroy=1 ;;
	--yes) yes=1 ;;
	--name | --region | --type | --results)
		[ $# -gt 1 ] || usage 2 >&2
		printf -v "${1#--}" %s "$2"
		shift
		;;
	-h | --help) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
	shift
done
[[ $name =~ ^[a-zA-Z0-9-]{1,40}$ ]] || die "--name: letters, digits and '-', at most 40"
key=$key_dir/$name.key
known_hosts=$key_dir/$name.known_hosts
token=$key_dir/$name.token
certificates=$key_dir/$name.certs
filter="Name=tag:secure-rdma-deployment,Values=$name"

# --- calls -------------------------------------------------------------------------------

# Prints a call in a dry run, to where results of calls are not read from; else makes it.
call() {
	if [ -n "$dry" ]; then
		printf '%q ' "$@" | sed 's/ $/\n/' >&2
	else
		"$@"
	fi
}

# ec2 OPERATION ARG...: results as text, of which "None" and nothing are the same.
ec2() {
	call aws --region "$region" --output text ec2 "$@" | sed 's/^None$//'
}

# or_dry VALUE PLACEHOLDER: what a dry run says in place of an id that nobody has told it
or_dry() { echo "${1:-${dry:+$2}}"; }

tags() { # KIND: --tag-specifications
	echo "ResourceType=$1,Tags=[{Key=Name,Value=$name},{Key=secure-rdma-deployment,Value=$name}]"
}

# --- what there is -----------------------------------------------------------------------

find_instances() {
	ec2 describe-instances --filters "$filter" "Name=instance-state-name,Values=${1:-pending,running}" \
		--query 'Reservations[].Instances[].[InstanceId]'
}
find_group() {
	ec2 describe-security-groups --filters "$filter" --query 'SecurityGroups[0].GroupId'
}
find_placement() {
	ec2 describe-placement-groups --filters "$filter" "Name=state,Values=available,pending" --query 'PlacementGroups[0].GroupName'
}
find_key() {
	ec2 describe-key-pairs --filters "$filter" --query 'KeyPairs[0].KeyName'
}

# --- making it ---------------------------------------------------------------------------

say_cost() {
	local price
	call aws --region us-east-1 --output text sts get-caller-identity --query Arn >/dev/null ||
		die "aws has no credentials that work: aws configure"
	price=$(call aws --region us-east-1 --output text pricing get-products --service-code AmazonEC2 --filters \
		"Type=TERM_MATCH,Field=instanceType,Value=$type" "Type=TERM_MATCH,Field=regionCode,Value=$region" \
		'Type=TERM_MATCH,Field=operatingSystem,Value=Linux' 'Type=TERM_MATCH,Field=tenancy,Value=Shared' \
		'Type=TERM_MATCH,Field=preInstalledSw,Value=NA' 'Type=TERM_MATCH,Field=capacitystatus,Value=Used' \
		--max-results 1 --query 'PriceList[0]' | grep -oE '"USD": *"[0-9.]+"' | head -n 1 | tr -dc 0-9. || :)
	if [ -n "$price" ]; then
		say "cost: two $type in $region, $(awk -v p="$price" 'BEGIN { printf "%.2f", 2 * p }') USD an hour on demand, and their disks, until --destroy"
	else
		say "cost: two $type in $region, at AWS's price on demand (not known here), and their disks, until --destroy"
	fi
	[ -z "$yes$dry" ] || return 0
	read -r -p 'Go on? (yes/no) ' answer || :
	[ "$answer" = yes ] || die "nothing was made"
}

make_key() {
	local found
	[ -n "$dry" ] || install -d -m 700 "$key_dir"
	found=$(find_key)
	[ -e "$key" ] || [ -z "$found" ] || die "AWS has a key pair '$name' that is not in $key_dir: --destroy, then call this again"
	[ -e "$key" ] || call ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$key"
	[ -z "$found" ] || return 0
	ec2 import-key-pair --key-name "$name" --public-key-material "fileb://$key.pub" \
		--tag-specifications "$(tags key-pair)" >/dev/null
}

# The first subnet of the default network in a zone that has such instances, with its network.
choose_subnet() {
	local zones efa found
	efa=$(ec2 describe-instance-types --instance-types "$type" --query 'InstanceTypes[0].NetworkInfo.EfaSupported')
	[ "$(or_dry "$efa" True)" = True ] ||
		die "$type has no EFA adapter: choose another --type"
	zones=$(ec2 describe-instance-type-offerings --location-type availability-zone \
		--filters "Name=instance-type,Values=$type" --query 'InstanceTypeOfferings[].Location' | tr '\t' ,)
	zones=$(or_dry "$zones" ZONES)
	[ -n "$zones" ] || die "$type is not offered in $region: choose another --type or --region"
	found=$(ec2 describe-subnets --filters Name=default-for-az,Values=true \
		"Name=availability-zone,Values=$zones" --query 'Subnets[0].[SubnetId,VpcId]')
	found=$(or_dry "$found" 'SUBNET NETWORK')
	read -r subnet network <<<"$found"
	[ -n "$subnet" ] || die "there is no default subnet in $zones: aws ec2 create-default-vpc"
}

caller_address() {
	local found=${CALLER_ADDRESS:-}
	[ -n "$found" ] || found=$(call curl -fsS --max-time 10 https://checkip.amazonaws.com || :)
	found=$(or_dry "$found" CALLER)
	[ "$found" = "${dry:+CALLER}" ] || [[ $found =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] ||
		die "your IPv4 address is not known ('$found'): set CALLER_ADDRESS"
	echo "$found"
}

# allow DIRECTION PERMISSION: a rule; one that is there already is as good.
allow() {
	local direction=$1 said
	shift
	said=$(ec2 "authorize-security-group-$direction" --group-id "$group" --ip-permissions "$1" \
		--tag-specifications "$(tags security-group-rule)" 2>&1 >/dev/null) || {
		[[ $said == *InvalidPermission.Duplicate* ]] || { echo "$said" >&2; return 1; }
		return 0
	}
	[ -z "$said" ] || echo "$said" >&2
}

# The caller's address may be another than when the group was made.
close_to_others() {
	local caller=$1 found rules
	found=$(ec2 describe-security-group-rules --filters "Name=group-id,Values=$group" \
		--query "SecurityGroupRules[?!IsEgress && CidrIpv4 && CidrIpv4!='$caller/32'].[SecurityGroupRuleId]")
	[ -n "$found" ] || return 0
	mapfile -t rules <<<"$found"
	ec2 revoke-security-group-ingress --group-id "$group" --security-group-rule-ids "${rules[@]}" >/dev/null
}

# Open to itself, as EFA wants it, and to ssh from here; to the outside for packages.
make_group() {
	local caller
	caller=$(caller_address)
	group=$(find_group)
	[ -n "$group" ] || group=$(ec2 create-security-group --group-name "$name" --vpc-id "$network" \
		--description 'EFA instances among themselves; ssh from one address' \
		--tag-specifications "$(tags security-group)" --query GroupId)
	group=$(or_dry "$group" GROUP)
	close_to_others "$caller"
	allow ingress "IpProtocol=-1,UserIdGroupPairs=[{GroupId=$group}]"
	allow egress "IpProtocol=-1,UserIdGroupPairs=[{GroupId=$group}]"
	allow ingress "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=$caller/32}]"
}

make_placement() {
	local found
	found=$(find_placement)
	[ -z "$found" ] || return 0
	ec2 create-placement-group --group-name "$name" --strategy cluster --tag-specifications "$(tags placement-group)" >/dev/null
}

# order COUNT: instances. The same order is carried out once, however often it is given: that is what
# its token says, which is kept until the instances are known to run.
order() {
	local image once=TOKEN
	image=$(call aws --region "$region" --output text ssm get-parameter \
		--name /aws/service/debian/release/12/latest/amd64 --query Parameter.Value)
	image=$(or_dry "$image" IMAGE)
	if [ -z "$dry" ]; then
		[ -s "$token" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$token"
		once=$(cat "$token")
	fi
	ec2 run-instances --image-id "$image" --instance-type "$type" --count "$1" --key-name "$name" \
		--client-token "$once-$1" --placement "GroupName=$name" --metadata-options HttpTokens=required \
		--network-interfaces "DeviceIndex=0,InterfaceType=efa,SubnetId=$subnet,Groups=$group,AssociatePublicIpAddress=true,DeleteOnTermination=true" \
		--block-device-mappings 'DeviceName=/dev/xvda,Ebs={VolumeSize=30,VolumeType=gp3,Encrypted=true,DeleteOnTermination=true}' \
		--tag-specifications "$(tags instance)" "$(tags volume)" "$(tags network-interface)" \
		--query "Instances[?State.Name=='pending' || State.Name=='running'].[InstanceId]"
}

make_instances() {
	local found have
	found=$(find_instances)
	have=$(grep -c . <<<"$found" || :)
	[ "$have" -ge 2 ] || found+=$'\n'$(order $((2 - have)))
	mapfile -t instances < <(grep . <<<"$found" | sort -u || :)
	[ -z "$dry" ] || instances=(INSTANCE-1 INSTANCE-2)
	if [ ${#instances[@]} -lt 2 ]; then
		rm -f "$token" # what it ordered has been ended meanwhile
		die "an instance that was ordered has ended: call this again"
	fi
	[ ${#instances[@]} = 2 ] || die "there are ${#instances[@]} instances with the tag secure-rdma-deployment=$name: --destroy them"
	ec2 wait instance-status-ok --instance-ids "${instances[@]}"
	[ -n "$dry" ] || rm -f "$token"
}

find_addresses() {
	local addresses
	addresses=$(ec2 describe-instances --instance-ids "${instances[@]}" \
		--query 'Reservations[].Instances[].[PrivateIpAddress,PublicIpAddress]')
	addresses=$(or_dry "$addresses" $'PRIVATE-1 PUBLIC-1\nPRIVATE-2 PUBLIC-2')
	# The same one is the server each time.
	addresses=$(sort <<<"$addresses" | tr '\n\t' '  ')
	read -r server_private server_public _ client_public <<<"$addresses"
}

# --- using it ----------------------------------------------------------------------------

ssh_options=(-i "$key" -o "UserKnownHostsFile=$known_hosts" -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20 -o BatchMode=yes)

at() { # ADDRESS COMMAND: in a shell there
	call ssh "${ssh_options[@]}" "admin@$1" "$2"
}

# The source, EFA's driver and libfabric (AWS's own installer, whose signature it publishes beside
# it), the build. What is done already is not done again.
prepare() {
	local address=$1
	if [ -n "$dry" ]; then
		echo "scripts/sources all | tar -czf - -T - | ssh admin@$address tar -xzf - -C secure-rdma" >&2
	else
		(cd "$top" && scripts/sources all | tar -czf - -T -) |
			ssh "${ssh_options[@]}" "admin@$address" 'mkdir -p secure-rdma && tar -xzf - -C secure-rdma'
	fi
	at "$address" 'set -e; cloud-init status --wait >/dev/null || :; [ -e /opt/amazon/efa/bin/fi_info ] || {
		curl -fsSO https://efa-installer.amazonaws.com/aws-efa-installer-latest.tar.gz
		tar -xzf aws-efa-installer-latest.tar.gz
		(cd aws-efa-installer && sudo ./efa_installer.sh -y)
	}; /opt/amazon/efa/bin/fi_info -p efa -t FI_EP_RDM >/dev/null; cd secure-rdma && PKG_CONFIG_PATH=/opt/amazon/efa/lib/pkgconfig ./run all'
}

# For the server's address: another server gets other ones.
make_certificates() {
	local made=$certificates/$server_private
	if [ ! -e "$made" ]; then
		[ -n "$dry" ] || rm -rf "$certificates"
		call "$top/scripts/make-certs.sh" -s "$server_private" -c client "$made.new"
		call mv "$made.new" "$made"
	fi
	call scp -q "${ssh_options[@]}" "$made"/{ca.pem,server.pem,server.key} "admin@$server_public:secure-rdma/"
	call scp -q "${ssh_options[@]}" "$made"/{ca.pem,client.pem,client.key} "admin@$client_public:secure-rdma/"
}

# Shell commands for there: ends the programs NAME of an earlier run (a second signal ends them at once).
ended() { echo "while pkill -x $1; do sleep 0.2; done;"; }

# The session goes over EFA where the programs have the libfabric transport; EFA has no queue pairs that
# verbs could connect. Without it the session runs on the mock, over UDP, and says so.
run_session() {
	local how='how="build/bin/mockrdma run --" fabric=; build/bin/secure_client --help | grep -q -e --transport && { how=; fabric="--transport=fabric --fabric-provider=efa"; };'
	at "$server_public" "cd secure-rdma && mkdir -p share && $(ended secure_server) $how"'
		nohup $how build/bin/secure_server $fabric --cert server.pem --key server.key --ca ca.pem --export data=share >server.log 2>&1 </dev/null &
		for i in $(seq 100); do grep -q "listening on" server.log && exit 0; sleep 0.2; done; cat server.log; exit 1'
	at "$client_public" "cd secure-rdma && $how"' echo "session on: ${fabric:-the mock (this build has no libfabric transport)}" >results.txt
		head -c 1G /dev/zero >big; for c in "ping -c 1000" "put -f big data/big" "get -f data/big back"; do
		$how build/bin/secure_client $fabric --cert client.pem --key client.key --ca ca.pem '"$server_private"' $c >>results.txt || exit 1; done'
}

# EFA itself, beside it, by libfabric's own program, whose server is there when its port is (47592).
run_benchmark() {
	at "$server_public" "$(ended fi_pingpong)"' nohup /opt/amazon/efa/bin/fi_pingpong -p efa -e rdm >pingpong.log 2>&1 </dev/null &
		for i in $(seq 100); do ss -ltn | grep -q ":47592 " && exit 0; sleep 0.2; done; cat pingpong.log; exit 1'
	at "$client_public" "cd secure-rdma && /opt/amazon/efa/bin/fi_pingpong -p efa -e rdm $server_private >>results.txt"
}

fetch() {
	call mkdir -p "$results"
	call scp -q "${ssh_options[@]}" "admin@$client_public:secure-rdma/results.txt" "$results/results.txt"
	call scp -q "${ssh_options[@]}" "admin@$server_public:secure-rdma/server.log" "$results/server.log"
}

# --- ending it ---------------------------------------------------------------------------

find_volumes() {
	ec2 describe-volumes --filters "$filter" "Name=status,Values=${1:-creating,available,in-use,error}" --query 'Volumes[].[VolumeId]'
}
find_interfaces() {
	ec2 describe-network-interfaces --filters "$filter" "${@:1}" --query 'NetworkInterfaces[].[NetworkInterfaceId]'
}

end_instances() {
	local found instances
	found=$(find_instances pending,running,shutting-down,stopping,stopped)
	mapfile -t instances < <(or_dry "$found" $'INSTANCE-1\nINSTANCE-2' | grep . || :)
	[ ${#instances[@]} -gt 0 ] || return 0
	ec2 terminate-instances --instance-ids "${instances[@]}" >/dev/null
	ec2 wait instance-terminated --instance-ids "${instances[@]}"
}

# Disks and adapters end with their instances; one that did not is ended here.
end_leftovers() {
	local found id
	found=$(find_volumes available)
	for id in $found; do ec2 delete-volume --volume-id "$id" >/dev/null; done
	found=$(find_interfaces Name=status,Values=available)
	for id in $found; do ec2 delete-network-interface --network-interface-id "$id" >/dev/null; done
}

destroy() {
	local found left
	end_instances
	end_leftovers
	found=$(or_dry "$(find_group)" GROUP)
	[ -z "$found" ] || ec2 delete-security-group --group-id "$found" >/dev/null
	found=$(or_dry "$(find_placement)" "$name")
	[ -z "$found" ] || ec2 delete-placement-group --group-name "$found" >/dev/null
	found=$(or_dry "$(find_key)" "$name")
	[ -z "$found" ] || ec2 delete-key-pair --key-name "$found" >/dev/null
	left=$(find_instances pending,running,shutting-down,stopping,stopped
		find_group
		find_placement
		find_key
		find_volumes
		find_interfaces)
	[ -z "$left" ] || die "still there: ${left//$'\n'/ }: call --destroy again"
	call rm -rf "$key" "$key.pub" "$token" "$known_hosts" "$certificates"
	[ -n "$dry" ] || say "nothing with the tag secure-rdma-deployment=$name is left"
}

[ -n "$dry" ] || command -v aws >/dev/null || die "there is no 'aws': apt-get install awscli"
[ -n "$region" ] || region=$([ -n "$dry" ] || aws configure get region || :)
region=${region:-us-east-1}
if [ -n "$destroy" ]; then
	destroy
	exit 0
fi
for p in ssh:openssh-client ssh-keygen:openssh-client openssl:openssl curl:curl; do
	[ -n "$dry" ] || command -v "${p%:*}" >/dev/null || die "there is no '${p%:*}': apt-get install ${p#*:}"
done
say_cost
make_key
choose_subnet
make_placement
make_group
make_instances
find_addresses
prepare "$server_public"
prepare "$client_public"
make_certificates
run_session
run_benchmark
fetch
[ -n "$dry" ] || say "results are in $results; '$0 --destroy --name $name --region $region' ends what costs"
