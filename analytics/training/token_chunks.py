"""The tokens of texts from those of their chunks, and how well a text may be cut before each token."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.chunk_table import GAP
from tamis.analytics.text.normal_form import decode_point
from tamis.analytics.training.packing import NEVER, PARAGRAPH, SENTENCE, TOKEN


def spread_chunks(*given: Any) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]:
    """Return ids, byte places and offsets of the tokens of texts; see ``_spread`` for the arguments."""
    return _spread(*given)


@njit(cache=True, nogil=True)
def _spread(  # type: ignore[no-untyped-def]
    data, borders, kinds, sizes, numbers, firsts, long, offsets, ids, starts, long_offsets, long_ids, long_starts
):
    """Return ids (uint32), places (uint32) and offsets (int64) of the tokens of n texts.

    Args:
        data: uint8, UTF-8 bytes.
        borders: int64 (n + 1,), where the texts begin.
        kinds: uint8, kinds of code points; those of ``GAP`` are in no chunk.
        sizes: int64, where each known chunk begins in the bytes of the table.
        numbers: int32 (c,), chunk at each place; -1 - k is the k-th long one.
        firsts: int64 (n + 1,), where the chunks of each text begin.
        long: int64 (k, 2), begin and end of the long chunks.
        offsets, ids, starts: tokens of known chunks: where those of each begin, ids, bytes from the chunk's beginning.
        long_offsets, long_ids, long_starts: those of the long chunks.
    """
    total = 0
    for k in range(len(numbers)):
        number = numbers[k]
        if number >= 0:
            total += offsets[number + 1] - offsets[number]
        else:
            total += long_offsets[-number] - long_offsets[-1 - number]
    out, places = np.empty(total, dtype=np.uint32), np.empty(total, dtype=np.uint32)
    found = np.zeros(len(firsts), dtype=np.int64)
    count = 0
    for text in range(len(firsts) - 1):
        at = borders[text]
        for k in range(firsts[text], firsts[text + 1]):
            number = numbers[k]
            if number >= 0:
                at = _after_gap(data, at, borders[text + 1], kinds)
                for token in range(offsets[number], offsets[number + 1]):
                    out[count], places[count] = ids[token], at - borders[text] + starts[token]
                    count += 1
                at += sizes[number + 1] - sizes[number]
            else:
                at = long[-1 - number, 0]
                for token in range(long_offsets[-1 - number], long_offsets[-number]):
                    out[count], places[count] = long_ids[token], at - borders[text] + long_starts[token]
                    count += 1
                at = long[-1 - number, 1]
        found[text + 1] = count
    return out, places, found


@njit(cache=True, nogil=True)
def _after_gap(data, at, end, kinds):  # type: ignore[no-untyped-def]
    while at < end:
        point, width = decode_point(data, at, end)
        if kinds[point] != GAP:
            break
        at += width
    return at


@njit(cache=True, nogil=True)
def cut_levels(data, borders, offsets, starts):  # type: ignore[no-untyped-def]
    """Return how well each text may be cut before each of its tokens, uint8 (t,).

    Before the first character after a blank line is ``PARAGRAPH``; after a line feed, or after white space that follows
    the end of a sentence, or after a full stop of Chinese or Japanese, is ``SENTENCE``. White space may also stand at
    the beginning of a token.

    Args:
        data: uint8, UTF-8 bytes.
        borders: int64 (n + 1,), where the texts begin.
        offsets: int64 (n + 1,), the first token of each text.
        starts: uint32 (t,), the byte of its text where each token begins.
    """
    out = np.full(len(starts), TOKEN, dtype=np.uint8)
    for text in range(len(borders) - 1):
        begin, end = borders[text], borders[text + 1]
        for token in range(offsets[text], offsets[text + 1]):
            at = begin + np.int64(starts[token])
            left, lines = at, 0
            while left > begin and data[left - 1] in (32, 9, 10, 13):
                left -= 1
                lines += data[left] == 10
            right = at
            while right < end and data[right] in (32, 9, 10, 13):
                lines += data[right] == 10
                right += 1
            if left == begin:
                continue
            if lines > 1:
                out[token] = PARAGRAPH
            elif lines or (right > left and _ends_sentence(data, begin, left)) or _ends_wide(data, begin, left):
                out[token] = SENTENCE
    return out


@njit(cache=True, nogil=True)
def _ends_sentence(data, begin, at):  # type: ignore[no-untyped-def]
    """Return whether the text before a byte ends a sentence: . ! ? or an ellipsis, then quotes or brackets."""
    while at > begin and data[at - 1] in (34, 39, 41, 93, 125):
        at -= 1
    if at - 3 >= begin and data[at - 3] == 0xE2 and data[at - 2] == 0x80:
        if data[at - 1] == 0xA6:
            return True
        if data[at - 1] in (0x99, 0x9D):
            at -= 3
    return at > begin and data[at - 1] in (33, 46, 63)


@njit(cache=True, nogil=True)
def _ends_wide(data, begin, at):  # type: ignore[no-untyped-def]
    """Return whether a full stop of Chinese or Japanese stands before a byte: 。 or the wide ! and ?."""
    if at - 3 < begin:
        return False
    a, b, c = data[at - 3], data[at - 2], data[at - 1]
    return (a == 0xE3 and b == 0x80 and c == 0x82) or (a == 0xEF and b == 0xBC and c in (0x81, 0x9F))


@njit(cache=True, nogil=True)
def forbid(levels, offsets, starts, owner, begins, ends):  # type: ignore[no-untyped-def]
    """Set the level of tokens that begin inside spans to ``NEVER``: after the begin of a span and before its end.

    Args:
        levels: uint8 (t,), changed.
        offsets: int64 (n + 1,), the first token of each text.
        starts: uint32 (t,), the byte of its text where each token begins.
        owner, begins, ends: int64 (k,), text and bytes of each span.
    """
    for k in range(len(owner)):
        first, last = offsets[owner[k]], offsets[owner[k] + 1]
        token = first + np.searchsorted(starts[first:last], begins[k], side="right")
        while token < last and starts[token] < ends[k]:
            levels[token] = NEVER
            token += 1
