"""Questions about one numeric column within the groups of a category: how it is spread, what a cut drops in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.operator import RowOperator
from tamis.analytics.plan import row_masks
from tamis.analytics.scene import KEPT, Scene
from tamis.data.errors import RecipeError
from tamis.data.sql import ident

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_GROUPS = 500


@dataclass(frozen=True)
class Spread:
    """How a column is spread in each group of a category. Exact.

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


def percentile_bounds(found: Spread, *, low: float | None, high: float | None) -> list[Mapping[str, Any]]:
    """Return the bounds of every group at two of the measured percentiles, ready for ``grouped_range``.

    Args:
        found: the groups.
        low, high: one of ``SHARES`` or None for no bound on that side.
    """
    sides = {"min": low, "max": high}
    bounds: list[Mapping[str, Any]] = []
    for row in found.table.to_pylist():
        ends = {side: row[f"p{round(100 * share)}"] for side, share in sides.items() if share is not None}
        ends = {side: value for side, value in ends.items() if value is not None}
        if ends:
            bounds.append({"value": row["value"], **ends})
    return bounds
