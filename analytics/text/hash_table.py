"""The hash table of the kernels: open addressing in arrays of a power of two, linear probing, keys compared exactly.

A table that is filled once marks its filled slots by ``marks[slot] != 0``; where no key is 0, the keys are their own
marks. A table that is emptied often, as for each document, has a stamp per slot instead: slots with another
round's stamp count as free, so emptying costs nothing. No result depends on the slot of a key.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.words import BASE, MIX

LEAST_MASK = 15
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


def filled_table(entries: Mapping[int, int]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return (keys, values) of a table with a few entries and no key 0, for ``find``."""
    slots = 1 << (4 * len(entries)).bit_length()
    keys, values = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int64)
    for key, value in entries.items():
        slot = ((key ^ (key >> 32)) * int(MIX) & 0xFFFFFFFFFFFFFFFF) >> 32 & (slots - 1)
        while keys[slot]:
            slot = (slot + 1) & (slots - 1)
        keys[slot], values[slot] = key, value
    return keys, values


@njit(cache=True, nogil=True)
def mask_for(entries):  # type: ignore[no-untyped-def]
    """Return slots - 1 of a table that ``entries`` keys fill at most by half, at least 15."""
    mask = LEAST_MASK
    while mask + 1 < 2 * entries:
        mask = 2 * mask + 1
    return mask


@njit(cache=True, nogil=True)
def first_slot(key, mask):  # type: ignore[no-untyped-def]
    """Return the slot where the search for a key (uint64) begins."""
    return np.int64(((key ^ (key >> _SHIFT)) * MIX >> _SHIFT) & np.uint64(mask))


@njit(cache=True, nogil=True)
def find(key, keys, marks):  # type: ignore[no-untyped-def]
    """Return the slot that holds ``key``, or the free slot where it belongs, marks 0."""
    mask = len(keys) - 1
    slot = first_slot(key, mask)
    while marks[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def find_stamped(key, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Return the slot that holds ``key`` in this round, or the free slot where it belongs."""
    slot = first_slot(key, mask)
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def add(key, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Add ``key`` in this round; return whether it is new."""
    slot = find_stamped(key, keys, stamps, stamp, mask)
    if stamps[slot] == stamp:
        return False
    keys[slot], stamps[slot] = key, stamp
    return True


@njit(cache=True, nogil=True)
def count(key, keys, stamps, counts, stamp, mask):  # type: ignore[no-untyped-def]
    """Count ``key`` once more in this round; return its slot. ``counts[slot]`` is 1 if the key is new."""
    slot = find_stamped(key, keys, stamps, stamp, mask)
    if stamps[slot] != stamp:
        keys[slot], stamps[slot], counts[slot] = key, stamp, 0
    counts[slot] += 1
    return slot


@njit(cache=True, nogil=True)
def piece_hash(points, first, end):  # type: ignore[no-untyped-def]
    """Return the polynomial hash (uint64) of the code points [first, end), as ``words`` hashes a word."""
    key = np.uint64(0)
    for i in range(first, end):
        mixed = (np.uint64(points[i]) + _ONE) * MIX
        key = key * BASE + (mixed ^ (mixed >> _SHIFT))
    return key
