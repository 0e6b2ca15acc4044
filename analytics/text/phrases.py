"""Case-insensitive lookup of phrases at a position in a text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Phrases(NamedTuple):
    """Phrases as arrays for kernels.

    Attributes:
        codes: int32 (c,), concatenated code points of all phrases, sorted by first character.
        starts: int64 (p + 1,), where each phrase begins.
        bits: int64 (p,), the bit of each phrase: its index in the original list.
        firsts: int64 (129,), ``firsts[x]`` to ``firsts[x + 1]`` are the phrases that begin with ASCII character x.
    """

    codes: NDArray[np.int32]
    starts: NDArray[np.int64]
    bits: NDArray[np.int64]
    firsts: NDArray[np.int64]

    @classmethod
    def of(cls, phrases: tuple[str, ...]) -> Phrases:
        """Return up to 62 lower-case phrases that begin with an ASCII character."""
        order = sorted(range(len(phrases)), key=lambda k: phrases[k][0])
        ordered = [phrases[k] for k in order]
        codes = np.array([ord(character) for phrase in ordered for character in phrase], dtype=np.int32)
        starts = np.concatenate([[0], np.cumsum([len(phrase) for phrase in ordered])]).astype(np.int64)
        first = np.array([ord(phrase[0]) for phrase in ordered])
        firsts = np.searchsorted(first, np.arange(129)).astype(np.int64)
        return cls(codes, starts, np.array([1 << k for k in order], dtype=np.int64), firsts)


@njit(cache=True, nogil=True, inline="always")
def lower(point):  # type: ignore[no-untyped-def]
    """Return the lower case of an ASCII letter.

    Outside ASCII only the Kelvin sign lowers to an ASCII letter by itself: a dotted capital I becomes two characters,
    which breaks a phrase in Python too.
    """
    if 65 <= point <= 90:
        return point + 32
    return 107 if point == 0x212A else point


@njit(cache=True, nogil=True)
def phrases_at(points, i, last, phrases):  # type: ignore[no-untyped-def]
    """Return the bits of the phrases that begin at ``i`` and end by ``last``, ignoring case."""
    found = np.int64(0)
    point = lower(points[i])
    if point >= 128:
        return found
    for phrase in range(phrases.firsts[point], phrases.firsts[point + 1]):
        low, size, k = phrases.starts[phrase], phrases.starts[phrase + 1] - phrases.starts[phrase], 1
        if i + size > last:
            continue
        while k < size and lower(points[i + k]) == phrases.codes[low + k]:
            k += 1
        if k == size:
            found |= phrases.bits[phrase]
    return found
