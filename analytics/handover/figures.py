"""The figures of prepared data that cards and summaries state: all exact, counted over the index of the pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.groups import column_values

_LICENCE = re.compile(r"meta_(.*_)?(licen[cs]es?|spdx)(_(id|name|expression|type))?", re.IGNORECASE)
_DOMAIN = re.compile(r"meta_(domain|host|hostname|site)", re.IGNORECASE)
NO_VALUE = "no value"


@dataclass(frozen=True)
class ValueShare:
    """Documents with one value of a column.

    Attributes:
        value: of the column; ``NO_VALUE`` for documents without one.
        documents: distinct documents that are in the data.
        times: how often they come, over copies, epochs and splits.
        bytes: of their text, each time it comes.
        licences: the values of the licence column among them, by documents, most first; empty without such a column.
    """

    value: str
    documents: int
    times: int
    bytes: int
    licences: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataMakeup:
    """What prepared data is made of. Every figure is exact.

    Attributes:
        documents: distinct documents.
        times: how often they come, over copies, epochs and splits.
        bytes: of text, each time it comes.
        tokens: of documents in all sequences, separators included; 0 where the data is text.
        sources, licences, languages, domains: by value, most bytes first; None where the corpus has no such column.
        licence_column: the column of the corpus that states licences, None if it has none.
    """

    documents: int
    times: int
    bytes: int
    tokens: int
    sources: tuple[ValueShare, ...] | None
    licences: tuple[ValueShare, ...] | None
    languages: tuple[ValueShare, ...] | None
    domains: tuple[ValueShare, ...] | None
    licence_column: str | None = None


def compose(facts: Facts, indexes: Sequence[Path]) -> DataMakeup:
    """Return what prepared data is made of.

    Args:
        facts: of the corpus, with its columns and detected languages as far as it has them.
        indexes: the tables of pieces, one per split.
    """
    times = np.zeros(len(facts), dtype=np.int64)
    size = np.zeros(len(facts), dtype=np.int64)
    tokens = 0
    for table in _blocks(indexes):
        rows = pc.index_in(table.column("document_id"), facts.ids).to_numpy()
        first, last = (table.column(name).to_numpy() for name in ("first_byte", "last_byte"))
        # By tokens, not by bytes: a tokenizer may leave out how a text begins.
        begins = table.column("first_token").to_numpy() == 0
        times += np.bincount(rows[begins], minlength=len(facts))
        size += np.bincount(rows, weights=last - first, minlength=len(facts)).astype(np.int64)
        tokens += int(np.sum(table.column("last_token").to_numpy() - table.column("first_token").to_numpy()))
    licence = _named(facts, _LICENCE)
    columns = {"source": "source", "licence": licence, "language": "lang", "domain": _named(facts, _DOMAIN)}
    shares = {
        name: _shares(facts, column, times, size, licence=licence if name == "source" else None)
        for name, column in columns.items()
        if column is not None and column in facts.columns
    }
    return DataMakeup(
        documents=int(np.count_nonzero(times)),
        times=int(times.sum()),
        bytes=int(size.sum()),
        tokens=tokens,
        sources=shares.get("source"),
        licences=shares.get("licence"),
        languages=shares.get("language"),
        domains=shares.get("domain"),
        licence_column=None if licence is None else licence.removeprefix("meta_"),
    )


def _blocks(indexes: Sequence[Path]) -> Iterator[pa.Table]:
    columns = ["document_id", "first_token", "last_token", "first_byte", "last_byte"]
    for path in indexes:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns)


def _named(facts: Facts, pattern: re.Pattern[str]) -> str | None:
    """Return the first column by name that a pattern matches and that holds text."""
    return next((name for name in sorted(facts.columns) if pattern.fullmatch(name)), None)


def _shares(
    facts: Facts, column: str, times: NDArray[np.int64], size: NDArray[np.int64], *, licence: str | None = None
) -> tuple[ValueShare, ...]:
    values, codes = column_values(facts, column)
    names = [*values.to_pylist(), NO_VALUE]
    there = times > 0
    documents = np.bincount(codes[there], minlength=len(names))
    came = np.bincount(codes, weights=times, minlength=len(names)).astype(np.int64)
    weight = np.bincount(codes, weights=size, minlength=len(names)).astype(np.int64)
    order = np.lexsort((np.arange(len(names)), -weight))
    stated = {} if licence is None else _licences(facts, licence, codes, there)
    return tuple(
        ValueShare(
            names[place] or NO_VALUE, int(documents[place]), int(came[place]), int(weight[place]), stated.get(place, ())
        )
        for place in order.tolist()
        if documents[place]
    )


def _licences(
    facts: Facts, licence: str, codes: NDArray[np.int64], there: NDArray[np.bool_]
) -> dict[int, tuple[str, ...]]:
    """Return the licences of the documents of each source, by its code, most documents first."""
    values, own = column_values(facts, licence)
    names = [*values.to_pylist(), NO_VALUE]
    pairs, counts = np.unique(codes[there] * len(names) + own[there], return_counts=True)
    found: dict[int, tuple[str, ...]] = {}
    for place in np.lexsort((pairs, -counts)).tolist():
        source, value = divmod(int(pairs[place]), len(names))
        found[source] = (*found.get(source, ()), names[value] or NO_VALUE)
    return found
