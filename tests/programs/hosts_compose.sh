#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What compose.yaml has containers do, on hosts: a server, and clients with addresses of their own,
# which talk RoCE v2 to it. Each ends with the three lines.
# variants: plain
# timeout: 120
if [ -z "${IN_MOUNTS:-}" ]; then
	own=-m
	[ "$(id -u)" = 0 ] || own=-Urnm IN_USER_NAMESPACE=1
	unshare $own true 2>/dev/null || { echo "no mount namespaces here (unshare $own)"; exit 77; }
	export IN_USER_NAMESPACE
	IN_MOUNTS=1 exec unshare $own "$0"
fi
. "$(dirname "$0")/../hosts.sh"
need openssl
# What a container has in /dev/shm, for all of them together.
mount -t tmpfs -o size=64m tmpfs "$MOCKRDMA_DIR" || skip "cannot mount a tmpfs here"

# As the image has it.
mkdir "$TEST_TMP/app"
cp "$TOP/packaging/docker/compose.sh" "$TOP/packaging/docker/healthcheck.sh" "$TEST_TMP/app/"
ln -s "$TOP/scripts" "$TEST_TMP/app/scripts"
app=$TEST_TMP/app
export CERTIFICATES=$TEST_TMP/certificates METRICS=9433
mkdir "$CERTIFICATES"

# The file names commands, addresses and clients that go together.
if /usr/bin/python3 -c 'import yaml' 2>/dev/null; then
	/usr/bin/python3 - "$TOP/compose.yaml" <<-'END' || fail "compose.yaml"
		import sys, yaml
		services = yaml.safe_load(open(sys.argv[1]))["services"]
		address = {n: s["networks"]["rdma"]["ipv4_address"] for n, s in services.items()}
		assert len(set(address.values())) == len(address) >= 5
		clients = [n for n, s in services.items() if s["command"][1] == "client"]
		assert len(clients) >= 2
		assert services["certificates"]["command"][1:] == ["certificates", address["server"], *clients]
		assert services["server"]["command"][1:] == ["server", address["server"]]
		for n in clients:
		    assert services[n]["command"][1:] == ["client", n, address["server"]]
		    assert services[n]["depends_on"] == {"server": {"condition": "service_healthy"}}
	END
fi

hosts 3
server=10.77.2.2
"$app/compose.sh" certificates $server one two
"$app/compose.sh" certificates $server one two # a second start of the container
spawn server nsenter -t "$(pid_of host3)" -n -- "$app/compose.sh" server $server
healthy() { on 3 "$app/healthcheck.sh" 2>/dev/null; }
until_true 20 healthy || fail "the server does not become healthy"

client() { # HOST NAME
	nsenter -t "$(pid_of "host$1")" -n -- "$app/compose.sh" client "$2" $server
}
spawn two nsenter -t "$(pid_of host2)" -n -- "$app/compose.sh" client two $server
expect 0 client 1 one
wait_exit two 60
assert_eq 0 "$STATUS" "exit status of the client on host 2"
for said in "$OUT" "$(log_of two)"; do
	assert_eq "✓ RDMA connection established
✓ PSN exchange completed
✓ Data transfer successful" "$(tail -n 3 "$said")" "the end of a client"
	assert_grep "^device: mock0: .* to $server by RoCE v2" "$said"
done
# It really went over packets.
[ "$(counter 3 net_sent_pkts)" -gt 1000 ] || fail "the server's host sent $(counter 3 net_sent_pkts) packets"

stop server
healthy && fail "healthy without a server"
# Without a server that there should be, healthy is who can open the device.
METRICS='' on 3 "$app/healthcheck.sh" || fail "the device cannot be opened"
