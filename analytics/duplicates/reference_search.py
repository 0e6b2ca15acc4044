"""How much of a document occurs in other files: shared n-grams with evaluation sets, and the most similar known text.

Both are measured in one streaming pass against a stored reference (``tamis.analytics.duplicates.references``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.references import Reference
from tamis.analytics.duplicates.shingles import Shingles, band_keys, count_shared, gram, signatures, units_of
from tamis.analytics.text.block import block_ranges, utf8_buffers
from tamis.analytics.text.hash_table import find
from tamis.analytics.text.normal_form import normalise

COMPARED = 256


@dataclass(frozen=True, eq=False)
class Overlap:
    """The n-grams that documents share with a reference.

    Attributes:
        matches: int32 (n,), distinct n-grams of the document that the reference has.
        share: float32 (n,), largest share of an item's n-grams that the document has, in [0, 1].
        item: int64 (n,), the item with that share, the smallest number among equals, -1 without a match.
    """

    matches: NDArray[np.int32]
    share: NDArray[np.float32]
    item: NDArray[np.int64]

    def table(self) -> pa.Table:
        """Return the columns ``matches``, ``share`` and ``item``."""
        return pa.table({"matches": self.matches, "share": self.share, "item": self.item})


@dataclass(frozen=True, eq=False)
class GramIndex:
    """Finds the items of a reference that contain an n-gram.

    Items with fewer than n units are searched as a whole, those with fewer than ``shortest`` are ignored.

    Attributes:
        reference: the items.
        shortest: fewest units of an item.
    """

    reference: Reference
    shortest: int = 8

    @property
    def used(self) -> NDArray[np.bool_]:
        """Return which items are searched, bool (m,)."""
        return self.reference.units >= min(self.shortest, self.reference.n)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Return the lengths of n-grams to search, int64: n, and those of shorter items."""
        return np.unique(np.minimum(self.reference.units[self.used], self.reference.n))

    @cached_property
    def _tables(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the hash table (grams and their numbers) and, per number, the items (starts and items)."""
        counts = self.reference.sets.counts
        owner = np.repeat(np.arange(len(counts)), counts)
        wanted = self.used[owner]
        grams, number = np.unique(self.reference.shingles[wanted], return_inverse=True)
        order = np.lexsort((owner[wanted], number))
        starts = np.append(0, np.cumsum(np.bincount(number, minlength=len(grams))))
        size = 1 << max(4, int(2 * len(grams) + 1).bit_length())
        keys, numbers = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64)
        _fill(grams, keys, numbers)
        return keys, numbers, starts, owner[wanted][order]

    def overlap(self, texts: pa.Array) -> Overlap:
        """Return the n-grams that texts share with the reference, (n,)."""
        keys, numbers, starts, items = self._tables
        sizes = self.reference.sets.counts
        offsets, data = utf8_buffers(texts)
        found = Overlap(
            np.zeros(len(texts), np.int32), np.zeros(len(texts), np.float32), np.full(len(texts), -1, np.int64)
        )
        seen = np.full(len(starts) - 1, -1, dtype=np.int64)
        counts = np.zeros(len(sizes), dtype=np.int64)
        for first, end in block_ranges(offsets):
            units, begins = units_of(
                normalise(offsets[first : end + 1], data, self.reference.convention), self.reference.unit
            )
            ours = slice(first, end)
            index = (keys, numbers, starts, items, sizes, self.lengths)
            result = (found.matches[ours], found.share[ours], found.item[ours])
            _overlap(units, begins, first, *index, seen, counts, *result)
        return found


@dataclass(frozen=True, eq=False)
class KnownTexts:
    """Finds the item of a reference that is most similar to a document.

    Attributes:
        reference: the items.
        bands, rows: banding of the signatures.
    """

    reference: Reference
    bands: int = 20
    rows: int = 4

    @cached_property
    def _keys(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the band keys of all items in ascending order, and the item of each."""
        keys = self._banded(self.reference.sets)
        order = np.argsort(keys.ravel(), kind="stable")
        return keys.ravel()[order], order // self.bands

    def _banded(self, sets: Shingles) -> NDArray[np.uint64]:
        return band_keys(signatures(sets, self.bands * self.rows), self.bands)

    def nearest(self, texts: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the largest Jaccard similarity to an item, float32 (n,), 0 without candidates, and the item or -1.

        Of the items that share one band with a document, the first ``COMPARED`` of each band are compared; equal
        similarities go to the item with the smaller number.
        """
        similarity, item = np.zeros(len(texts), np.float32), np.full(len(texts), -1, np.int64)
        keys, items = self._keys
        offsets, data = utf8_buffers(texts)
        for first, end in block_ranges(offsets):
            normal = normalise(offsets[first : end + 1], data, self.reference.convention)
            sets = Shingles.of_normal(normal, unit=self.reference.unit, n=self.reference.n)
            wanted = self._banded(sets)
            begin, stop = np.searchsorted(keys, wanted, side="left"), np.searchsorted(keys, wanted, side="right")
            ours = sets.sorted()
            theirs = (self.reference.starts, self.reference.shingles)
            place = slice(first, end)
            _nearest(begin, stop, items, ours.starts, ours.hashes, *theirs, similarity[place], item[place])
        return similarity, item


@njit(cache=True, nogil=True)
def _fill(grams, keys, numbers):  # type: ignore[no-untyped-def]
    for k in range(len(grams)):
        slot = find(grams[k], keys, numbers)
        keys[slot], numbers[slot] = grams[k], k + 1


@njit(cache=True, nogil=True)
def _overlap(units, begins, base, keys, numbers, starts, items, sizes, lengths, seen, counts, matches, share, best):  # type: ignore[no-untyped-def]
    touched = np.empty(16, dtype=np.int64)
    for d in range(len(begins) - 1):
        number = 0
        for length in lengths:
            for i in range(begins[d], begins[d + 1] - length + 1):
                found = numbers[find(gram(units, i, i + length), keys, numbers)] - 1
                if found < 0 or seen[found] == base + d:
                    continue
                seen[found] = base + d
                matches[d] += 1
                for k in range(starts[found], starts[found + 1]):
                    if counts[items[k]] == 0:
                        if number == len(touched):
                            touched = np.append(touched, np.empty(number, dtype=np.int64))
                        touched[number] = items[k]
                        number += 1
                    counts[items[k]] += 1
        for k in range(number):
            item = touched[k]
            value = np.float32(counts[item] / sizes[item])
            counts[item] = 0
            if value > share[d] or (value == share[d] and item < best[d]):
                share[d], best[d] = value, item


@njit(cache=True, nogil=True)
def _nearest(begin, stop, items, own_starts, own, their_starts, their, similarity, best):  # type: ignore[no-untyped-def]
    for d in range(len(begin)):
        mine = own[own_starts[d] : own_starts[d + 1]]
        for band in range(begin.shape[1]):
            for k in range(begin[d, band], min(stop[d, band], begin[d, band] + COMPARED)):
                item = items[k]
                theirs = their[their_starts[item] : their_starts[item + 1]]
                both = count_shared(mine, theirs)
                value = np.float32(both / (len(mine) + len(theirs) - both))
                if value > similarity[d] or (value == similarity[d] and item < best[d]):
                    similarity[d], best[d] = value, item
