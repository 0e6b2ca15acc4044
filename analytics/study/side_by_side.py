"""Two corpora side by side: sizes, signals, languages and sources, and topics on the map of the first.

Sizes, medians and shares are exact. The distance of two signals comes from at most ``SAMPLED`` documents of each by
keyed hash; it is exact for corpora that are smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.documents import sample_of
from tamis.analytics.study.groups import Totals, column_values
from tamis.analytics.study.numbers import extent
from tamis.data.hashing import key64, mix_keys

SAMPLED = 20_000
SEED = 0
CATEGORIES = ("lang", "source", "label")
Shares = Mapping[str | None, float]
_APART = ("map", "cluster", "id")


@dataclass(frozen=True)
class SideBySide:
    """What differs between two corpora.

    Attributes:
        first, second: their sizes.
        signals: ``signal``, ``title`` string; ``first``, ``second`` float64, the lower medians; ``distance`` float64 in
            [0, 1], the largest difference of the two cumulative distributions; the most different first.
        groups: ``column``, ``title``, ``value`` (NULL: documents without one) string; ``first``, ``second`` float64,
            shares of documents; within a column the most different first.
        sampled: documents of the larger sample behind the distances.
    """

    first: Totals
    second: Totals
    signals: pa.Table
    groups: pa.Table
    sampled: int


def side_by_side(first: Facts, second: Facts, *, limit: int = 12) -> SideBySide:
    """Return what differs between two corpora.

    Args:
        first, second: their facts.
        limit: values of each category at most.
    """
    sampled = min(SAMPLED, max(first.n, second.n))
    return SideBySide(_size(first), _size(second), _signals(first, second), _groups(first, second, limit), sampled)


def _size(facts: Facts) -> Totals:
    tokens, size = facts.whole("n_tokens"), facts.whole("bytes")
    return Totals(facts.n, int(tokens.sum()), int(size.sum()))


def _signals(first: Facts, second: Facts) -> pa.Table:
    shared = [
        name
        for name, info in first.columns.items()
        if info.numeric and info.role not in _APART and not name.endswith("_group") and name in second.columns
    ]
    rows: list[tuple[str, str, float, float, float]] = []
    for name in shared:
        values = [_values(facts, name) for facts in (first, second)] if second.info(name).numeric else []
        if values and all(len(each) for each in values):
            medians = [extent(facts, name).median for facts in (first, second)]
            apart = distribution_distance(*values)
            rows.append((name, first.info(name).title, medians[0], medians[1], apart))
    rows.sort(key=lambda row: (-row[4], row[0]))
    names = ("signal", "title", "first", "second", "distance")
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.float64())
    return pa.table(
        {name: pa.array([row[k] for row in rows], kinds[k]) for k, name in enumerate(names)}
    )  # fmt: skip


def _values(facts: Facts, column: str) -> NDArray[np.float64]:
    """Return the values of a column in a keyed sample, ascending float64, without absent ones; cached."""

    def read() -> NDArray[np.float64]:
        rows = sample_of(facts, np.ones(facts.n, dtype=np.bool_), n=SAMPLED, seed=SEED)
        found = facts.numbers(column)[rows]
        return np.sort(found[~np.isnan(found)])

    return facts.memo.through(("side by side", facts.digest, column), read, size=lambda values: int(values.nbytes))


def distribution_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the largest difference of two cumulative distributions, in [0, 1].

    Args:
        first, second: ascending values, at least one each.

    Source: the statistic of Kolmogorov and Smirnov for two samples.
    """
    at = np.concatenate([first, second])
    below = [np.searchsorted(values, at, side="right") / len(values) for values in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def _groups(first: Facts, second: Facts, limit: int) -> pa.Table:
    """Return the shares of documents by the values of the categories that both corpora have."""
    tables = []
    for name in CATEGORIES:
        if name in first.columns and name in second.columns:
            shares = compare_shares(_shares(first, name), _shares(second, name), limit=limit)
            titles = {"column": [name] * len(shares), "title": [first.info(name).title] * len(shares)}
            front = pa.table({key: pa.array(texts, pa.string()) for key, texts in titles.items()})
            for place, key in enumerate(shares.column_names, start=2):
                front = front.add_column(place, key, shares.column(key))
            tables.append(front)
    empty = pa.schema(
        [(name, pa.string()) for name in ("column", "title", "value")]
        + [(name, pa.float64()) for name in ("first", "second")]
    )
    return pa.concat_tables([empty.empty_table(), *tables])


def _shares(facts: Facts, column: str) -> Shares:
    values, codes = column_values(facts, column)
    counts = np.bincount(codes, minlength=len(values) + 1) / max(facts.n, 1)
    named = zip([*values.to_pylist(), None], counts.tolist(), strict=True)
    return {value: share for value, share in named if share}


def compare_shares(first: Shares, second: Shares, *, limit: int) -> pa.Table:
    """Return the shares of both corpora by value, the most different first, ties by value.

    Columns: ``value`` string, NULL for none; ``first``, ``second`` float64.
    """
    known = sorted({*first, *second}, key=lambda value: (value is None, value or ""))
    known.sort(key=lambda value: -abs(first.get(value, 0.0) - second.get(value, 0.0)))
    shown = known[:limit]
    return pa.table(
        {
            "value": pa.array(shown, pa.string()),
            "first": pa.array([first.get(value, 0.0) for value in shown], pa.float64()),
            "second": pa.array([second.get(value, 0.0) for value in shown], pa.float64()),
        }
    )


def topic_shares(first: Facts, placed: pa.Table, *, limit: int = 40) -> pa.Table:
    """Return the shares of both corpora by cluster of the first, the most different first; see ``compare_shares``.

    Args:
        first: facts of the corpus that the map belongs to.
        placed: the second corpus on that map, see ``FrozenMap.placed``.
        limit: clusters at most.
    """
    labels = placed.column("cluster").to_numpy()
    numbers, counts = np.unique(labels, return_counts=True)
    there: dict[str | None, float] = {
        str(number): count / max(len(labels), 1) for number, count in zip(numbers, counts, strict=True)
    }
    here: dict[str | None, float] = {
        str(value) if value is not None else "-1": share for value, share in _shares(first, "cluster").items()
    }
    return compare_shares(here, there, limit=limit)


def points_on_map(
    first: Facts, placed: pa.Table, *, n: int = 2_000, seed: int = SEED
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the positions of some documents of both corpora on the map of the first, float64 (<= n, 2) each.

    Args:
        first: facts of the corpus that the map belongs to.
        placed: the second corpus on that map, see ``FrozenMap.placed``.
        n: documents of each at most, by keyed hash of their ids; those without a position are left out.
        seed: of the hash.
    """
    here = np.column_stack([first.numbers("x"), first.numbers("y")])
    rows = sample_of(first, np.isfinite(here[:, 0]) & np.isfinite(here[:, 1]), n=n, seed=seed)
    known = placed.filter(pc.is_valid(placed.column("x")))
    there = np.column_stack([known.column(axis).to_numpy().astype(np.float64) for axis in "xy"])
    order = np.argsort(mix_keys(key64(known.column("id").to_pylist()), seed=seed, salt="sample"), kind="stable")
    return here[rows], there[order[:n]]
