"""MinHash: a short signature whose equal places estimate the Jaccard similarity of two shingle sets, and its bands.

Source: Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3. Place j of a signature is the smallest ``(a_j x + b_j) mod 2**32`` over the
shingles, with x the upper half of a shingle's hash, a_j odd, both from a keyed stream, so signatures never change.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.shingles import Shingles, mix
from tamis.data.hashing import salted

_SHIFT = np.uint64(32)


def coefficients(places: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return multipliers (odd) and offsets of the permutations, uint32 (places,) each."""
    drawn = salted(np.arange(2 * places, dtype=np.uint64), seed=0, salt="minhash") >> _SHIFT
    return drawn[:places].astype(np.uint32) | np.uint32(1), drawn[places:].astype(np.uint32)


def signatures(shingles: Shingles, places: int) -> NDArray[np.uint32]:
    """Return the MinHash signature of each set, uint32 (n, places)."""
    found = np.empty((len(shingles), places), dtype=np.uint32)
    _signatures(shingles.starts, shingles.hashes, *coefficients(places), found)
    return found


def band_keys(found: NDArray[np.uint32], bands: int) -> NDArray[np.uint64]:
    """Return one hash per band of each signature, uint64 (n, bands); equal bands have equal keys."""
    keys = np.empty((len(found), bands), dtype=np.uint64)
    _band_keys(found, found.shape[1] // bands, keys)
    return keys


@njit(cache=True, nogil=True)
def _signatures(starts, hashes, a, b, found):  # type: ignore[no-untyped-def]
    for n in range(len(starts) - 1):
        row = found[n]
        row[:] = np.uint32(0xFFFFFFFF)
        for i in range(starts[n], starts[n + 1]):
            x = np.uint32(hashes[i] >> _SHIFT)
            for j in range(len(a)):
                # uint32 * uint32 is uint64 for the compiler: cut back to 32 bits every time.
                value = np.uint32(np.uint32(x * a[j]) + b[j])
                row[j] = min(row[j], value)


@njit(cache=True, nogil=True)
def _band_keys(found, rows, keys):  # type: ignore[no-untyped-def]
    for n in range(len(found)):
        for band in range(keys.shape[1]):
            key = np.uint64(band + 1)
            for row in range(rows):
                key = mix(key ^ np.uint64(found[n, band * rows + row])) + np.uint64(1)
            keys[n, band] = key
