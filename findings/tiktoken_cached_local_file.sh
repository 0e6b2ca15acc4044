#!/usr/bin/env bash
# tiktoken 0.14.0: a local vocabulary that changes keeps its former pieces.
#
# Expected: load_tiktoken_bpe with the path of a local file reads that file. Seen: it copies the file into the cache of downloads under the sha1 of the
# path and reads the copy from then on, so a vocabulary that is trained again and written to the same path gives the pieces, numbers and counts of the
# first one, also in later processes. With expected_hash the copy is compared and renewed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tiktoken==0.14.0 2>/dev/null
cd "$folder"
TIKTOKEN_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" - <<'PYTHON'
import base64
import hashlib
from importlib.metadata import version
from pathlib import Path

from tiktoken.load import load_tiktoken_bpe


def write(pieces: list[bytes]) -> None:
    lines = [f"{base64.b64encode(piece).decode()} {rank}\n" for rank, piece in enumerate(pieces)]
    path.write_text("".join(lines))


path = Path("own.tiktoken").resolve()
single = [bytes([byte]) for byte in range(256)]
write(single)
first = load_tiktoken_bpe(str(path))
write([*single, b"th", b"the"])
second = load_tiktoken_bpe(str(path))
checked = load_tiktoken_bpe(str(path), expected_hash=hashlib.sha256(path.read_bytes()).hexdigest())
print("tiktoken", version("tiktoken"))
print(f"pieces in the file: 256, then 258; read: {len(first)}, then {len(second)}; with a hash: {len(checked)}")
print("files in the cache:", len(list(Path("cache").iterdir())))
assert (len(first), len(second), len(checked)) == (256, 256, 258)
PYTHON
