#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# deploy/: what Kubernetes' API, cert-manager's schemas, and Terraform with AWS's provider have to say about it, each where it can be had;
# and the server runs with the settings and the policy of the manifest.
# timeout: 300
# variants: plain
. "$(dirname "$0")/../session.sh"
cd "$TEST_TMP"
manifest=$TOP/deploy/kubernetes/secure-rdma.yaml

# --- Kubernetes ---
if /usr/bin/python3 -c 'import kubernetes, yaml' 2>/dev/null; then
	expect 0 "$TOP/scripts/check-kubernetes" "$manifest"
	expect 0 "$TOP/scripts/check-kubernetes" --patch "$TOP/deploy/kubernetes/rdma-device.yaml"
	complains() { # SED-COMMAND REGEX
		sed "$1" "$manifest" >changed.yaml
		expect 1 "$TOP/scripts/check-kubernetes" changed.yaml
		assert_grep "$2" "$OUT"
	}
	complains 's/readOnlyRootFilesystem/readOnlyRoot/' "V1SecurityContext has no field 'readOnlyRoot'"
	complains 's/replicas: 1/replicas: one/' "of type int, and is 'one'"
	complains 's/  podSelector:/  selector:/' 'Invalid value for `pod_selector`'
	complains 's/secretName: server-certificate,/secretName: other,/' 'no Certificate makes other'
	complains 's/matchLabels: { app: secure-rdma }/matchLabels: { app: other }/' 'does not select its own pods'
	complains 's/targetPort: roce/targetPort: rdma/' 'no port rdma'
	complains 's/    name: settings/    name: other/; s/name: settings, namespace/name: other, namespace/' 'no ConfigMap settings'
	echo "kubernetes: validated by the models of python3-kubernetes"
else
	echo "kubernetes: skipped: python3-kubernetes is not installed"
fi

# --- the settings in it ---
/usr/bin/python3 - "$manifest" <<'END' || skip "python3-yaml is not installed"
import sys
import yaml
for thing in yaml.safe_load_all(open(sys.argv[1])):
    if thing["kind"] == "ConfigMap":
        for name, text in thing["data"].items():
            open(name, "w").write(text)
    if thing["kind"] == "Deployment":
        (server,) = thing["spec"]["template"]["spec"]["containers"]
        print(*server["command"], *server["args"], sep="\n", file=open("command", "w"))
    if thing["kind"] == "Certificate":
        for uri in thing["spec"].get("uris", []):
            print(uri, file=open("client", "w"))
END
mkdir -p srv/data etc/secure-rdma/{settings,certificate}
"$TOP/scripts/make-certs.sh" -s localhost -s 127.0.0.1 -c "$(cat client)" -c "spiffe://cluster.local/other/two" made
for renamed in server.pem:tls.crt server.key:tls.key ca.pem:ca.crt; do
	cp "made/${renamed%:*}" "etc/secure-rdma/certificate/${renamed#*:}"
done
sed "s|/etc/|$PWD/etc/|; s|/srv/|$PWD/srv/|; s|\*:4433|127.0.0.1:0|; s|\*:9433|127.0.0.1:$(free_port)|" server.conf >etc/secure-rdma/settings/server.conf
cp policy.yaml etc/secure-rdma/settings/
mapfile -t command < <(sed "s|/etc/|$PWD/etc/|" command)
spawn server "${command[@]}"
wait_for server '"event":"listening"'
PORT=$(grep '"event":"listening"' "$(log_of server)" | sed -E 's/.*"port":"?([0-9]+).*/\1/')
CERTS=$PWD/made
expect 0 client_as one ping -c 1
expect 1 client_as two ping -c 1
assert_grep "no rule of the server's policy names it" "$ERR"
echo 'a file' >file
expect 0 client_as one put file data/file
cmp file srv/data/file
expect 1 client_as one put --force file data/file # what the policy does not give
stop server TERM 30
assert_eq 0 "$STATUS" "exit status of the server"

# --- cert-manager ---
if command -v npm >/dev/null && npm install --silent --no-save --ignore-scripts @kubernetes-models/cert-manager@6 >npm.log 2>&1; then
	/usr/bin/python3 -c 'import json, sys, yaml
print(json.dumps([t for t in yaml.safe_load_all(open(sys.argv[1])) if t["apiVersion"].startswith("cert-manager.io")]))' "$manifest" >objects.json
	cat >validate.js <<-'END'
		const models = require("./node_modules/@kubernetes-models/cert-manager/cert-manager.io/v1/index.js");
		const objects = require("./objects.json");
		if (objects.length < 4) throw new Error("objects are missing");
		for (const o of objects) new models[o.kind](o).validate();
		let refused = false;
		try { new models.Certificate({ ...objects[1], spec: { secretName: 1 } }).validate(); } catch (e) { refused = true; }
		if (!refused) throw new Error("it takes anything");
	END
	node validate.js || fail "cert-manager's schemas"
	echo "cert-manager: validated by @kubernetes-models/cert-manager"
else
	echo "cert-manager: skipped: its schemas come by npm"
fi

# --- Terraform, with AWS's provider from a mirror on this machine: no network is asked ---
cp -r "$TOP/deploy/terraform" .
terraform=$(command -v tofu || command -v terraform || :)
[ -n "$terraform" ] || skip "Kubernetes' part is right; there is no terraform and no tofu"
export TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
cd terraform
"$terraform" fmt -check -diff -recursive || fail "$terraform fmt"
for mirror in ${TF_MIRROR:-} /usr/local/share/terraform/plugins /opt/tf-plugins; do
	[ -d "$mirror" ] || continue
	"$terraform" init -plugin-dir="$mirror" -input=false -no-color >../init.log 2>&1 || continue
	"$terraform" validate -no-color || fail "$terraform validate"
	"$terraform" test -no-color || fail "$terraform test"
	exit 0
done
skip "Kubernetes' part is right, Terraform's well-formed; AWS's provider to validate it is not here (TF_MIRROR=DIR)"
