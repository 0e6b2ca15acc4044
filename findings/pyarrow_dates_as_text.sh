#!/usr/bin/env bash
# pyarrow 26.0.1: dates and times that a calendar of Python cannot hold become a placeholder sentence when they are cast to text.
#
# Expected: a far year, NULL or an error. Seen: the cast succeeds and the text is '<value out of range: ...>', which then goes for a value like any
# other, for example as a category or an id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa

far = {
    "date32": pa.array([2**31 - 1], pa.date32()).cast(pa.string())[0].as_py(),
    "timestamp": pa.array([2**62], pa.timestamp("s")).cast(pa.string())[0].as_py(),
}
print("pyarrow", pa.__version__, "|", far)
assert all(text.startswith("<value out of range") for text in far.values()), far
PYTHON
