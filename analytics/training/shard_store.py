"""Arrays of kept documents, one part per shard of the corpus, mapped into memory and read by facts row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.training.kept_rows import ShardRows
from tamis.data.artifact import Artifact


@dataclass(frozen=True, eq=False)
class ShardStore:
    """Arrays of kept documents, by facts row.

    Attributes:
        artifact: holds the arrays.
        rows: where the documents are.
        shards: parts of the artifact, in order.
    """

    artifact: Artifact
    rows: ShardRows
    shards: tuple[str, ...]
    _maps: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        return self.rows.firsts()

    def array(self, name: str, shard: int) -> NDArray[Any]:
        """Return an array of a shard, read-only."""
        key = f"{name}-{self.shards[shard]}"
        if key not in self._maps:
            self._maps[key] = self.artifact.array(key, mmap=True)
        return self._maps[key]

    def joined(self, name: str) -> NDArray[np.int64]:
        """Return an array with one number per document of all shards, int64 (kept,), in source order."""
        parts = [np.asarray(self.array(name, shard)) for shard in range(len(self.shards))]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def joined_sizes(self, offsets: str) -> NDArray[np.int64]:
        """Return how many values each document has, int64 (kept,), in source order."""
        parts = [np.diff(self.array(offsets, shard)) for shard in range(len(self.shards))]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def gather(
        self,
        name: str,
        facts_rows: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        *,
        offsets: str = "offsets",
    ) -> NDArray[Any]:
        """Return the values ``first`` to ``last - 1`` of documents, one after the other, (sum,).

        Args:
            name: of the array with the values.
            facts_rows: int64 (p,), kept documents.
            first, last: int64 (p,), counted within the document.
            offsets: of the array that says where each document's values begin.
        """
        place, sizes = self.rows.place[facts_rows], last - first
        out_at = np.cumsum(sizes) - sizes
        out = np.empty(int(sizes.sum()), dtype=self.array(name, 0).dtype if self.shards else np.uint8)
        shard = np.searchsorted(self._firsts, place, side="right") - 1
        for number in np.unique(shard).tolist():
            own = np.flatnonzero(shard == number)
            begins = self.array(offsets, number)[place[own] - self._firsts[number]] + first[own]
            copy_runs(self.array(name, number), begins, sizes[own], out, out_at[own])
        return out


@njit(cache=True, nogil=True)
def copy_runs(source, begins, sizes, out, at):  # type: ignore[no-untyped-def]
    """Copy runs of an array to their places in another one."""
    for k in range(len(begins)):
        for j in range(sizes[k]):
            out[at[k] + j] = source[begins[k] + j]
