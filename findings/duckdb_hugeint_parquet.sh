#!/usr/bin/env bash
# duckdb 2.0.0: a HUGEINT is written to Parquet as DOUBLE, so neighbouring 128-bit ids and hashes become one.
#
# Expected: a decimal of 38 digits, or a refusal. Seen: COPY writes a double without a word; two values that differ come back equal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import pyarrow.parquet as pq

duckdb.sql("COPY (SELECT unnest([2::HUGEINT ** 100, 2::HUGEINT ** 100 + 1]) AS id) TO 'a.parquet'")
kind = str(pq.read_schema("a.parquet").field("id").type)
before = duckdb.sql("SELECT count(DISTINCT id) FROM (SELECT unnest([(2::HUGEINT << 99), (2::HUGEINT << 99) + 1]) AS id)").fetchall()
duckdb.sql("COPY (SELECT unnest([(2::HUGEINT << 99), (2::HUGEINT << 99) + 1]) AS id) TO 'b.parquet'")
after = duckdb.sql("SELECT count(DISTINCT id) FROM 'b.parquet'").fetchall()
print("duckdb", duckdb.__version__, "| type", kind, "| different ids", before, "->", after)
assert kind == "double" and before == [(2,)] and after == [(1,)], (kind, before, after)
PYTHON
