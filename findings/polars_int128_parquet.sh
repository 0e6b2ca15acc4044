#!/usr/bin/env bash
# polars 2.1.0, pyarrow 26.0.1: one Int128 column makes a whole Parquet file unreadable elsewhere.
#
# Expected: a reader that does not know the type refuses that column and reads the others. Seen: polars writes the column without a warning;
# pyarrow cannot even open the file, whichever columns are asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

pl.DataFrame({"text": ["a"], "big": pl.Series([2**100], dtype=pl.Int128)}).write_parquet("a.parquet")
assert pl.read_parquet("a.parquet")["big"][0] == 2**100
try:
    pq.read_table("a.parquet", columns=["text"])
except pa.ArrowNotImplementedError as error:
    print("polars", pl.__version__, "pyarrow", pa.__version__, "| the text column alone:", error)
else:
    raise SystemExit("pyarrow reads the other columns now")
PYTHON
