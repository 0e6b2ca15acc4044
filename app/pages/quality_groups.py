"""Quality by group: one number within each language, source or label, and cuts that differ by group."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tamis.analytics.facts.column_info import ColumnInfo, distinct_titles
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.study.queries import SHARES, Spread, extent, percentile_bounds, spread
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.figures.figures import CutLine
from tamis.app.figures.spread import MOST, spread_figure
from tamis.data.errors import TamisError

_FIRST = ("lang", "source", "language", "label")
_SIDES = {
    0.05: "5th percentile",
    0.25: "lower quartile",
    0.5: "median",
    0.75: "upper quartile",
    0.95: "95th percentile",
}


def show(here: Stage, info: ColumnInfo, rule: SignalRange | None) -> None:
    """Lay out the groups: their spread on the left, cuts per group on the right."""
    by = _category(here)
    if by is None:
        st.caption("This corpus has no category to group by: no language, source, label or short text column.")
        return
    found: Spread = here.ask(spread, column=info.name, by=by, rule=rule)
    scale = "log" if extent(here.facts, info.name).long_tailed else "linear"
    lines = []
    if rule is not None:
        ends = ((rule.min, "min"), (rule.max, "max"))
        lines = [CutLine(float(value), side, "") for value, side in ends if value is not None]
    left, right = st.columns([5, 6], gap="medium")
    with left:
        st.plotly_chart(
            spread_figure(found, title=info.title, unit=info.unit, scale=scale, cuts=lines),
            key=session.widget("quality", "spread", info.name, by), config={"displayModeBar": False},
            alt=f"{info.title} by {by}",
        )  # fmt: skip
        shown = min(MOST, found.table.num_rows)
        st.caption(f"The {count(shown)} largest of {count(found.groups)} groups, exact, all documents.")
    with right:
        _cuts(here, info, found, by)


def _category(here: Stage) -> str | None:
    """Let people choose the category."""
    names = [name for name, column in here.facts.columns.items() if column.type == "category" and name != "id"]
    names.sort(key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    if not names:
        return None
    titles = distinct_titles(here.facts.columns.values())
    now = session.current().setting("quality_by", names[0])
    chosen = st.segmented_control(
        "Group by", names[:6], default=now if now in names[:6] else names[0], required=True, key="quality/by",
        format_func=titles.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    session.choose(quality_by=chosen)
    return str(chosen)


def _cuts(here: Stage, info: ColumnInfo, found: Spread, by: str) -> None:
    """Show a table of cuts, one row per group, filled from percentiles, and offer it as a rule."""
    cells = st.columns([2, 2, 3], vertical_alignment="bottom")
    options = [None, *SHARES]
    low = cells[0].selectbox("Drop below its", options, format_func=_side, key="quality/by/low")
    high = cells[1].selectbox("Drop above its", options, format_func=_side, key="quality/by/high")
    filled = {row["value"]: row for row in percentile_bounds(found, low=low, high=high)}
    rows = [
        {
            "group": row["value"] or "(none)",
            "documents": row["documents"],
            "median": row["p50"],
            "min": filled.get(row["value"], {}).get("min"),
            "max": filled.get(row["value"], {}).get("max"),
            "dropped": row["dropped"] / row["documents"],
            "this cut": row["tried"] / row["documents"],
        }
        for row in found.table.to_pylist()
    ]
    numbers = st.column_config.NumberColumn
    edited = st.data_editor(
        rows, hide_index=True, row_height=28, height=330, num_rows="fixed",
        key=session.widget("quality", "bounds", info.name, by, str(low), str(high)),
        disabled=["group", "documents", "median", "dropped", "this cut"],
        column_config={
            "median": numbers(format="%.4g"),
            "min": numbers("drop below", format="%.4g", help="Type a threshold for this group."),
            "max": numbers("drop above", format="%.4g", help="Type a threshold for this group."),
            "dropped": numbers("recipe drops", format="percent", help="Share the live recipe drops."),
            "this cut": numbers(format="percent", help="Share the cut above would drop on its own."),
        },
    )  # fmt: skip
    keys = [row["value"] for row in found.table.to_pylist()]
    bounds = [
        {"value": key, **{side: row[side] for side in ("min", "max") if row[side] is not None}}
        for key, row in zip(keys, edited, strict=True) if row["min"] is not None or row["max"] is not None
    ]  # fmt: skip
    if not bounds:
        st.caption("Type thresholds for some groups, or fill them from percentiles, then save them as one rule.")
        return
    _offer(here, info, by, bounds)


def _side(share: float | None) -> str:
    return "no cut" if share is None else _SIDES[share]


def _offer(here: Stage, info: ColumnInfo, by: str, bounds: list[dict[str, Any]]) -> None:
    """Show what the cuts of all groups would drop together, and save them as a rule."""
    try:
        rule: Operator = OPERATORS.build("grouped_range", {"signal": info.name, "by": by, "bounds": bounds})
        found: Spread = here.ask(spread, column=info.name, by=by, rule=rule)
    except TamisError as error:
        st.text(str(error))
        return
    gone, total = sum(found.table.column("tried").to_pylist()), here.facts.n
    cells = st.columns([4, 2], vertical_alignment="center")
    cells[0].markdown(plain(f"drops {gone:,} of {total:,} documents in {len(bounds)} groups"))
    if cells[1].button("Save as rule", key="quality/by/save", type="primary"):
        adopt(recipe=session.current().recipe.with_operator(rule))
        st.rerun()
