"""The formats of training data; importing this fills ``WRITERS``."""

from tamis.analytics.training.writers import (
    arrow_dataset,
    json_lines,
    lance_dataset,
    litdata_chunks,
    mds,
    megatron_indexed,
    webdataset_tar,
)
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter, ShardFiles

__all__ = [
    "WRITERS",
    "FormatWriter",
    "ShardFiles",
    "arrow_dataset",
    "json_lines",
    "lance_dataset",
    "litdata_chunks",
    "mds",
    "megatron_indexed",
    "webdataset_tar",
]
