#!/usr/bin/env bash
# duckdb 2.0.0 with files of polars 2.1.0 and pyarrow 26.0.1: whether a row with NaN passes a filter depends on the filter's number.
#
# Expected: DuckDB orders NaN above all numbers, so NaN passes "a > 5" in a file as it does in a table. Seen: the statistics that Polars and
# pyarrow write leave NaN out, as the format asks; DuckDB skips what they exclude, so NaN passes "a > 0.5" but not "a > 5", and the largest
# value of pyarrow's file is 1. In DuckDB's own file it passes both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 polars==2.1.0 pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import math

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

duckdb.sql("COPY (SELECT unnest([1.0::DOUBLE, 'nan'::DOUBLE]) AS a) TO 'duckdb.parquet'")
pl.DataFrame({"a": [1.0, math.nan]}).write_parquet("polars.parquet")
pq.write_table(pa.table({"a": [1.0, math.nan]}), "pyarrow.parquet")
seen = {}
for writer in ("duckdb", "polars", "pyarrow"):
    rows = [len(duckdb.sql(f"SELECT a FROM '{writer}.parquet' WHERE a > {least}").fetchall()) for least in (0.5, 5)]
    [(largest,)] = duckdb.sql(f"SELECT max(a) FROM '{writer}.parquet'").fetchall()
    seen[writer] = (*rows, str(largest))
print("duckdb", duckdb.__version__, "polars", pl.__version__, "pyarrow", pa.__version__, "| rows above 0.5, above 5, largest:", seen)
assert seen == {"duckdb": (2, 1, "nan"), "polars": (2, 0, "nan"), "pyarrow": (2, 0, "1.0")}, seen
PYTHON
