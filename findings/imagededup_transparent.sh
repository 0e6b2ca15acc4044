#!/usr/bin/env bash
# imagededup 0.3.3.post2 and cleanvision 0.3.7: pictures that differ in their transparency only are all duplicates of each other.
#
# Expected: icons that look different are different; or a picture is laid on a background before it is compared. Seen: transparency is
# cut off and what lies under it is compared, which for icons is one colour: six unlike black icons have the same hash, ffffffffffffffff,
# and are one set of near-duplicates for both tools.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check imagededup==0.3.3.post2 cleanvision==0.3.7 pillow==13.0.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import contextlib
import io
from importlib.metadata import version
from pathlib import Path

from cleanvision import Imagelab
from imagededup.methods import PHash
from PIL import Image, ImageDraw

Path("icons").mkdir()
shapes = [(8, 8, 56, 56), (0, 0, 20, 64), (44, 0, 64, 64), (0, 0, 64, 16), (0, 48, 64, 64), (28, 0, 36, 64)]
for number, shape in enumerate(shapes):
    drawn = Image.new("L", (64, 64), 0)
    ImageDraw.Draw(drawn).rectangle(shape, fill=255)
    icon = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    icon.putalpha(drawn)
    icon.save(f"icons/{number}.png")
hashes = PHash(verbose=False).encode_images("icons")
with contextlib.redirect_stdout(io.StringIO()):
    lab = Imagelab(data_path="icons")
    lab.find_issues()
sets = [sorted(Path(name).name for name in found) for found in lab.info["near_duplicates"]["sets"]]
print("imagededup", version("imagededup"), sorted(set(hashes.values())), "| cleanvision", version("cleanvision"), sets)
assert set(hashes.values()) == {"ffffffffffffffff"} and len(hashes) == 6, hashes
assert sets == [[f"{number}.png" for number in range(6)]], sets
PYTHON
