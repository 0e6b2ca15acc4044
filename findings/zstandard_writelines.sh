#!/usr/bin/env bash
# zstandard 0.25.0: the writer of a stream has writelines, and it is not implemented.
#
# Expected: an io object that writes bytes also takes several at once. Seen: NotImplementedError without a message; write in a loop works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check zstandard==0.25.0 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import io

import zstandard

lines = [b"one\n", b"two\n"]
sink = io.BytesIO()
writer = zstandard.ZstdCompressor().stream_writer(sink, closefd=False)
assert writer.writable()
try:
    writer.writelines(lines)
except NotImplementedError as error:
    print("zstandard", zstandard.__version__, "| writelines: NotImplementedError", repr(str(error)))
else:
    raise SystemExit("writelines works now")
for line in lines:
    writer.write(line)
writer.close()
assert zstandard.ZstdDecompressor().decompressobj().decompress(sink.getvalue()) == b"".join(lines)
PYTHON
