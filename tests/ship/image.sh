#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Dockerfile.test builds, with buildah on a Debian that mmdebstrap makes, into an image that runs as
# an ordinary user, says what it consists of, and whose command ends with the demo's three lines.
# timeout: 1100
# variants: plain
. "$(dirname "$0")/../lib.sh"
need buildah mmdebstrap
[ "$(id -u)" = 0 ] || skip "buildah's chroot isolation needs root here"

cd "$TEST_TMP"
mkdir source
(cd "$TOP" && scripts/sources all | tar -cf - -T -) | tar -xf - -C source
mmdebstrap --quiet --variant=apt --components=main bookworm base.tar "${MIRROR:-http://deb.debian.org/debian}" >debian.log 2>&1 ||
	skip "mmdebstrap could not make a Debian"

export BUILDAH_ISOLATION=chroot
in_store() {
	buildah --root "$TEST_TMP/store" --runroot "$TEST_TMP/run" "$@"
}
# What stays mounted nobody could remove.
trap 'STATUS=$?; set +e; in_store rm --all >/dev/null; umount store/overlay 2>/dev/null; (exit $STATUS); _cleanup' EXIT
base=$(in_store from scratch) || skip "buildah does not work here"
{
	in_store add "$base" base.tar / && in_store commit --rm "$base" localhost/debian:base
} >base.log 2>&1 || skip "buildah cannot make an image here: $(tail -n 1 base.log)"
in_store bud --pull-never --build-arg BASE=localhost/debian:base --build-arg SNAPSHOT= --build-arg MAKE_ARGS=lto= \
	-t rdma-test -f source/Dockerfile.test source >build.log 2>&1 || fail "Dockerfile.test does not build"

# --- what it is ---
in_store inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.WorkingDir}}' rdma-test >config
assert_eq 'tester [/app/run_tests.sh] /app' "$(cat config)" "user, command and directory of the image"
container=$(in_store from rdma-test)
root=$(in_store mount "$container")
for tool in gcc make; do [ ! -e "$root/usr/bin/$tool" ] || fail "$tool is in the image"; done
/usr/bin/python3 - "$root/app/sbom.spdx.json" <<'END' || fail "the bill of materials"
import json, sys
sbom = json.load(open(sys.argv[1]))
names = {p["name"]: p["versionInfo"] for p in sbom["packages"]}
assert sbom["spdxVersion"] == "SPDX-2.3" and {"secure-rdma", "libssl3", "libibverbs1", "libc6"} <= set(names), names
assert len({p["SPDXID"] for p in sbom["packages"]}) == len(sbom["packages"])
assert all(names.values())
END

# --- what it does, as `docker run` would: its command, as its user ---
in_image() {
	in_store run "$container" -- "$@"
}
assert_eq 10000 "$(in_image id -u)" "the user"
in_image /app/healthcheck.sh || fail "health check"
expect 0 in_store run --env CLIENTS=3 --env BIG=4 "$container" -- /app/run_tests.sh
assert_eq "✓ RDMA connection established
✓ PSN exchange completed
✓ Data transfer successful" "$(tail -n 3 "$OUT")" "the end of the image's command"
assert_grep '^device: (mock0|rxe0|[a-z0-9_]+): ' "$OUT"
expect 1 in_store run --env DEVICE=none9 "$container" -- /app/run_tests.sh

# Sessions by libfabric are in it, too.
cat >by_fabric.sh <<'END'
set -eu
cd "$(mktemp -d)"
/app/scripts/make-certs.sh -s 127.0.0.1 -c client certs
own() { echo "--transport=fabric --fabric-provider=tcp --cert certs/$1.pem --key certs/$1.key --ca certs/ca.pem"; }
mkdir share
secure_server $(own server) --listen 127.0.0.1:0 --export data=share 2>log &
server=$!
trap 'kill $server' EXIT
until port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' log) && [ -n "$port" ]; do kill -0 $server; sleep 0.1; done
secure_client $(own client) --json "127.0.0.1:$port" put certs/ca.pem data/file
cmp certs/ca.pem share/file
END
cp by_fabric.sh "$root/app/by_fabric.sh"
expect 0 in_image bash /app/by_fabric.sh
assert_grep '"transport":"fabric"' "$OUT"
