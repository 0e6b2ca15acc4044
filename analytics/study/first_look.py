"""What can be said of a corpus at once, before its analysis: sizes, lengths, sources, and a search by words.

Everything is read from the files as they are, and nothing is stored. Rows are named by their place in the files, since
documents have no ids yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.operators.patterns import words_pattern
from tamis.data.corpus import Corpus
from tamis.data.errors import RecipeError
from tamis.data.hashing import mix_keys
from tamis.data.shards import Shard

MOST_BYTES = 256 << 20
"""Of decoded text that is read for a first look: about two seconds; a larger corpus is looked at in some shards."""

BINS = 36
_ROLES = ("source", "language")


@dataclass(frozen=True)
class ValueCounts:
    """The largest values of a column among the rows read.

    Attributes:
        column: its path in the corpus.
        role: ``source`` or ``language``.
        distinct: number of different values.
        values: the largest ones, as text, None for rows without a value.
        rows: of each value.
    """

    column: str
    role: str
    distinct: int
    values: tuple[str | None, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FirstLook:
    """Figures about the rows read.

    Attributes:
        rows: of the corpus.
        read: rows read; all of them, or those of shards drawn by keyed hash.
        documents: rows read that have a text.
        bytes: UTF-8 bytes of these texts.
        shortest, longest: bytes of the shortest and of the longest one, 0 without documents.
        median: lower median of their bytes, 0 without documents.
        edges: float64 (b + 1,), bytes, even in log(1 + bytes).
        counts: int64 (b,), documents in each bin.
        groups: of the columns of sources and languages, where the corpus has them.
    """

    rows: int
    read: int
    documents: int
    bytes: int
    shortest: int
    longest: int
    median: int
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    groups: tuple[ValueCounts, ...]

    @property
    def exact(self) -> bool:
        """Return whether every row was read."""
        return self.read == self.rows


@dataclass(frozen=True, eq=False)
class WordHits:
    """Rows whose text holds the words.

    Attributes:
        pattern: the regular expression that was looked for, case ignored.
        positions: int64 (m,), their places, ascending: 0 is the first row of the first file.
        read: rows searched.
        rows: of the corpus.
    """

    pattern: str
    positions: NDArray[np.int64]
    read: int
    rows: int

    @property
    def exact(self) -> bool:
        """Return whether every row was searched."""
        return self.read == self.rows


def take_first_look(corpus: Corpus, *, most_bytes: int = MOST_BYTES, shown: int = 8) -> FirstLook:
    """Read the texts of a corpus once, or of some of its shards, and count.

    Args:
        corpus: the corpus.
        most_bytes: no further shard is read once so many bytes of text are.
        shown: values of a column that are listed.

    Raises:
        CorpusError: a file is damaged or was changed.
    """
    columns = {role: corpus.roles.known()[role] for role in _ROLES if role in corpus.roles.known()}
    sizes: list[NDArray[np.int64]] = []
    values: dict[str, list[pa.Array]] = {role: [] for role in columns}
    read = taken = 0
    for _, shard in _drawn(corpus):
        if taken > most_bytes:
            break
        for batch in corpus.batches(shard, columns=[corpus.roles.text, *columns.values()], max_rows=65_536):
            lengths = pc.binary_length(batch.column(0)).drop_null()
            sizes.append(np.asarray(lengths.to_numpy(zero_copy_only=False), dtype=np.int64))
            taken += int(sizes[-1].sum())
            for place, role in enumerate(columns, start=1):
                values[role].append(_as_text(batch.column(place)))
        read += shard.rows
    found = np.concatenate(sizes) if sizes else np.empty(0, dtype=np.int64)
    shortest, longest = (int(found.min()), int(found.max())) if len(found) else (0, 0)
    edges = np.expm1(np.linspace(np.log1p(shortest), np.log1p(max(longest, shortest + 1)), BINS + 1))
    edges[[0, -1]] = shortest, max(longest, shortest + 1)
    return FirstLook(
        rows=corpus.rows,
        read=read,
        documents=len(found),
        bytes=taken,
        shortest=shortest,
        longest=longest,
        median=int(np.partition(found, (len(found) - 1) // 2)[(len(found) - 1) // 2]) if len(found) else 0,
        edges=edges,
        counts=np.histogram(found, bins=edges)[0].astype(np.int64),
        groups=tuple(_count(role, columns[role], values[role], shown) for role in columns),
    )


def find_words(corpus: Corpus, words: str, *, most_bytes: int = MOST_BYTES) -> WordHits:
    """Return the rows whose text holds some words, as the search by words finds documents after the analysis.

    Args:
        corpus: the corpus.
        words: as typed; see ``patterns.words_pattern``.
        most_bytes: as for ``take_first_look``.

    Raises:
        RecipeError: no words.
        CorpusError: a file is damaged or was changed.
    """
    if not words.strip():
        raise RecipeError("Type what to look for")
    pattern = words_pattern(words.strip())
    hits: list[NDArray[np.int64]] = []
    read = taken = 0
    for start, shard in _drawn(corpus):
        if taken > most_bytes:
            break
        at = start
        for texts in corpus.texts(shard, max_rows=65_536):
            held = pc.match_substring_regex(texts, pattern, ignore_case=True).fill_null(False)
            hits.append(at + np.flatnonzero(held.to_numpy(zero_copy_only=False)))
            at += len(texts)
            taken += pc.sum(pc.binary_length(texts)).as_py() or 0
        read += shard.rows
    positions = np.sort(np.concatenate(hits)) if hits else np.empty(0, dtype=np.int64)
    return WordHits(pattern, positions.astype(np.int64), read, corpus.rows)


def _drawn(corpus: Corpus) -> Iterator[tuple[int, Shard]]:
    """Yield the shards in an order drawn by keyed hash, each with the place of its first row."""
    shards = corpus.shards()
    starts = np.cumsum([0, *(shard.rows for shard in shards)])
    chance = mix_keys(np.arange(len(shards), dtype=np.uint64), seed=0, salt="first look")
    for place in np.argsort(chance, kind="stable"):
        yield int(starts[place]), shards[place]


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = values.cast(pa.large_string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.large_string()), text)


def _count(role: str, column: str, values: Sequence[pa.Array], shown: int) -> ValueCounts:
    """Return the largest values of a column; equal counts are ordered by value, none last."""
    counted = pc.value_counts(pa.chunked_array(values, pa.large_string()))
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    listed = sorted(pairs, key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))
    distinct = sum(value is not None for value, _ in listed)
    top = listed[:shown]
    return ValueCounts(column, role, distinct, tuple(value for value, _ in top), tuple(rows for _, rows in top))
