#!/usr/bin/env bash
# datatrove 0.10.1: a metadata field named "text" takes the place of the text when metadata is written as columns.
#
# Expected: rows whose text stands in another column (text_key="content") are read and written with that text; expand_metadata=True gives
# the other fields columns of their own. Seen: the row's own column "text" is metadata then, and the writer lets it overwrite the text that was
# read, filtered and counted; a field "id" overwrites the id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datatrove==0.10.1 orjson==3.11.9 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import gzip
import json
from importlib.metadata import version
from pathlib import Path

from datatrove.pipeline.readers.jsonl import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

Path("in").mkdir()
row = {"key": "7", "id": "first", "content": "the article", "text": "its teaser"}
Path("in/a.jsonl").write_text(json.dumps(row) + "\n")
documents = list(JsonlReader("in", text_key="content", id_key="key")())
read = [(each.id, each.text) for each in documents]
with JsonlWriter("out", expand_metadata=True) as writer:
    for each in documents:
        writer.write(each)
written = [(line["id"], line["text"]) for line in map(json.loads, gzip.open("out/00000.jsonl.gz", "rt"))]
print("datatrove", version("datatrove"), "| read", read, "| written", written)
assert read == [("7", "the article")], read
assert written == [("first", "its teaser")], written
PYTHON
