"""Questions about one numeric column: its extent, its histogram, the effect of a cut.

Questions about one numeric column within the groups of a category: its spread and the effect of a cut in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.scene import KEPT, SELECTED, Scene, Which
from tamis.data.errors import RecipeError
from tamis.data.sql import ident

MAX_BINS = 400
LONG_TAIL = 8.0
"""From this ratio of upper end to median on, a column gets a logarithmic axis."""

Scale = Literal["linear", "log", "auto"]


@dataclass(frozen=True)
class Extent:
    """The extent of the values of a column.

    Attributes:
        low, high: smallest and largest value; both 0 when there is none.
        robust_low, robust_high: percentiles 0.5 and 99.5, for axes without outliers.
        missing: documents without a value.
        documents: documents with a value.
        median: lower median, 0 when there is no value.
    """

    low: float
    high: float
    robust_low: float
    robust_high: float
    missing: int
    documents: int
    median: float = 0.0

    @property
    def long_tailed(self) -> bool:
        """Say whether values are never negative and stretch far above their median."""
        return self.low >= 0 and self.robust_high > LONG_TAIL * max(self.median, 1.0)


@dataclass(frozen=True)
class Histogram:
    """Counts per bin. Exact: every document with a value is in a bin, in ``below`` or in ``above``.

    Attributes:
        column: the column.
        edges: float64 (b + 1,), ascending; the last bin includes its upper edge.
        all, kept, selected: int64 (b,) documents per bin.
        missing: documents without a value.
        below, above: documents outside the edges.
        scale: ``linear``, or ``log`` when the edges are even in log(1 + value).
    """

    column: str
    edges: NDArray[np.float64]
    all: NDArray[np.int64]
    kept: NDArray[np.int64]
    selected: NDArray[np.int64]
    missing: int
    below: int
    above: int
    scale: Literal["linear", "log"] = "linear"

    @property
    def dropped(self) -> NDArray[np.int64]:
        """Return int64 (b,), documents per bin that the recipe drops."""
        return self.all - self.kept


@dataclass(frozen=True)
class CutEffect:
    """What one rule alone would drop from a part of the documents.

    Attributes:
        documents, tokens, bytes: dropped.
        share: dropped documents / documents of the part, 0 when it is empty.
    """

    documents: int
    tokens: int
    bytes: int
    share: float


@dataclass(frozen=True)
class Sweep:
    """What a threshold would drop, for many thresholds.

    Attributes:
        column: the column.
        side: ``min`` drops what is below the threshold, ``max`` what is above.
        thresholds: float64 (t,), ascending.
        documents, tokens: int64 (t,), dropped at each threshold.
        total_documents, total_tokens: of the part swept.
        scale: whether thresholds are even in the value or in log(1 + value).
    """

    column: str
    side: Literal["min", "max"]
    thresholds: NDArray[np.float64]
    documents: NDArray[np.int64]
    tokens: NDArray[np.int64]
    total_documents: int
    total_tokens: int
    scale: Literal["linear", "log"] = "linear"


def extent(facts: Facts, column: str) -> Extent:
    """Return the extent of the finite values of a numeric column; cached.

    Raises:
        RecipeError: unknown or not numeric.
    """
    _numeric(facts, column)

    def measure() -> Extent:
        values = facts.numbers(column)
        missing = int(np.count_nonzero(np.isnan(values)))
        values = values[np.isfinite(values)]
        if not len(values):
            return Extent(0.0, 0.0, 0.0, 0.0, missing, facts.n - missing)
        last = len(values) - 1
        places = sorted({0, int(0.005 * last), last // 2, int(np.ceil(0.995 * last)), last})
        ranked = np.partition(values, places)
        return Extent(
            low=float(ranked[0]),
            high=float(ranked[last]),
            robust_low=float(ranked[int(0.005 * last)]),
            robust_high=float(ranked[int(np.ceil(0.995 * last))]),
            missing=missing,
            documents=facts.n - missing,
            median=float(ranked[last // 2]),
        )

    return facts.memo.through(("extent", facts.digest, column), measure, size=lambda _: 128)


def _numeric(facts: Facts, column: str) -> None:
    if not facts.info(column).numeric:
        raise RecipeError(
            "Column is not numeric", value=column, allowed=(info.name for info in facts.named(numeric=True))
        )


def histogram(
    scene: Scene,
    column: str,
    *,
    bins: int = 60,
    low: float | None = None,
    high: float | None = None,
    scale: Scale = "linear",
) -> Histogram:
    """Return the histogram of a numeric column, split into kept and selected documents.

    Args:
        scene: the documents.
        column: a numeric facts column.
        bins: at most this many; whole numbers get bins of whole width.
        low, high: range shown; the robust extent by default.
        scale: whether bins are even in the value or in log(1 + value); ``auto`` takes the latter for long tails.

    Raises:
        RecipeError: unknown or not numeric column, an impossible range, or negative values on a logarithmic scale.
    """
    reach = extent(scene.facts, column)
    even = _even(scale, reach)
    edges = bin_edges(scene.facts, column, bins=bins, low=low, high=high, scale=even)
    count = len(edges) - 1
    codes = _bin_codes(scene.facts, column, edges).astype(np.intp)
    tally = np.bincount(codes * 4 + scene.flags, minlength=4 * (count + 3)).reshape(-1, 4).astype(np.int64)
    inside = tally[:count]
    return Histogram(
        column=column,
        edges=edges,
        all=inside.sum(axis=1),
        kept=inside[:, KEPT] + inside[:, KEPT | SELECTED],
        selected=inside[:, SELECTED] + inside[:, KEPT | SELECTED],
        below=int(tally[count].sum()),
        above=int(tally[count + 1].sum()),
        missing=int(tally[count + 2].sum()),
        scale=even,
    )


def _even(scale: Scale, reach: Extent) -> Literal["linear", "log"]:
    return "log" if scale == "log" or (scale == "auto" and reach.long_tailed) else "linear"


def _bin_codes(facts: Facts, column: str, edges: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return the bin of each document, uint16 (n,), cached: 0..b-1, then below, above, without a value."""
    count = len(edges) - 1

    def place() -> NDArray[np.uint16]:
        values = facts.numbers(column)
        absent = np.isnan(values)
        known = np.where(absent, edges[0], values)
        widths = np.diff(edges)
        if np.allclose(widths, widths[0], rtol=1e-9):
            scaled = np.floor((known - edges[0]) / widths[0])
        else:
            scaled = np.searchsorted(edges, known, side="right") - 1
        codes = np.clip(scaled, 0, count - 1).astype(np.uint16)
        codes[values < edges[0]] = count
        codes[values > edges[-1]] = count + 1
        codes[absent] = count + 2
        return codes

    key = ("bins", facts.digest, column, edges.tobytes())
    return facts.memo.through(key, place, size=lambda codes: int(codes.nbytes))


def bin_edges(
    facts: Facts,
    column: str,
    *,
    bins: int = 60,
    low: float | None = None,
    high: float | None = None,
    scale: Literal["linear", "log"] = "linear",
) -> NDArray[np.float64]:
    """Return bin edges, float64 (b + 1,): even in the value or in log(1 + value), whole for whole numbers."""
    if not 1 <= bins <= MAX_BINS:
        raise RecipeError("Number of bins", value=bins, allowed=f"1 to {MAX_BINS}")
    reach = extent(facts, column)
    first = reach.robust_low if low is None else low
    last = reach.robust_high if high is None else high
    if not np.isfinite([first, last]).all() or first > last:
        raise RecipeError("Histogram range is empty", value=(first, last), allowed="low below high")
    whole = facts.info(column).type == "integer"
    if scale == "log":
        return _log_edges(first, last, bins, whole=whole)
    if whole:
        first, last = np.floor(first), np.floor(last) + 1
        width = max(1.0, np.ceil((last - first) / bins))
        return np.asarray(first + width * np.arange(int(np.ceil((last - first) / width)) + 1), dtype=np.float64)
    if first == last:
        first, last = first - 0.5, last + 0.5
    return np.asarray(first + (last - first) / bins * np.arange(bins + 1), dtype=np.float64)


def _log_edges(first: float, last: float, bins: int, *, whole: bool) -> NDArray[np.float64]:
    """Return edges even in log(1 + value); bins of whole numbers hold at least one of them."""
    if first < 0:
        raise RecipeError("A logarithmic scale cannot show negative values", value=first, allowed="0 or more")
    if whole:
        first, last = np.floor(first), np.floor(last) + 1
    elif first == last:
        last = first + 1.0
    even = np.expm1(np.linspace(np.log1p(first), np.log1p(last), bins + 1))
    even[0], even[-1] = first, last
    return np.unique(np.round(even)) if whole else np.asarray(even, dtype=np.float64)


def cut(scene: Scene, operator: RowOperator, *, which: Which = "all") -> CutEffect:
    """Return what one rule alone would drop from a part of the documents."""
    return cuts(scene, [operator], which=which)[0]


def cuts(scene: Scene, operators: Sequence[RowOperator], *, which: Which = "all") -> tuple[CutEffect, ...]:
    """Return what each rule alone would drop, all from one scan."""
    facts, part = scene.facts, scene.mask(which)
    total = int(np.count_nonzero(part))
    tokens, size = facts.whole("n_tokens"), facts.whole("bytes")
    found = []
    for mask in row_masks(facts, operators):
        gone = part & ~mask
        documents = int(np.count_nonzero(gone))
        found.append(
            CutEffect(
                documents=documents,
                tokens=int(tokens[gone].sum()),
                bytes=int(size[gone].sum()),
                share=documents / total if total else 0.0,
            )
        )
    return tuple(found)


def sweep(
    scene: Scene,
    column: str,
    *,
    side: Literal["min", "max"],
    points: int = 100,
    which: Which = "all",
    scale: Scale = "linear",
) -> Sweep:
    """Return what each of many thresholds on a column would drop, from one scan; ``scale`` as for ``histogram``.

    Documents without a value are never dropped by a threshold. Counts are exact for the thresholds listed.
    """
    facts = scene.facts
    even = _even(scale, extent(facts, column))
    edges = bin_edges(facts, column, bins=points, scale=even)
    values, part = facts.numbers(column), scene.mask(which)
    chosen = part & ~np.isnan(values)
    tokens = facts.whole("n_tokens")[chosen]
    # Dropped below an edge: v < edge. Dropped above an edge: v > edge.
    place = np.searchsorted(edges, values[chosen], side="right" if side == "min" else "left")
    documents = np.bincount(place, minlength=len(edges) + 1)
    weights = np.bincount(place, weights=tokens, minlength=len(edges) + 1).astype(np.int64)
    if side == "min":
        dropped, dropped_tokens = np.cumsum(documents)[:-1], np.cumsum(weights)[:-1]
    else:
        dropped, dropped_tokens = np.cumsum(documents[::-1])[::-1][1:], np.cumsum(weights[::-1])[::-1][1:]
    return Sweep(
        column=column,
        side=side,
        thresholds=edges,
        documents=dropped.astype(np.int64),
        tokens=dropped_tokens.astype(np.int64),
        total_documents=int(np.count_nonzero(part)),
        total_tokens=int(facts.whole("n_tokens")[part].sum()),
        scale=even,
    )


SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_GROUPS = 500


@dataclass(frozen=True)
class Spread:
    """The spread of a column in each group of a category. Exact.

    Attributes:
        column, by: the numeric column and the category.
        table: one row per group, most documents first: ``value`` (string, empty for documents without one),
            ``documents``, ``known`` (documents with a number), ``p5``, ``p25``, ``p50``, ``p75``, ``p95`` (float64,
            NULL without numbers), ``dropped`` and ``tried`` (documents the live recipe and the tried rule drop).
        groups: groups in all; the table may hold fewer.
    """

    column: str
    by: str
    table: pa.Table
    groups: int


def spread(scene: Scene, column: str, by: str, *, rule: RowOperator | None = None, limit: int = 40) -> Spread:
    """Return percentiles and dropped documents of each group.

    Args:
        scene: the documents.
        column: a numeric facts column.
        by: a category.
        rule: a rule that is tried; without one ``tried`` is 0.
        limit: groups at most, those with most documents.

    Raises:
        RecipeError: a column is unknown or of the wrong kind.
    """
    facts = scene.facts
    if not facts.info(column).numeric or facts.info(by).type != "category":
        raise RecipeError("A spread needs a number and a category", value=(column, by))
    if not 1 <= limit <= MOST_GROUPS:
        raise RecipeError("Number of groups", value=limit, allowed=f"1 to {MOST_GROUPS}")
    tried = np.zeros(facts.n, dtype=np.uint8) if rule is None else (~row_masks(facts, [rule])[0]).astype(np.uint8)
    source = facts.source({column, by}, also={"flag": scene.flags, "tried": tried})
    names = [f"p{round(100 * share)}" for share in SHARES]
    picks = ", ".join(f"q[{place}] AS {name}" for place, name in enumerate(names, start=1))
    found = facts.query(
        f"SELECT value, documents, known, {picks}, dropped, tried, count(*) OVER () AS groups FROM ("
        f" SELECT coalesce(CAST({ident(by)} AS VARCHAR), '') AS value, count(*) AS documents,"
        f" count({ident(column)}) AS known, quantile_disc({ident(column)}, {list(SHARES)})::DOUBLE[] AS q,"
        f" count(*) FILTER (flag & {KEPT} = 0) AS dropped, count(*) FILTER (tried = 1) AS tried"
        f" FROM {source} GROUP BY 1) ORDER BY documents DESC, value LIMIT {limit}",
        source,
    )
    groups = found.column("groups")[0].as_py() if found.num_rows else 0
    return Spread(column, by, found.drop_columns(["groups"]), int(groups))
