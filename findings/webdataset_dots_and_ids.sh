#!/usr/bin/env bash
# webdataset 1.0.2: two samples with the keys v1.0 and v1.1 become one sample, and a field id "007" becomes the number 7.
#
# Expected: what TarWriter takes, WebDataset gives back. Seen: a key ends at its first dot, so samples whose keys differ only after it are
# merged into one with fields "0.txt" and "1.txt"; and decode() turns fields named id, index, count or class into integers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check webdataset==1.0.2 numpy==2.4.6 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import webdataset


def there_and_back(samples):
    with webdataset.TarWriter("a.tar") as tar:
        for sample in samples:
            tar.write(sample)
    read = webdataset.WebDataset("a.tar", shardshuffle=False).decode()
    return [{name: value for name, value in sample.items() if name not in ("__url__", "__local_path__")} for sample in read]


dotted = there_and_back([{"__key__": "v1.0", "txt": "one"}, {"__key__": "v1.1", "txt": "two"}])
ids = there_and_back([{"__key__": "a", "id": "007", "txt": "one"}])
print("webdataset", webdataset.__version__, "| 2 samples ->", dotted, "| id 007 ->", ids)
assert dotted == [{"__key__": "v1", "0.txt": "one", "1.txt": "two"}], dotted
assert ids == [{"__key__": "a", "id": 7, "txt": "one"}], ids
PYTHON
