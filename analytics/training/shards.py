"""Shards of a split: which samples go into which file, decided by content bytes alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tamis.data.errors import SettingError

LEAST_MB, MOST_MB = 1, 2048
"""Bounds of a shard. MDS and litdata state places in a file as 32-bit numbers."""

DEFAULT_MB = 256


@dataclass(frozen=True)
class ShardPlan:
    """Consecutive samples of a split that become the files of one shard.

    Attributes:
        number: from 0.
        count: shards of the split.
        first: number of its first sample.
        samples: how many it has.
    """

    number: int
    count: int
    first: int
    samples: int

    @property
    def end(self) -> int:
        """Return the number of the first sample after it."""
        return self.first + self.samples


def plan_shards(sizes: NDArray[np.int64], most: int) -> tuple[ShardPlan, ...]:
    """Return the shards of a split, in order; each takes samples while they fit, and one sample at least.

    Args:
        sizes: int64 (samples,), bytes that each sample takes in a file at most.
        most: bytes of a shard at most; a larger sample is a shard of its own.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    firsts, first, before = [0], 0, 0
    while True:
        first = max(int(np.searchsorted(ends, before + most, side="right")), first + 1)
        if first >= len(sizes):
            break
        firsts.append(first)
        before = int(ends[first - 1])
    bounds = [*firsts, len(sizes)]
    return tuple(
        ShardPlan(number, len(firsts), start, end - start) for number, (start, end) in enumerate(pairwise(bounds))
    )


def shard_bytes(megabytes: int) -> int:
    """Return the bytes of a shard at most.

    Raises:
        SettingError: too few or too many.
    """
    if not LEAST_MB <= megabytes <= MOST_MB:
        raise SettingError("Size of a shard in MB", value=megabytes, allowed=f"{LEAST_MB} to {MOST_MB}")
    return megabytes << 20
