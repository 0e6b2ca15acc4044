#!/usr/bin/env bash
# pyarrow 26.0.1: a Parquet file of 800 binary values of 3 MB cannot be written, whatever the size of pages that is asked for.
#
# Expected: pages of about data_page_size, 1 MiB by default. Seen: the writer looks at the size only after write_batch_size values (1,024),
# so pictures of 100 kB make pages of 100 MB, and where 1,024 of them exceed 2 GiB the file fails: "Uncompressed data page size overflows
# INT32_MAX". Less write_batch_size (or max_rows_per_page) helps. Needs about 5 GiB of memory.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, BYTES = 800, 3_000_000
offsets, values = pa.py_buffer(np.arange(ROWS + 1) * BYTES), pa.py_buffer(np.zeros(ROWS * BYTES, np.uint8))
table = pa.table({"picture": pa.LargeBinaryArray.from_buffers(pa.large_binary(), ROWS, [None, offsets, values])})
seen = {}
for options in ({}, {"data_page_size": 1 << 16}, {"write_batch_size": 16}):
    try:
        pq.write_table(table, "a.parquet", use_dictionary=False, **options)
        seen[str(options)] = "written"
    except OSError as error:
        seen[str(options)] = str(error)
print("pyarrow", pa.__version__, "|", seen)
assert "overflows INT32_MAX" in seen["{}"], seen
assert "overflows INT32_MAX" in seen["{'data_page_size': 65536}"], seen
assert seen["{'write_batch_size': 16}"] == "written", seen
PYTHON
