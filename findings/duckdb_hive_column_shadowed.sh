#!/usr/bin/env bash
# duckdb 2.0.0: a partition value in the path takes the place of a column of the same name in the file.
#
# Expected: the file's own values, both, or an error. Seen: with hive_partitioning the path's value, no word about the file's; and in
# folders of which only some are partitions, automatic detection drops the partition column altogether.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pathlib

import duckdb

pathlib.Path("lang=en").mkdir()
duckdb.sql("COPY (SELECT 1 AS id, 'file' AS lang) TO 'lang=en/a.parquet'")
shadowed = duckdb.sql("SELECT lang FROM read_parquet('lang=*/*.parquet', hive_partitioning = true)").fetchall()

for name in ("mixed/y=1", "mixed/z"):
    pathlib.Path(name).mkdir(parents=True)
    duckdb.sql(f"COPY (SELECT 1 AS id) TO '{name}/a.parquet'")
columns = duckdb.sql("SELECT * FROM read_parquet('mixed/*/*.parquet')").columns

print("duckdb", duckdb.__version__, "| column of the file reads as", shadowed, "| columns of mixed folders", columns)
assert shadowed == [("en",)], shadowed
assert columns == ["id"], columns
PYTHON
