#!/usr/bin/env bash
# litdata 0.2.76: an array of another type than that of the first sample is read as other numbers: [70000] becomes [4464, 1].
#
# Expected: each array comes back as it was, or a refusal. Seen: the type of the first sample's array is taken for all samples of the chunk;
# the bytes of a later uint32 array are read as uint16, without a word. Ids that are stored in the smallest type that holds them meet it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 requests==2.34.2 boto3==1.43.117 filelock==4.2.12 2>/dev/null
# Without torchvision, which it asks for and which nothing here needs.
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps litdata==0.2.76 lightning-utilities==0.15.3 packaging==26.3 \
    typing_extensions==4.16.0 obstore==0.12.1 tifffile==2026.3.3 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import litdata
import numpy as np
from litdata.streaming.writer import BinaryWriter

writer = BinaryWriter("chunks", chunk_bytes=1 << 20)
writer[0] = {"ids": np.array([1, 2], dtype=np.uint16)}
writer[1] = {"ids": np.array([70000], dtype=np.uint32)}
writer.done()
writer.merge()
read = [sample["ids"].tolist() for sample in litdata.StreamingDataset("chunks", shuffle=False)]
print("litdata", version("litdata"), "| [[1, 2], [70000]] ->", read)
assert read == [[1, 2], [4464, 1]], read
PYTHON
