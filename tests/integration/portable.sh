#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The session library and the client keep to POSIX outside of files named for a platform; the check of it finds what does not.
# timeout: 180
# variants: plain
. "$(dirname "$0")/../lib.sh"
unset ZIG

expect 0 "$TOP/scripts/check-portable"
assert_grep '^POSIX: [0-9]+ files compile' "$OUT"

mkdir -p "$TEST_TMP/fake/src/client"
cp -r "$TOP/scripts" "$TEST_TMP/fake/"
cd "$TEST_TMP/fake"
# refused LINE REGEX
refused() {
	printf '#include <fcntl.h>\n%s\n' "$1" >src/client/a.c
	expect 1 scripts/check-portable
	assert_grep "$2" "$OUT"
}
refused '#include <sys/epoll.h>' '^src/client/a.c:2:.*sys/epoll.h'
refused 'int type = SOCK_CLOEXEC;' '^src/client/a.c:2:.*SOCK_CLOEXEC'
refused 'int flags = O_TMPFILE;' 'they do not compile'
mv src/client/a.c src/client/a_linux.c
echo 'int nothing;' >src/client/b.c
expect 0 scripts/check-portable
