"""Fast use of a slow rule-based splitter: every distinct chunk of text is split once and looked up in a table.

Rule-based splitters such as spaCy's first cut the text at white space and then split each chunk by itself. So the words
of a text follow from the words of its chunks, and chunks repeat: a table from the chunk's hash to its words answers
nearly all of them. The splitter gets the missing chunks, many in one call. The few documents in which
neighbouring chunks could influence each other are split as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.hash_table import find
from tamis.analytics.text.words import Words, split_chunks, split_unicode

MOST_CHUNKS = 1 << 21
LONGEST_CHUNK = 2_000
"""Longer chunks are split by the ``unicode`` convention: rule-based splitters take quadratic time on them."""
LONGEST_WHOLE = 200_000
"""Longer documents are never split as a whole."""

_BEGINS, _ENDS = 1, 2


class Pair(NamedTuple):
    """Two words, one space apart, through which neighbouring chunks influence each other.

    Attributes:
        before, after: code points on both sides of the space.
        before_size, after_size: lengths of the words there, 0 for any.
    """

    before: int
    after: int
    before_size: int
    after_size: int


class Splitter(Protocol):
    """Splits chunks without white space and tells which chunks are not independent."""

    def lengths(self, chunks: Sequence[str]) -> list[list[int]]:
        """Return the lengths of the words of each chunk in characters; they add up to its length."""

    def whole(self, text: str) -> list[tuple[int, int]]:
        """Return (begin, end) of the words of a text split as a whole."""

    def edges(self, chunks: Sequence[str], lengths: Sequence[Sequence[int]]) -> list[int]:
        """Return bits per chunk: 1 if a neighbour could influence its beginning, 2 its end."""

    @property
    def pairs(self) -> frozenset[Pair]:
        """Return the pairs of words through which neighbours influence each other."""


class Segmenter:
    """A splitter with its table. Thread-safe; the table never changes a result."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._lock = threading.Lock()
        self._pairs: NDArray[np.int64] | None = None
        self._clear()

    def _clear(self) -> None:
        self._keys = np.zeros(1 << 16, dtype=np.uint64)
        self._places = np.zeros(1 << 16, dtype=np.int64)
        self._ends = np.zeros(0, dtype=np.int32)
        self._firsts = np.zeros(1, dtype=np.int64)
        self._edges = np.zeros(0, dtype=np.uint8)
        self._entries = 0

    def words(self, block: Block) -> Words:
        """Return the words of a block."""
        begin, end, starts = split_chunks(block.points, block.classes, block.starts)
        chunks = Words.at(block, begin, end, starts)
        with self._lock:
            if self._entries > MOST_CHUNKS:
                self._clear()
            entries = self._resolve(block, chunks)
            ends, firsts, edges = self._ends, self._firsts, self._edges
            pairs = self._boundaries()
        counts = firsts[entries + 1] - firsts[entries]
        first = np.concatenate([[0], np.cumsum(counts)])
        word_begin, word_end = np.empty(first[-1], dtype=np.int64), np.empty(first[-1], dtype=np.int64)
        _expand(begin, entries, firsts, ends, first, word_begin, word_end)
        linked = np.zeros(len(block), dtype=np.bool_)
        _find_linked(block.points, begin, end, starts, edges, entries, firsts, ends, pairs, linked)
        return self._with_whole(block, word_begin, word_end, first[starts], linked)

    def _with_whole(
        self,
        block: Block,
        begin: NDArray[np.int64],
        end: NDArray[np.int64],
        starts: NDArray[np.int64],
        linked: NDArray[np.bool_],
    ) -> Words:
        """Return the words; linked documents are split as a whole."""
        linked &= np.diff(block.starts) <= LONGEST_WHOLE
        if not linked.any():
            return Words.at(block, begin, end, starts)
        begins, ends, counts, at = [], [], np.diff(starts), 0
        for document in np.flatnonzero(linked):
            with self._lock:
                spans = np.array(self._splitter.whole(block.text(int(document))), dtype=np.int64).reshape(-1, 2)
            begins += [begin[at : starts[document]], spans[:, 0] + block.starts[document]]
            ends += [end[at : starts[document]], spans[:, 1] + block.starts[document]]
            counts[document], at = len(spans), starts[document + 1]
        begins, ends = [*begins, begin[at:]], [*ends, end[at:]]
        return Words.at(block, np.concatenate(begins), np.concatenate(ends), np.append(0, np.cumsum(counts)))

    def _boundaries(self) -> NDArray[np.int64]:
        """Return the splitter's pairs as sorted numbers, as ``_number`` makes them."""
        if self._pairs is None:
            self._pairs = np.array(sorted(_number(*pair) for pair in self._splitter.pairs), dtype=np.int64)
        return self._pairs

    def _resolve(self, block: Block, chunks: Words) -> NDArray[np.int64]:
        """Return the table's entry of each chunk, int64 (w,); add missing ones first."""
        entries = np.empty(len(chunks.begin), dtype=np.int64)
        _look_up(self._keys, self._places, chunks.hashes, entries)
        missing = np.flatnonzero(entries < 0)
        if len(missing) == 0:
            return entries
        _, first = np.unique(chunks.hashes[missing], return_index=True)
        chosen = missing[np.sort(first)]
        texts = [_text(block, chunks.begin[w], chunks.end[w]) for w in chosen]
        lengths = self._lengths(texts)
        self._add(chunks.hashes[chosen], lengths, self._splitter.edges(texts, lengths))
        _look_up(self._keys, self._places, chunks.hashes, entries)
        return entries

    def _lengths(self, texts: list[str]) -> list[list[int]]:
        short = [text for text in texts if len(text) <= LONGEST_CHUNK]
        answers = iter(self._splitter.lengths(short) if short else [])
        return [next(answers) if len(text) <= LONGEST_CHUNK else _plain_lengths(text) for text in texts]

    def _add(self, hashes: NDArray[np.uint64], lengths: list[list[int]], edges: list[int]) -> None:
        # Arrays that other threads may still read are replaced, never changed.
        counts = np.array([len(parts) for parts in lengths], dtype=np.int64)
        ends = np.concatenate([np.cumsum(parts) for parts in lengths]).astype(np.int32)
        self._firsts = np.concatenate([self._firsts, self._firsts[-1] + np.cumsum(counts)])
        self._ends = np.concatenate([self._ends, ends])
        self._edges = np.concatenate([self._edges, np.array(edges, dtype=np.uint8)])
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
    block = Block.of(pa.array([text], type=pa.large_string()))
    begin, end, _ = split_unicode(block.points, block.classes, block.starts)
    return [int(length) for length in end - begin]


@njit(cache=True, nogil=True)
def _number(before, after, before_size, after_size):  # type: ignore[no-untyped-def]
    return (((np.int64(before) << 21) + after) << 16) + (min(before_size, 255) << 8) + min(after_size, 255)


@njit(cache=True, nogil=True)
def _is_pair(points, end, begin, befores, afters, pairs):  # type: ignore[no-untyped-def]
    """Say whether words of these sizes, (least, most), around the space are a pair; a pair's size 0 fits any."""
    for one in range(befores[0] - 1, befores[1] + 1):
        for two in range(afters[0] - 1, afters[1] + 1):
            # The number before the least size stands for 0.
            number = _number(
                points[end - 1], points[begin], one if one >= befores[0] else 0, two if two >= afters[0] else 0
            )
            place = np.searchsorted(pairs, number)
            if place < len(pairs) and pairs[place] == number:
                return True
    return False


@njit(cache=True, nogil=True)
def _find_linked(points, begin, end, starts, edges, entries, firsts, ends, pairs, linked):  # type: ignore[no-untyped-def]
    """Mark documents with two chunks one space apart that could influence each other."""
    for document in range(len(starts) - 1):
        for w in range(starts[document] + 1, starts[document + 1]):
            if (edges[entries[w - 1]] & _ENDS) == 0 and (edges[entries[w]] & _BEGINS) == 0:
                continue
            if begin[w] - end[w - 1] != 1 or points[end[w - 1]] != 32:
                continue
            last = firsts[entries[w - 1] + 1] - 1
            before = ends[last] - (ends[last - 1] if last > firsts[entries[w - 1]] else 0)
            after = ends[firsts[entries[w]]]
            # A word that is a special case is made of tokens: the one beside the space may be any part of it.
            befores = (1 if edges[entries[w - 1]] & _ENDS else before, before)
            afters = (1 if edges[entries[w]] & _BEGINS else after, after)
            if _is_pair(points, end[w - 1], begin[w], befores, afters, pairs):
                linked[document] = True
                break


@njit(cache=True, nogil=True)
def _look_up(keys, places, hashes, entries):  # type: ignore[no-untyped-def]
    for w in range(len(hashes)):
        slot = find(hashes[w], keys, keys)
        entries[w] = places[slot] if keys[slot] != 0 else -1


@njit(cache=True, nogil=True)
def _insert(keys, places, hashes, entries):  # type: ignore[no-untyped-def]
    for w in range(len(hashes)):
        slot = find(hashes[w], keys, keys)
        keys[slot], places[slot] = hashes[w], entries[w]


@njit(cache=True, nogil=True)
def _expand(begin, entries, firsts, ends, first, word_begin, word_end):  # type: ignore[no-untyped-def]
    for w in range(len(begin)):
        out, at = first[w], begin[w]
        for k in range(firsts[entries[w]], firsts[entries[w] + 1]):
            word_begin[out], word_end[out] = at, begin[w] + ends[k]
            at = begin[w] + ends[k]
            out += 1
