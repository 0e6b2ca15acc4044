"""Words by a slow rule-based splitter at the speed of a table: every distinct chunk of text is split once.

Rule-based splitters such as spaCy's first cut the text at white space and then split each chunk by itself. So the words
of a text follow from the words of its chunks, and chunks repeat: a table from the chunk's hash to its words answers
nearly all of them. What is not in the table is given to the splitter, many chunks in one call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text_block import Block
from tamis.analytics.word_split import split_chunks, split_unicode
from tamis.analytics.words import MIX, Words

Split = Callable[[Sequence[str]], list[list[int]]]
"""Takes chunks without white space, returns for each the lengths of its words in characters, which add up."""

MOST_CHUNKS = 1 << 21
LONGEST_CHUNK = 2_000
"""Longer chunks are split by the ``unicode`` convention: rule-based splitters take quadratic time on them."""

_MIX, _SHIFT = MIX, np.uint64(32)


class Segmenter:
    """A splitter with its table. Safe to use from several threads; the table never changes a result."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._keys = np.zeros(1 << 16, dtype=np.uint64)
        self._places = np.zeros(1 << 16, dtype=np.int64)
        self._ends = np.zeros(1 << 18, dtype=np.int32)
        self._firsts = np.zeros((1 << 15) + 1, dtype=np.int64)
        self._entries = 0

    def words(self, block: Block) -> Words:
        """Return the words of a block."""
        begin, end, starts = split_chunks(block.points, block.classes, block.starts)
        chunks = Words.at(block, begin, end, starts)
        with self._lock:
            if self._entries > MOST_CHUNKS:
                self._clear()
            entries = self._resolve(block, chunks)
            ends, firsts = self._ends, self._firsts
        counts = firsts[entries + 1] - firsts[entries]
        first = np.concatenate([[0], np.cumsum(counts)])
        word_begin, word_end = np.empty(first[-1], dtype=np.int64), np.empty(first[-1], dtype=np.int64)
        _expand(begin, entries, firsts, ends, first, word_begin, word_end)
        return Words.at(block, word_begin, word_end, first[starts])

    def _resolve(self, block: Block, chunks: Words) -> NDArray[np.int64]:
        """Return the table's entry of each chunk, int64 (w,), after adding those that were missing."""
        entries = np.empty(len(chunks.begin), dtype=np.int64)
        _look_up(self._keys, self._places, chunks.hashes, entries)
        missing = np.flatnonzero(entries < 0)
        if len(missing) == 0:
            return entries
        _, first = np.unique(chunks.hashes[missing], return_index=True)
        chosen = missing[np.sort(first)]
        texts = [_text(block, chunks.begin[w], chunks.end[w]) for w in chosen]
        self._add(chunks.hashes[chosen], self._lengths(texts))
        _look_up(self._keys, self._places, chunks.hashes, entries)
        return entries

    def _lengths(self, texts: list[str]) -> list[list[int]]:
        short = [text for text in texts if len(text) <= LONGEST_CHUNK]
        answers = iter(self._split(short) if short else [])
        return [next(answers) if len(text) <= LONGEST_CHUNK else _plain_lengths(text) for text in texts]

    def _add(self, hashes: NDArray[np.uint64], lengths: list[list[int]]) -> None:
        # Arrays that other threads may still read are replaced, never changed.
        counts = np.array([len(parts) for parts in lengths], dtype=np.int64)
        ends = np.concatenate([np.cumsum(parts) for parts in lengths]).astype(np.int32)
        known = self._firsts[: self._entries + 1]
        self._firsts = np.concatenate([known, known[-1] + np.cumsum(counts)])
        self._ends = np.concatenate([self._ends[: known[-1]], ends])
        entries = np.arange(self._entries, self._entries + len(lengths))
        self._entries += len(lengths)
        if 2 * self._entries > len(self._keys):
            keys, places = self._keys, self._places
            slots = 1 << int(4 * self._entries - 1).bit_length()
            self._keys, self._places = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int64)
            filled = keys != 0
            _insert(self._keys, self._places, keys[filled], places[filled])
        _insert(self._keys, self._places, hashes, entries)


def _text(block: Block, begin: int, end: int) -> str:
    return block.points[begin:end].astype("<u4").tobytes().decode("utf-32-le", "replace")


def _plain_lengths(text: str) -> list[int]:
    from pyarrow import array

    block = Block.of(array([text]))
    begin, end, _ = split_unicode(block.points, block.classes, block.starts)
    return [int(length) for length in end - begin]


@njit(cache=True, nogil=True)
def _slot(keys, key):  # type: ignore[no-untyped-def]
    mask = len(keys) - 1
    slot = np.int64(((key ^ (key >> _SHIFT)) * _MIX >> _SHIFT) & np.uint64(mask))
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _look_up(keys, places, hashes, entries):  # type: ignore[no-untyped-def]
    for w in range(len(hashes)):
        slot = _slot(keys, hashes[w])
        entries[w] = places[slot] if keys[slot] != 0 else -1


@njit(cache=True, nogil=True)
def _insert(keys, places, hashes, entries):  # type: ignore[no-untyped-def]
    for w in range(len(hashes)):
        slot = _slot(keys, hashes[w])
        keys[slot], places[slot] = hashes[w], entries[w]


@njit(cache=True, nogil=True)
def _expand(begin, entries, firsts, ends, first, word_begin, word_end):  # type: ignore[no-untyped-def]
    for w in range(len(begin)):
        out, at = first[w], begin[w]
        for k in range(firsts[entries[w]], firsts[entries[w] + 1]):
            word_begin[out], word_end[out] = at, begin[w] + ends[k]
            at = begin[w] + ends[k]
            out += 1
