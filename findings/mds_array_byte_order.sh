#!/usr/bin/env bash
# mosaicml-streaming 0.13.0: an array whose bytes are in big-endian order is read back as other numbers.
#
# Expected: the encoding "ndarray" writes the type beside the values, so [0, 1, 2] comes back, or the writer refuses it. Seen: the type is
# written by its width only and the bytes as they lie, so what many readers of binary files give (type >i4) comes back as [0, 16777216, 33554432].
# A numpy integer that does not fit wraps as well, where the same number as a Python integer is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 typing_extensions==4.16.0 2>/dev/null
# The encodings alone: the rest of the package asks for torchvision.
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder/packages" mosaicml-streaming==0.13.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import runpy

import numpy as np

encodings = runpy.run_path("packages/streaming/base/format/mds/encodings.py")
there, back = encodings["mds_encode"], encodings["mds_decode"]
array = back("ndarray", there("ndarray", np.array([0, 1, 2], dtype=">i4"))).tolist()
wrapped = int(back("uint8", there("uint8", np.int64(300))))
try:
    there("uint8", 300)
    refused = False
except OverflowError:
    refused = True
print("mosaicml-streaming 0.13.0 | [0, 1, 2] as >i4 ->", array, "| uint8 of numpy's 300 ->", wrapped, "| of Python's refused:", refused)
assert (array, wrapped, refused) == ([0, 16777216, 33554432], 44, True)
PYTHON
