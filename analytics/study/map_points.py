"""Questions about the map: its points as bytes, density, the documents inside a lasso."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.map.polygon import Vertices, points_in_polygon
from tamis.analytics.operators.selection import MapPolygon
from tamis.analytics.steps.measures import measured_key
from tamis.analytics.study.groups import column_values
from tamis.analytics.study.numbers import extent
from tamis.analytics.study.scene import Scene, Which
from tamis.data.errors import RecipeError
from tamis.data.sql import ident, literal

GRID = 65_535
OTHER = 254
NO_GROUP = 255


@dataclass(frozen=True)
class Bounds:
    """The frame of a map: coordinates = low + quantised / 65535 * (high - low), per axis."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float


@dataclass(frozen=True)
class MapPoints:
    """All points of a map, ready to send.

    Attributes:
        data: little-endian uint16 pairs x, y in facts order, 4 n bytes; 0, 0 only for a document without a place.
        placed: packed bits (n,), most significant first: which documents have a place.
        bounds: how to turn the numbers into map coordinates.
        n: number of points.
        digest: digest of the map, for a lasso drawn on it.
    """

    data: bytes
    placed: bytes
    bounds: Bounds
    n: int
    digest: str


@dataclass(frozen=True)
class LegendItem:
    """One entry of a legend.

    Attributes:
        code: the byte in the groups.
        label: the value, or the range of values.
        documents: how many points have it.
        low, high: the range for numeric columns.
    """

    code: int
    label: str
    documents: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class MapGroups:
    """One byte per point to colour by; 254 = other values, 255 = no value.

    Attributes:
        data: n bytes in facts order.
        legend: what the bytes mean, in order of code.
        column: the column coloured by.
    """

    data: bytes
    legend: tuple[LegendItem, ...]
    column: str


@dataclass(frozen=True)
class Density:
    """Documents per cell of a grid over the map.

    Attributes:
        counts: int64 (height, width), row 0 at the bottom.
        bounds: the frame of the grid.
        outside: documents with a place outside the frame.
    """

    counts: NDArray[np.int64]
    bounds: Bounds
    outside: int


def has_map(facts: Facts) -> bool:
    """Say whether the documents have places on a map."""
    return "x" in facts.columns and "y" in facts.columns


def map_bounds(facts: Facts) -> Bounds:
    """Return the frame of the map.

    Raises:
        RecipeError: there is no map yet.
    """
    if not has_map(facts):
        raise RecipeError("This corpus has no map yet", fix="run the map step of the analysis")
    x, y = extent(facts, "x"), extent(facts, "y")
    return Bounds(x.low, max(x.high, x.low + 1e-6), y.low, max(y.high, y.low + 1e-6))


def map_points(facts: Facts) -> MapPoints:
    """Return all points of the map, quantised to a grid of 65,536 x 65,536."""
    bounds = map_bounds(facts)

    def make() -> MapPoints:
        x, y = facts.numbers("x"), facts.numbers("y")
        placed = ~(np.isnan(x) | np.isnan(y))
        pairs = np.zeros((facts.n, 2), dtype="<u2")
        pairs[:, 0] = _quantise(x, bounds.low_x, bounds.high_x)
        pairs[:, 1] = _quantise(y, bounds.low_y, bounds.high_y)
        pairs[placed & (pairs == 0).all(axis=1)] = (1, 0)
        pairs[~placed] = 0
        return MapPoints(pairs.tobytes(), np.packbits(placed).tobytes(), bounds, facts.n, map_digest(facts))

    return facts.memo.through(("map points", facts.digest), make, size=lambda points: len(points.data))


def map_digest(facts: Facts) -> str:
    """Return the digest of the map that the coordinates came from."""
    return facts.info("x").origin or facts.digest


def _quantise(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint16]:
    scaled = (np.nan_to_num(values, nan=low) - low) * (GRID / (high - low))
    return np.clip(np.rint(scaled), 0, GRID).astype("<u2")


def map_groups(scene: Scene, column: str) -> MapGroups:
    """Return one byte per point to colour the map by: a category's largest values, or bands of a number.

    ``kept`` and ``selected`` are columns of the scene: 1 = yes, 0 = no.

    Raises:
        RecipeError: there is no such column.
    """
    if column in ("kept", "selected"):
        mask = scene.kept if column == "kept" else scene.selected
        yes = int(np.count_nonzero(mask))
        words = ("dropped", "kept") if column == "kept" else ("not selected", "selected")
        legend = (LegendItem(0, words[0], len(mask) - yes), LegendItem(1, words[1], yes))
        return MapGroups(mask.astype(np.uint8).tobytes(), legend, column)
    facts = scene.facts
    info = facts.info(column)
    make = _band_groups if info.numeric and info.role not in ("cluster", "duplicate") else _value_groups
    return facts.memo.through(
        ("map groups", facts.digest, column), lambda: make(facts, column), size=lambda groups: len(groups.data)
    )


def _value_groups(facts: Facts, column: str) -> MapGroups:
    """Return the largest values as codes 0, 1, ... and everything else as 254."""
    texts, indices = column_values(facts, column)
    values = texts.to_pylist()
    sizes = np.bincount(indices, minlength=len(values) + 1)[:-1]
    unnamed = {"-1"} if facts.info(column).role == "cluster" else set()
    top = [place for place in np.argsort(-sizes, kind="stable").tolist() if values[place] not in unnamed][:OTHER]
    lookup = np.full(len(values) + 1, OTHER, dtype=np.uint8)
    lookup[-1] = NO_GROUP
    lookup[[place for place, value in enumerate(values) if value in unnamed]] = NO_GROUP
    lookup[top] = np.arange(len(top), dtype=np.uint8)
    codes = lookup[indices]
    tally = np.bincount(codes, minlength=256)
    legend = [LegendItem(code, str(values[place]), int(sizes[place])) for code, place in enumerate(top)]
    return MapGroups(codes.tobytes(), (*legend, *_rest(tally)), column)


def cluster_reach(facts: Facts, column: str = "cluster") -> dict[int, tuple[float, float]]:
    """Return how far each cluster spreads on the map: the standard deviation of x and of y by its number."""

    def measure() -> dict[int, tuple[float, float]]:
        source = facts.source([column, "x", "y"])
        table = facts.query(
            f"SELECT CAST({ident(column)} AS INTEGER) AS cluster, round(stddev_pop(x), 6) AS x,"
            f" round(stddev_pop(y), 6) AS y FROM {source} WHERE {ident(column)} IS NOT NULL AND x IS NOT NULL"
            " GROUP BY 1 ORDER BY 1",
            source,
        )
        return {row["cluster"]: (row["x"] or 0.0, row["y"] or 0.0) for row in table.to_pylist()}

    return facts.memo.through(("cluster reach", facts.digest, column), measure, size=lambda found: 100 * len(found))


def _rest(tally: NDArray[np.int64]) -> list[LegendItem]:
    """Return the legend entries of other values and of no value, as far as they occur."""
    names = ((OTHER, "other"), (NO_GROUP, "none"))
    return [LegendItem(code, label, int(tally[code])) for code, label in names if tally[code]]


def _band_groups(facts: Facts, column: str, *, bands: int = 16) -> MapGroups:
    """Return equal-width bands of the robust range as codes 0..15; values outside join the end bands."""
    reach = extent(facts, column)
    return bands_of(facts.numbers(column), reach.robust_low, reach.robust_high, column, bands=bands)


def bands_of(values: NDArray[np.float64], low: float, high: float, column: str, *, bands: int = 16) -> MapGroups:
    """Return equal-width bands between two values as codes 0, 1, ...; values outside join the end bands.

    Args:
        values: float64 (n,), NaN where there is none.
        low, high: ends of the bands.
        column: name of what is shown.
        bands: how many.
    """
    high = max(high, low + 1e-9)
    absent = np.isnan(values)
    scaled = np.floor((np.where(absent, low, values) - low) * (bands / (high - low)))
    codes = np.clip(scaled, 0, bands - 1).astype(np.uint8)
    codes[absent] = NO_GROUP
    tally = np.bincount(codes, minlength=256)
    edges = low + (high - low) / bands * np.arange(bands + 1)
    legend = [
        LegendItem(k, f"{edges[k]:.3g} to {edges[k + 1]:.3g}", int(tally[k]), float(edges[k]), float(edges[k + 1]))
        for k in range(bands)
    ]
    return MapGroups(codes.tobytes(), (*legend, *_rest(tally)), column)


def density(
    scene: Scene, *, width: int = 256, height: int = 256, bounds: Bounds | None = None, which: Which = "all"
) -> Density:
    """Return how many documents lie in each cell of a grid over the map, exact."""
    if not (1 <= width <= 4096 and 1 <= height <= 4096):
        raise RecipeError("Grid is too large", value=(width, height), allowed="1 to 4096 cells a side")
    frame = bounds or map_bounds(scene.facts)
    source = scene.source(["x", "y"])
    x, y = (_cell("x", frame.low_x, frame.high_x, width), _cell("y", frame.low_y, frame.high_y, height))
    table = scene.facts.query(
        f"SELECT {x} AS i, {y} AS j, count(*) AS documents FROM {source} WHERE {scene.where(which)}"
        f" AND x BETWEEN {literal(frame.low_x)} AND {literal(frame.high_x)}"
        f" AND y BETWEEN {literal(frame.low_y)} AND {literal(frame.high_y)} GROUP BY ALL",
        source,
    )
    counts = np.zeros((height, width), dtype=np.int64)
    i, j, documents = (table.column(k).to_numpy() for k in range(3))
    counts[j, i] = documents
    placed = scene.mask(which) & ~np.isnan(scene.facts.numbers("x"))
    return Density(counts, frame, int(np.count_nonzero(placed)) - int(counts.sum()))


def _cell(name: str, low: float, high: float, cells: int) -> str:
    """Return the SQL of the cell a coordinate falls in; the upper edge belongs to the last cell."""
    return f"CAST(least(floor(({name} - {literal(low)}) / {literal((high - low) / cells)}), {cells - 1}) AS INTEGER)"


def polygon_rows(facts: Facts, vertices: Vertices) -> NDArray[np.int64]:
    """Return the facts rows inside a lasso, ascending int64 (m,)."""
    map_bounds(facts)
    return np.flatnonzero(points_in_polygon(facts.numbers("x"), facts.numbers("y"), vertices))


def prepare_polygons(facts: Facts) -> None:
    """Load what the first lasso needs, so that it is as quick as the next one."""
    x, y = extent(facts, "x"), extent(facts, "y")
    polygon_rows(facts, [(x.low, y.low), (x.high, y.low), (x.high, y.high)])
    facts.array("id")
    for name in ("n_tokens", "bytes"):
        facts.whole(name)


def shown_rows(groups: MapGroups, hidden: Collection[int]) -> NDArray[np.bool_]:
    """Return which documents a map shows while some groups, by their codes, are hidden: bool (n,)."""
    return ~np.isin(np.frombuffer(groups.data, dtype=np.uint8), np.asarray(sorted(hidden), dtype=np.int64))


MOST_WORDS = 300
"""Characters of a list of hidden groups in a rule."""


def hidden_words(legend: Sequence[LegendItem], hidden: Collection[int], title: str) -> str:
    """Return in words which groups of a legend are hidden, or which few are not; empty when none is.

    Args:
        legend: the groups, with the names that people see.
        hidden: their hidden codes.
        title: of the column.
    """
    gone = [item.label[:80] for item in legend if item.code in hidden]
    left = [item.label[:80] for item in legend if item.code not in hidden]
    if not gone:
        return ""
    start, names = ("only", left) if 0 < len(left) < len(gone) else ("without", gone)
    words = ""
    for place, name in enumerate(names):
        more = f"{words}, {name}" if place else f"{start} {title} {name}"
        if len(more) > MOST_WORDS - 20:
            return f"{words[: MOST_WORDS - 20]} and {len(names) - place} more"
        words = more
    return words


def polygon_rule(
    facts: Facts,
    vertices: Vertices,
    put_ids: Callable[[pa.Array], str],
    *,
    shown: NDArray[np.bool_] | None = None,
    left_out: str = "",
) -> MapPolygon:
    """Return the rule of a lasso.

    Args:
        facts: the documents.
        vertices: corners of the area.
        put_ids: stores the ids inside and returns their digest.
        shown: which documents the map shows, bool (n,); hidden ones are left out. None for all.
        left_out: the hidden groups in words, for the rule's sentence.

    Raises:
        RecipeError: no shown document lies inside, or the polygon is not valid.
    """
    rows = polygon_rows(facts, vertices)
    rows = rows if shown is None else rows[shown[rows]]
    if not len(rows):
        raise RecipeError("No document that is shown lies inside the area", fix="draw around some points")
    stored = put_ids(facts.ids.take(pa.array(rows)))
    corners = tuple((float(x), float(y)) for x, y in vertices)
    rule = MapPolygon.model_validate(
        {"vertices": corners, "map": map_digest(facts), "ids": stored, "documents": len(rows),
         "left_out": left_out or None}
    )  # fmt: skip
    inside = np.zeros(facts.n, dtype=bool)
    inside[rows] = True
    for measure in rule.measures():
        # The mask of the ids just stored is known: cache it instead of reading them back.
        facts.memo.put(measured_key(facts, measure, str(measure.column)), inside, size=inside.nbytes)
    return rule
