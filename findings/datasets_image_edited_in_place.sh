#!/usr/bin/env bash
# datasets 5.2.0 with Pillow 13.0.0: a picture that is made smaller or drawn upon in place is stored as it was before.
#
# Expected: map(), from_dict() and every writer keep the pixels of the picture they are given. Seen: a picture opened from a file is stored
# as the name of that file, whatever was done to it since: thumbnail(), ImageDraw, paste() have no effect and nothing is said. Methods
# that return a new picture, as resize(), have an effect.
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
from PIL import Image, ImageDraw


def shrink(row):
    row["image"].thumbnail((16, 16))
    return row


def resize(row):
    return {"image": row["image"].resize((16, 12))}


def cover(row):
    ImageDraw.Draw(row["image"]).rectangle((0, 0, 63, 47), fill="white")
    return row


Path("faces").mkdir()
Image.new("RGB", (64, 48), "red").save("faces/a.png")
loaded = datasets.load_dataset("imagefolder", data_dir="faces", split="train")
shrunk, covered, resized = (loaded.map(change)[0]["image"] for change in (shrink, cover, resize))
print("datasets", datasets.__version__, "| thumbnail:", shrunk.size, "| covered:", covered.getpixel((9, 9)), "| resize:", resized.size)
assert shrunk.size == (64, 48), shrunk.size
assert covered.getpixel((9, 9)) == (255, 0, 0), covered.getpixel((9, 9))
assert resized.size == (16, 12), resized.size
PYTHON
