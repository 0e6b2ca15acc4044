"""Every question a page asks, in one place to import from; each answers within the interaction budget at a million.

Questions take a ``Scene`` (facts, selection, live recipe) and return frozen values or Arrow tables.
"""

from __future__ import annotations

from tamis.analytics.study.documents import Page, Verdict, documents_page, rows_of, sample_rows, why
from tamis.analytics.study.groups import (
    Groups,
    SceneTotals,
    Totals,
    attribution,
    cluster_table,
    dropped_by_group,
    group_counts,
    totals,
)
from tamis.analytics.study.map_points import (
    OTHER,
    Bounds,
    Density,
    LegendItem,
    MapGroups,
    MapPoints,
    density,
    has_map,
    map_bounds,
    map_digest,
    map_groups,
    map_points,
    polygon_rows,
    polygon_rule,
    prepare_polygons,
    shown_rows,
)
from tamis.analytics.study.numbers import CutEffect, Extent, Histogram, Sweep, cut, cuts, extent, histogram, sweep
from tamis.analytics.study.scene import Scene, selection_rules

__all__ = [
    "OTHER",
    "Bounds",
    "CutEffect",
    "Density",
    "Extent",
    "Groups",
    "Histogram",
    "LegendItem",
    "MapGroups",
    "MapPoints",
    "Page",
    "Scene",
    "SceneTotals",
    "Sweep",
    "Totals",
    "Verdict",
    "attribution",
    "cluster_table",
    "cut",
    "cuts",
    "density",
    "documents_page",
    "dropped_by_group",
    "extent",
    "group_counts",
    "has_map",
    "histogram",
    "map_bounds",
    "map_digest",
    "map_groups",
    "map_points",
    "polygon_rows",
    "polygon_rule",
    "prepare_polygons",
    "rows_of",
    "sample_rows",
    "selection_rules",
    "shown_rows",
    "sweep",
    "totals",
    "why",
]
