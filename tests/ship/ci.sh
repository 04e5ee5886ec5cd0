#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The recipe of docs/ci.md, step by step as a runner would, for a project of somebody else: action.yml builds the mock, and that
# project's tests find the device. And this project's own workflow runs the two commands of README.md.
# timeout: 400
# variants: plain
. "$(dirname "$0")/../lib.sh"
need git make "${CC:-gcc}"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
cd "$TEST_TMP"
unset BUILD

/usr/bin/python3 - "$TOP" >steps <<'END' || fail "the workflow"
import re, sys, yaml
top = sys.argv[1]
load = lambda name: yaml.safe_load(open(f"{top}/{name}"))

(job,) = load(".github/workflows/ci.yml")["jobs"].values()
runs = [s["run"].replace("${{ matrix.target }}", t) for t in job["strategy"]["matrix"]["target"] for s in job["steps"] if "run" in s]
readme = re.findall(r"^(\./run \w+) +#", open(f"{top}/README.md").read(), re.M)
assert len(readme) == 2 and set(readme) <= set(runs), (readme, runs)

recipe = re.search(r"```yaml\n(.*?)```", open(f"{top}/docs/ci.md").read(), re.S)[1]
assert len(recipe.splitlines()) <= 10
(job,) = yaml.safe_load(recipe)["jobs"].values()
for step in job["steps"]:
    if step.get("uses", "").startswith("OWNER/secure-rdma@"):
        for part in load("action.yml")["runs"]["steps"]:
            assert part["shell"] == "sh"
            print("(", part["run"], ")")
        print('PATH=$(cat "$GITHUB_PATH"):$PATH')
    elif "run" in step and "apt-get" not in step["run"]:
        print(step["run"])
END

mkdir project action
(cd "$TOP" && scripts/sources all | tar -cf - -T -) | tar -xf - -C action
cat >project/devices.c <<'END'
#include <infiniband/verbs.h>
#include <stdio.h>
int main(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *device = list && list[0] ? ibv_open_device(list[0]) : NULL;
	puts(device ? ibv_get_device_name(list[0]) : "none");
	return 0;
}
END
cat >project/Makefile <<'END'
devices: devices.c
	$(CC) -o $@ $< -libverbs
test: devices
	./devices >found
END
cd project
PATH=$(tr : '\n' <<<"$PATH" | grep -vxF "$TOP/build/bin" | paste -sd:) GITHUB_ACTION_PATH=$TEST_TMP/action GITHUB_PATH=$TEST_TMP/path \
	RUN_INSTALL=no MAKEFLAGS=lto= sh -eux ../steps >../steps.log 2>&1 || fail "the recipe"
assert_eq mock0 "$(cat found)" "the device that the project's tests found"
assert_grep "$TEST_TMP/action/build/bin" "$TEST_TMP/path"
