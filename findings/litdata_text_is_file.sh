#!/usr/bin/env bash
# litdata 0.2.76: a text that is the name of a picture or another media file in the current folder is stored as that file.
#
# Expected: a field of text is text. Seen: beside the file its bytes are written under the type image:png, audio:wav or pdf, and the reader gives a
# picture, a sound, a document; in another folder the same sample is text. The first sample settles the type of the field: a later name without
# a file fails.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 requests==2.34.2 boto3==1.43.117 filelock==4.2.12 pillow==13.0.0 2>/dev/null
# Without torchvision, which it asks for and which nothing here needs.
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps litdata==0.2.76 lightning-utilities==0.15.3 packaging==26.3 \
    typing_extensions==4.16.0 obstore==0.12.1 tifffile==2026.3.3 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json
import os
from importlib.metadata import version
from pathlib import Path

from litdata.streaming.writer import BinaryWriter
from PIL import Image

Path("beside").mkdir()
Image.new("RGB", (2, 2), (255, 0, 0)).save("beside/field.png")


def written(folder, *names):
    writer = BinaryWriter(folder, chunk_bytes=1 << 20)
    for place, name in enumerate(names):
        writer[place] = {"file_name": name}
    writer.done()
    writer.merge()
    kind = json.loads(Path(folder, "index.json").read_text())["config"]["data_format"]
    return kind, b"\x89PNG" in next(Path(folder).glob("chunk-*")).read_bytes()


elsewhere = written("elsewhere", "field.png")
os.chdir("beside")
beside = written("chunks", "field.png")
try:
    written("two", "field.png", "another.png")
    second = "written"
except Exception as error:
    second = type(error).__name__
print("litdata", version("litdata"), "| type, holds pixels: elsewhere", elsewhere, "beside the file", beside, "| a second name:", second)
assert elsewhere == (["str"], False), elsewhere
assert beside == (["image:png"], True), beside
assert second != "written", second
PYTHON
