#!/usr/bin/env bash
# megatron-core 0.16.1: a token id above 65535 in an index of uint16 becomes another id, and uint32 fails only after all tokens are written.
#
# Expected: both are refused when the builder is made or the id is added. Seen: add_document casts 70000 to 4464 without a word; a builder of
# numpy.uint32 takes every document and raises KeyError in finalize, because the index has a code for uint16 and none for uint32.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 megatron-core==0.16.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>/dev/null
from importlib.metadata import version

import numpy as np
import torch
from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder

builder = IndexedDatasetBuilder("a.bin", dtype=np.uint16)
builder.add_document(torch.tensor([1, 2, 70000]), [3])
builder.finalize("a.idx")
data = IndexedDataset("a")
read = data[0].tolist()
wide = IndexedDatasetBuilder("b.bin", dtype=np.uint32)
wide.add_document(torch.tensor([1, 2, 70000]), [3])
try:
    wide.finalize("b.idx")
    refused = ""
except KeyError as error:
    refused = repr(error)
print("megatron-core", version("megatron-core"), "| [1, 2, 70000] ->", read, "| uint32 at the end:", refused)
assert read == [1, 2, 4464] and refused == "KeyError('uint32')", (read, refused)
PYTHON
