#!/usr/bin/env bash
# datasets 5.2.0 with pyarrow 26.0.1: a column that is never NULL loses the features that its file states.
#
# Expected: the block "huggingface" in the metadata of a Parquet file names the features, as the class names of a label. Seen: the
# block counts column by column, and only where type and nullability are those that it implies; for a column that is "not null" it is
# dropped without a word, and labels are plain numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os

os.environ |= {"HF_HOME": "home", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

features = datasets.Features({"kind": datasets.ClassLabel(names=["bad", "good"])})
block = features.arrow_schema.metadata
seen = {}
for nullable in (True, False):
    schema = pa.schema([pa.field("kind", pa.int64(), nullable=nullable)], block)
    pq.write_table(pa.table([[0, 1]], schema=schema), "a.parquet")
    seen[nullable] = datasets.Features.from_arrow_schema(pq.read_schema("a.parquet"))["kind"]
print("datasets", datasets.__version__, "| nullable:", seen[True], "| never NULL:", seen[False])
assert seen[True] == datasets.ClassLabel(names=["bad", "good"]), seen
assert seen[False] == datasets.Value("int64"), seen
PYTHON
