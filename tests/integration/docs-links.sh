#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every link of a document leads somewhere; every sentence that docs/troubleshooting.md quotes is said by a program;
# docs/demo.svg is of a demo that ended well. And the checks find what they are there for.
# variants: plain
. "$(dirname "$0")/../lib.sh"
cd "$TOP"

scripts/sources all | grep '\.md$' | xargs scripts/check-links || fail "links"
sources=$(scripts/sources all | grep -E '^(src|mock)/.*\.[ch]$')
# shellcheck disable=SC2086 # a list of words
scripts/check-sentences docs/troubleshooting.md run $sources || fail "sentences"

/usr/bin/python3 - docs/*.svg <<'END' || fail "pictures"
import sys
from xml.etree import ElementTree
for path in sys.argv[1:]:
    text = [t.text for t in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    if path.endswith("demo.svg"):
        assert text[-3:] == ["✓ RDMA connection established", "✓ PSN exchange completed", "✓ Data transfer successful"], text
END
printf '== <a> & b\n✓ c\n' >"$TEST_TMP/transcript"
scripts/demo-svg "$TEST_TMP/transcript" >"$TEST_TMP/picture.svg"
assert_grep 'class="step".*== &lt;a&gt; &amp; b<' "$TEST_TMP/picture.svg"
assert_grep 'class="ok".*✓ c<' "$TEST_TMP/picture.svg"

# --- the checks themselves ---
cd "$TEST_TMP"
cat >other.md <<'END'
# A `head` of it, and more
END
cat >good.md <<'END'
[a](other.md#a-head-of-it-and-more) [b](#here) `[c](none)` [d](https://example.org/none)
## Here
    [e](none)
END
expect 0 "$TOP/scripts/check-links" good.md
# complains LINK SENTENCE
complains() {
	printf '\n%s\n' "$1" >bad.md
	expect 1 "$TOP/scripts/check-links" bad.md
	assert_grep "^bad.md:2: $2" "$OUT"
}
complains '[a](none.md)' 'there is no none.md'
complains '![a](none.svg)' 'there is no none.svg'
complains '[a](other.md#head)' 'other.md has no heading for #head'
complains '[a](#none)' 'bad.md has no heading for #none'

printf 'f("no %%s of " /* */\n  x);\ng("cannot reach \\"%%s\\": "\n  "try %%" PRIu64 " times");\n' >said.c
printf '> cannot reach "…": try … times\n\ntext\n' >quotes.md
expect 0 "$TOP/scripts/check-sentences" quotes.md said.c
printf '> cannot reach "…": try again\n' >quotes.md
expect 1 "$TOP/scripts/check-sentences" quotes.md said.c
assert_grep '^quotes.md:1: nothing says: ' "$OUT"
printf 'text\n' >quotes.md
expect 1 "$TOP/scripts/check-sentences" quotes.md said.c
