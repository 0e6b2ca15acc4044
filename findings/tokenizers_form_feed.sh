#!/usr/bin/env bash
# tokenizers 0.22.2: BertNormalizer joins the words on both sides of a form feed, vertical tab or next-line character.
#
# Expected: white space separates words, as in str.split and as U+2028 does. Seen: clean_text removes U+000B, U+000C and U+0085 as control characters
# before it looks at white space, so texts made from PDF lose a word border at every page.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.22.2 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import tokenizers
from tokenizers.normalizers import BertNormalizer

found = {f"U+{ord(mark):04X}": BertNormalizer().normalize_str(f"one{mark}two") for mark in "\x0b\x0c\x85\u2028"}
print("tokenizers", tokenizers.__version__, "|", found)
assert all(text.split() == ["onetwo"] for name, text in found.items() if name != "U+2028"), found
assert found["U+2028"].split() == ["one", "two"], found
PYTHON
