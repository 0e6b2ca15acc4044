#!/usr/bin/env bash
# datasets 5.2.0: a folder of pictures with a class "train" is loaded without its other classes, and without labels.
#
# Expected: pictures in bus/, train/ and dog/ are three classes of one split. Seen: names of folders and files that contain a word for a
# split (train, test, dev, valid ...) name splits as soon as there is one, so the split "train" is the trains, and bus and dog are gone
# without a word; one file test_tube.png among others makes a data set of that one picture. An explicit pattern of files mends it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pillow==13.0.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
from pathlib import Path

os.environ |= {"HF_HOME": "home", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
from PIL import Image


def save(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(name)


def load(folder, **how):
    found = datasets.load_dataset("imagefolder", data_dir=folder, **how)
    return {split: (part.num_rows, sorted(part.features)) for split, part in found.items()}


save(*(f"vehicles/{kind}/{number}.png" for kind in ("bus", "dog", "train") for number in range(3)))
save(*(f"signs/{name}.png" for name in ("bus", "cat", "dog", "test_tube")))
vehicles, signs, by_pattern = load("vehicles"), load("signs"), load("vehicles", data_files="**")
print("datasets", datasets.__version__, "| 9 pictures ->", vehicles, "| 4 pictures ->", signs, '| with data_files="**" ->', by_pattern)
assert vehicles == {"train": (3, ["image"])}, vehicles
assert signs == {"test": (1, ["image"])}, signs
assert by_pattern == {"train": (9, ["image", "label"])}, by_pattern
PYTHON
