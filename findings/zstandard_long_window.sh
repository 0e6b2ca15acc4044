#!/usr/bin/env bash
# zstandard 0.25.0: a sound frame with a window above 128 MiB is refused unless the reader says it may be larger.
#
# Expected: the decompressor reads every sound frame, or its error says that the window is the reason. Seen: the default limit is 2**27 bytes and the
# error speaks of memory; the size stands in the frame's header and can be asked for before anything is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check zstandard==0.25.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io

import zstandard

LOG = 28
parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=LOG)
packed = io.BytesIO()
# As from a pipe: the size is not known beforehand, so the window stays as large as was asked for.
with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(packed, closefd=False) as out:
    out.write(b"a document\n" * 1000)
frame = packed.getvalue()
window = zstandard.get_frame_parameters(frame).window_size
try:
    zstandard.ZstdDecompressor().stream_reader(frame).read()
except zstandard.ZstdError as error:
    print("zstandard", zstandard.__version__, "| window", window, "|", error)
else:
    raise SystemExit("a large window is read now")
text = zstandard.ZstdDecompressor(max_window_size=2**LOG).stream_reader(frame).read()
assert window == 2**LOG and text.startswith(b"a document\n")
PYTHON
