#!/usr/bin/env bash
# pyarrow 26.0.1: a list or map array cannot be put together from the offsets of a slice and a mask.
#
# Expected: from_arrays(offsets, ..., mask=...) takes the offsets of a sliced array as it does without a mask. Seen: the same call works
# with a mask on the whole array and without one on the slice, and raises ArrowNotImplementedError for both together.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa

maps = pa.array([[("a", 1)], None, [("b", 2)]], pa.map_(pa.string(), pa.int32()))


def rebuilt(array, mask):
    return pa.MapArray.from_arrays(array.offsets, array.keys, array.items, **({"mask": array.is_null()} if mask else {}))


part = maps.slice(1, 2)
assert rebuilt(maps, True).equals(maps)
assert len(rebuilt(part, False)) == 2
try:
    rebuilt(part, True)
except pa.ArrowNotImplementedError as error:
    print("pyarrow", pa.__version__, "| slice and mask together:", error)
else:
    raise SystemExit("a slice with a mask is taken now")
PYTHON
