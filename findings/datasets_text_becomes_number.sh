#!/usr/bin/env bash
# datasets 5.2.0: the text "42" of one row becomes the number 42 because another row of the file holds a list.
#
# Expected: a column of JSON keeps values of several kinds as they are in the lines, text as text. Seen: where a field holds text in one
# row and a list in another, as the contents of messages with pictures do, texts that are JSON themselves become what they state: numbers,
# true, nothing; "007" becomes 7, and "1.10" 1.1. Without the row with the list they stay text.
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

answers = ["Seven", "42", "007", "1.10", "true", "null"]
parts = [{"type": "text", "text": "What is this?"}, {"type": "image"}]


def loaded(name: str, contents: list[object]) -> list[object]:
    with open(name, "w") as file:
        file.writelines(json.dumps({"messages": [{"role": "user", "content": each}]}) + "\n" for each in contents)
    rows = datasets.load_dataset("json", data_files=name, split="train")
    return [row["messages"][0]["content"] for row in rows]


alone, mixed = loaded("alone.jsonl", answers), loaded("mixed.jsonl", [*answers, parts])
print("datasets", datasets.__version__, "| alone", alone, "| beside a list", mixed[:-1])
assert alone == answers, alone
assert mixed == ["Seven", 42, 7, 1.1, True, None, parts], mixed
PYTHON
