"""Megatron's indexed data set: tokens in ``.bin``, places in ``.idx``, written by megatron-core's own builder.

A sample is a document of the index, a piece of it a sequence: both boundaries are kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.training.data import INPUT_IDS, LOSS_MASK, PIECE_LENGTHS, TokenFormat, TrainingData
from tamis.analytics.training.sample_digests import lists
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter
from tamis.data.errors import SettingError

_SIGNED = 1 << 31
"""Ids from here on have no type in the index: it has uint16 and signed numbers only."""


@WRITERS.register
class MegatronWriter(FormatWriter):
    """``shard-00000.bin`` and ``.idx`` per shard; a loss mask is a second pair, ``shard-00000.loss_mask``."""

    name = "megatron"
    library = "megatron-core"
    module = "megatron.core.datasets.indexed_dataset"
    extra = "megatron"
    forms = ("tokens",)
    overhead = 32
    reading = 'megatron.core.datasets.indexed_dataset.IndexedDataset("OUT/train/shard-00000")'
    packages = ("megatron-core",)

    def check(self, tokens: TokenFormat | None) -> None:
        """Refuse also ids that the index has no type for."""
        super().check(tokens)
        if tokens is not None and tokens.vocabulary > _SIGNED:
            raise SettingError(
                "Vocabulary too large for megatron", value=tokens.vocabulary, allowed=f"at most {_SIGNED}"
            )

    def load(self) -> ModuleType | None:
        """Return the module; the import says what of a GPU is missing, which no file depends on."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().load()

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the pair of files, and that of the mask."""
        stem = f"shard-{shard.number:05d}"
        masked = LOSS_MASK in data.schema.names
        return (f"{stem}.bin", f"{stem}.idx", *((f"{stem}.loss_mask.bin", f"{stem}.loss_mask.idx") if masked else ()))

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write the pairs of a shard."""
        library: Any = self.load()
        names = self.names(shard, data)
        kind = np.uint16 if data.token_dtype == np.uint16 else np.int32
        ids = library.IndexedDatasetBuilder(str(folder / names[0]), dtype=kind)
        mask = library.IndexedDatasetBuilder(str(folder / names[2]), dtype=np.uint8) if len(names) > 2 else None
        for batch in batches:
            pieces = [item.tolist() for item in lists(batch.column(PIECE_LENGTHS))]
            for tokens, lengths in zip(lists(batch.column(INPUT_IDS)), pieces, strict=True):
                ids.add_document(tokens, lengths)
            if mask is not None:
                for flags, lengths in zip(lists(batch.column(LOSS_MASK)), pieces, strict=True):
                    mask.add_document(flags, lengths)
        ids.finalize(str(folder / names[1]))
        if mask is not None:
            mask.finalize(str(folder / names[3]))
