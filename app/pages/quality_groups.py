"""Quality by group: one number within each source, language or label, and cuts that differ by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from tamis.analytics.facts.column_info import ColumnInfo, distinct_titles
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.cuts import find_cut, with_cut
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import (
    MOST_GROUPS,
    SHARES,
    Spread,
    StepPreview,
    dropped_in_groups,
    extent,
    group_bounds,
    spread,
)
from tamis.app.dashboard import cache, rule_preview, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.figures import CutLine
from tamis.app.figures.spread import MOST, spread_figure
from tamis.data.errors import TamisError

_FIRST = ("source", "lang", "language", "label")
_LOW, _HIGH = SHARES[:3], SHARES[2:]


@dataclass(frozen=True)
class GroupCuts:
    """Cuts that differ by group, as a person has typed them.

    Attributes:
        low, high: percentiles below and above which every group is cut, as shares; None for no such cut.
        typed: what was typed for single groups: ``min`` and ``max`` by value of the category.
        others: what happens to groups without a cut, when no percentile gives them one.
    """

    low: float | None
    high: float | None
    typed: Mapping[str, Mapping[str, float]]
    others: str

    def rule(self, signal: str, by: str) -> Operator | None:
        """Return the rule: percentiles stay percentiles; None where nothing is cut.

        Raises:
            RecipeError: the ends of a group cross.
        """
        bounds = [{"value": value, **ends} for value, ends in self.typed.items()]
        if self.low is None and self.high is None:
            params = {"signal": signal, "by": by, "bounds": bounds, "others": self.others}
            return OPERATORS.build("grouped_range", params) if bounds else None
        ends = {"low": self.low, "high": self.high}
        band = {end: round(100 * share, 6) for end, share in ends.items() if share is not None}
        hand = {"bounds": bounds} if bounds else {}
        return OPERATORS.build("percentile_band", {"signal": signal, "within": by, **band, **hand})


def show(here: Stage, info: ColumnInfo, rule: SignalRange | None) -> None:
    """Lay out the groups: their spread on the left, cuts per group on the right."""
    by = _category(here)
    if by is None:
        st.caption("This corpus has no category to group by: no language, source, label or short text column.")
        return
    found: Spread = here.ask(spread, column=info.name, by=by, limit=MOST_GROUPS)
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
        tried = _cuts(here, info, found, by)
    if tried is not None:
        rule_preview.show_examples(here, *tried)


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


def _cuts(here: Stage, info: ColumnInfo, found: Spread, by: str) -> tuple[Recipe, StepPreview] | None:
    """Let people choose percentiles or type numbers; return the recipe under trial and what its cut does."""
    cells = st.columns(2)
    low = _percentile(cells[0], "Drop below its percentile", _LOW, "quality/by/low")
    high = _percentile(cells[1], "Drop above its percentile", _HIGH, "quality/by/high")
    key = session.widget("quality", "bounds", info.name, by, str(low), str(high))
    values = [str(row["value"]) for row in found.table.to_pylist()]
    cuts = GroupCuts(low, high, _typed(key, values), str(session.current().setting("quality_others", "keep")))
    tried: tuple[Recipe, StepPreview] | None = None
    try:
        rule = cuts.rule(info.name, by)
        if rule is not None:
            tried = _try(here, rule)
    except TamisError as error:
        show_fault(error)
        rule = None
    ends = _table(here, found, cuts, tried, key=key)
    if rule is None:
        st.caption("Choose a percentile, or type thresholds for some groups; every change says what it drops.")
    else:
        _said(here, found, cuts, ends)
        _offer(here, rule, tried)
    return tried


def _percentile(cell: Any, title: str, shares: tuple[float, ...], key: str) -> float | None:
    chosen = cell.segmented_control(
        title, [0.0, *shares], default=0.0, required=True, key=key,
        format_func=lambda share: f"{100 * share:g}%" if share else "no cut",
    )  # fmt: skip
    return float(chosen) or None


def _typed(key: str, values: list[str]) -> dict[str, dict[str, float]]:
    """Return what was typed into the table; a cell that was emptied counts as untouched."""
    edits = (session.widget_value(key) or {}).get("edited_rows", {})
    found = {}
    for place, cells in sorted(edits.items()):
        ends = {name: float(cells[name]) for name in ("min", "max") if cells.get(name) is not None}
        if ends and int(place) < len(values):
            found[values[int(place)]] = ends
    return found


def _try(here: Stage, rule: Operator) -> tuple[Recipe, StepPreview] | None:
    recipe, step = with_cut(session.current().recipe, rule)
    found = rule_preview.preview(here, recipe, step)
    return None if found is None else (recipe, found)


def _table(
    here: Stage, found: Spread, cuts: GroupCuts, tried: tuple[Recipe, StepPreview] | None, *, key: str
) -> Mapping[str, Mapping[str, float]]:
    """Show one row per group with its cut, and what the cut drops of it in the recipe; return the cuts by group."""
    ends: Mapping[str, Mapping[str, float]] = cuts.typed
    gone: Mapping[str, int] = {}
    if tried is not None:
        trial = cache.SceneKey(here.key.corpus, (), tried[0])
        gone = cache.ask(trial, dropped_in_groups, step=tried[1].step, by=found.by)
        ends = cache.ask(trial, group_bounds, step=tried[1].step)
    rows = [
        {
            "group": row["value"] or "(none)",
            "documents": row["documents"],
            "median": row["p50"],
            "min": ends.get(row["value"], {}).get("min"),
            "max": ends.get(row["value"], {}).get("max"),
            "dropped": row["dropped"] / row["documents"],
            "this cut": gone.get(row["value"], 0) / row["documents"],
        }
        for row in found.table.to_pylist()
    ]
    numbers = st.column_config.NumberColumn
    st.data_editor(
        rows, hide_index=True, row_height=28, height=330, num_rows="fixed", key=key,
        disabled=["group", "documents", "median", "dropped", "this cut"],
        column_config={
            "median": numbers(format="%.4g"),
            "min": numbers("drop below", format="%.4g", help="Type a threshold for this group."),
            "max": numbers("drop above", format="%.4g", help="Type a threshold for this group."),
            "dropped": numbers("recipe drops", format="percent", help="Share the live recipe drops."),
            "this cut": numbers(format="percent", help="Share this cut drops as a step of the recipe."),
        },
    )  # fmt: skip
    return ends


def _said(here: Stage, found: Spread, cuts: GroupCuts, ends: Mapping[str, Mapping[str, float]]) -> None:
    """Say how many groups have a cut and how many documents are in the others."""
    if cuts.low is not None or cuts.high is not None:
        hand = f", {count(len(cuts.typed))} by numbers of their own" if cuts.typed else ""
        none = found.groups - len(ends)
        rest = f" {count(none)} have none: no document with a number reaches the step." if none else ""
        st.caption(
            f"{count(len(ends))} of {count(found.groups)} groups have a cut{hand}.{rest} The rule keeps the "
            "percentiles, so another corpus gets its own numbers. On the page Recipe, Fix the numbers keeps these."
        )
        return
    held = sum(row["documents"] for row in found.table.to_pylist() if row["value"] in cuts.typed)
    left, documents = found.groups - len(cuts.typed), here.facts.n - held
    cells = st.columns([5, 3], vertical_alignment="center")
    cells[0].caption(
        f"{count(len(cuts.typed))} of {count(found.groups)} groups have a cut. The other {count(left)} with "
        f"{count(documents)} documents have none:"
    )
    others = cells[1].segmented_control(
        "Groups without a cut", ["keep", "drop"], default=cuts.others, required=True, key="quality/by/others",
        format_func=lambda name: f"{name} them", label_visibility="collapsed",
    )  # fmt: skip
    if others != cuts.others:
        session.choose(quality_others=others)
        st.rerun()


def _offer(here: Stage, rule: Operator, tried: tuple[Recipe, StepPreview] | None) -> None:
    """Say what the cuts drop together, and save them as a rule."""
    recipe = session.current().recipe
    first = find_cut(recipe, rule)
    changed, step = with_cut(recipe, rule)
    rule_preview.show_price(here, changed, None if tried is None else tried[1], name="quality/by")
    title = "Save as rule" if first is None else f"Change step {plain(step)}"
    if st.button(title, key="quality/by/save", type="primary", disabled=first is not None and first.operator == rule):
        adopt(recipe=changed)
        st.rerun()
