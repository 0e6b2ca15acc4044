#!/usr/bin/env bash
# Pillow 13.0.0: saving a photograph as AVIF with its Exif removes the orientation from the picture that was saved.
#
# Expected: save() does not change the picture, so that it can be saved in several formats or turned upright afterwards, as with every
# other format. Seen: the AVIF writer takes the orientation out of the Exif object that it is given, which is that of the open picture:
# what is saved next has no orientation, and exif_transpose() does nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import PIL
from PIL import Image, ImageOps

ORIENTATION = 274
exif = Image.Exif()
exif[ORIENTATION] = 6
Image.new("RGB", (64, 48)).save("photo.jpg", exif=exif)
seen = {}
for ending in ("jpg", "png", "tiff", "webp", "avif"):
    photo = Image.open("photo.jpg")
    photo.save(f"copy.{ending}", exif=photo.getexif())
    seen[ending] = photo.getexif().get(ORIENTATION), ImageOps.exif_transpose(photo).size
print("Pillow", PIL.__version__, "| orientation and upright size after saving:", seen)
assert seen.pop("avif") == (None, (64, 48)), seen
assert set(seen.values()) == {(6, (48, 64))}, seen
PYTHON
