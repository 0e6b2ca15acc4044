#!/usr/bin/env bash
# datasets 5.2.0 with pandas 3.1.1: the same text is large_string from CSV and string from JSON Lines, and the two cannot be joined.
#
# Expected: text columns of both are string, as with pandas 2. Seen: pandas' new string type becomes Arrow's large_string, and
# concatenate_datasets refuses two sets with equal rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import os

os.environ |= {"HF_HOME": "home", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets

open("a.csv", "w").write("text\na document\n")
open("a.jsonl", "w").write(json.dumps({"text": "a document"}) + "\n")
from_csv = datasets.load_dataset("csv", data_files="a.csv", split="train")
from_json = datasets.load_dataset("json", data_files="a.jsonl", split="train")
types = from_csv.features["text"].dtype, from_json.features["text"].dtype
assert list(from_csv) == list(from_json)
try:
    datasets.concatenate_datasets([from_csv, from_json])
except ValueError as error:
    print("datasets", datasets.__version__, "| types", types, "|", str(error).splitlines()[0][:90])
else:
    raise SystemExit(f"they are joined now: {types}")
assert types == ("large_string", "string"), types
PYTHON
