"""The files beside Arrow data that make a folder one that ``datasets.load_from_disk`` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.data.features import features_in
from tamis.data.hashing import digest
from tamis.data.markers import WrittenFile
from tamis.data.parquet import write_bytes


def describe_dataset(folder: Path, schema: pa.Schema, files: Sequence[WrittenFile]) -> None:
    """Write ``state.json`` and ``dataset_info.json``; both depend on the files alone.

    Args:
        folder: of the files.
        schema: of the files, with features as ``with_features`` states them.
        files: in order.

    Raises:
        StoreError: the disk is full.
    """
    features = features_in(schema)
    state: dict[str, Any] = {
        "_data_files": [{"filename": file.name} for file in files],
        "_fingerprint": digest([file.sha256 for file in files])[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    # The library reads the features of a column that has none here from its type.
    whole = features if set(features) == set(schema.names) else None
    info = {"citation": "", "description": "", "features": whole, "homepage": "", "license": ""}
    for name, value in (("state.json", state), ("dataset_info.json", info)):
        write_bytes(folder / name, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")
