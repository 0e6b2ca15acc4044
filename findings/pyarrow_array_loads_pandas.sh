#!/usr/bin/env bash
# pyarrow 26.0.1: pa.array of a Python list imports pandas where it is installed; the same array made by pa.nulls does not.
#
# Expected: an empty list of a stated type needs no pandas. Seen: it loads pandas, half a second of every process whose module makes such an
# array when it is imported; pa.nulls(0, type) is the same array without it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import pyarrow as pa


def loads(expression):
    code = f"import sys, pyarrow as pa; {expression}; print('pandas' in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


assert pa.array([], pa.large_string()).equals(pa.nulls(0, pa.large_string()))
found = loads("pa.array([], pa.large_string())"), loads("pa.nulls(0, pa.large_string())"), loads("pa.array(['a'])")
print("pyarrow", pa.__version__, "| pandas loaded by array([]), nulls(0), array(['a']):", found)
assert found == ("True", "False", "True"), found
PYTHON
