#!/usr/bin/env bash
# tokenizers 0.22.2: what BertPreTokenizer takes for punctuation follows tables of Unicode 8 (2015).
#
# Expected: every character of the general category P stands alone, as in Python's unicodedata of the same year. Seen: marks of Unicode 9 and later (U+2E43
# to U+2E52, the Telugu and Kannada siddham, Balinese panti lantang) stay inside the word, and U+166D, a symbol since Unicode 12, is still cut out. So
# whoever predicts the cuts of a BERT vocabulary from the Unicode of another library counts other tokens on such texts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.22.2 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import unicodedata

import tokenizers
from tokenizers.pre_tokenizers import BertPreTokenizer


def stands_alone(point: int) -> bool:
    return len(BertPreTokenizer().pre_tokenize_str(f"a{chr(point)}b")) == 3


def is_mark(point: int) -> bool:
    return unicodedata.category(chr(point)).startswith("P")


print("tokenizers", tokenizers.__version__, "| Unicode of Python", unicodedata.unidata_version)
for point in (0x2E42, 0x2E43, 0x2E4F, 0x0C77, 0x1B7D, 0x166D):
    name = unicodedata.name(chr(point), "unassigned here")
    print(f"U+{point:04X} {name}: punctuation {is_mark(point)}, stands alone {stands_alone(point)}")
assert stands_alone(0x2E42) and is_mark(0x2E42)
assert not any(map(stands_alone, (0x2E43, 0x2E4F, 0x0C77, 0x1B7D)))
assert is_mark(0x2E43) and is_mark(0x2E4F)
assert stands_alone(0x166D) and not is_mark(0x166D)
PYTHON
