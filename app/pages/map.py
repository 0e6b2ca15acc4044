"""Map: every document as a point, coloured by any column, selected by lasso."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from tamis.analytics.facts.column_info import ColumnInfo, distinct_titles
from tamis.analytics.operators.selection import MapPolygon
from tamis.analytics.study.queries import (
    OTHER,
    Bounds,
    MapGroups,
    cluster_table,
    extent,
    has_map,
    map_digest,
    map_groups,
    map_points,
    polygon_rule,
    sample_rows,
    shown_rows,
    totals,
)
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.look import count, is_dark, short
from tamis.app.dashboard.page_context import Stage, brief, stage
from tamis.app.figures.figures import ScatterGroup, scatter_sample
from tamis.app.figures.palette import palette_of
from tamis.app.pages.document_view import show_document
from tamis.app.point_map.component import Label, drawn_lasso, failure_of, point_map
from tamis.app.server.routes import DESK
from tamis.data.errors import TamisError
from tamis.data.hashing import digest

KEY = "map/component"
HEIGHT = 700
FAILED_HEIGHT = 44
LEGEND_ROWS = 22
FALLBACK_POINTS = 20_000
FALLBACK_HEIGHT = 620
KEPT = ColumnInfo("kept", "boolean", title="Kept / dropped")


def page() -> None:
    """Lay out the page."""
    here = stage()
    if not has_map(here.facts):
        st.info("This corpus has no map yet. The Overview page shows what the analysis still needs.")
        return
    overlay = _controls(here)
    groups: MapGroups = here.ask(map_groups, column=_column(here))
    picked = session.current().setting("document")
    left, right = st.columns([7, 3], gap="small") if picked is not None else (st.container(), None)
    with left:
        _draw(here, groups, overlay=overlay)
    if right is not None:
        with right, st.container(height=HEIGHT, border=True):
            if st.button("Close", key="map/close", icon=":material/close:", type="tertiary"):
                session.choose(document=None)
                st.rerun()
            show_document(here, int(picked))


def _column(here: Stage) -> str:
    column = session.current().setting("colour", "cluster")
    known = {*here.facts.columns, "kept"}
    return (
        str(column)
        if column in known
        else next(name for name in ("cluster", "source", "lang", "kept") if name in known)
    )


def _controls(here: Stage) -> bool:
    """Show the choice of colour; return whether dropped documents fade."""
    columns = [info for info in here.facts.columns.values() if info.role not in ("id", "map")]
    names = ["kept", *(info.name for info in sorted(columns, key=_column_order))]
    titles = distinct_titles([*columns, KEPT])
    left, middle, right = st.columns([2, 2, 5], vertical_alignment="center")
    chosen = left.selectbox(
        "Colour by",
        names,
        index=names.index(_column(here)),
        format_func=titles.__getitem__,
        label_visibility="collapsed",
        key=session.widget("map", "colour", _column(here)),
    )
    if chosen != _column(here):
        session.choose(colour=chosen)
        st.rerun()
    overlay = middle.toggle("Fade dropped", value=bool(session.current().setting("fade", True)), key="map/fade")
    session.choose(fade=overlay)
    right.caption("L lasso · B box · A all in view · Shift adds · Esc clears · wheel or +/− zooms · click reads")
    return overlay


def _column_order(info: ColumnInfo) -> tuple[int, str]:
    roles = ("cluster", "source", "language", "label", "size", "duplicate", "signal")
    return (roles.index(info.role) if info.role in roles else len(roles), info.title)


def _draw(here: Stage, groups: MapGroups, *, overlay: bool) -> None:
    facts, now = here.facts, session.current()
    points = here.facts.memo.through(("points", facts.digest), lambda: map_points(facts), size=lambda p: len(p.data))
    scene = here.scene
    sums = here.ask(totals)
    colours = palette_of(groups, dark=is_dark())
    shapes = [rule.vertices for rule in now.selection if isinstance(rule, MapPolygon)]
    selected = bool(now.selection)
    failed = failure_of(session.widget_value(KEY))
    cannot = point_map(
        points=DESK.publish(now.token, "points", f"points-{points.digest[:24]}-{facts.digest[:24]}", points.data),
        groups=DESK.publish(now.token, "groups", f"groups-{_groups_name(here, groups)}", groups.data),
        flags=DESK.publish(now.token, "flags", f"flags-{scene.digest[:32]}", scene.flags.tobytes()),
        snippets=DESK.publish_snippets(now.token, digest(vars(here.key.corpus))[:24], here.opened.snippet),
        token=now.token,
        bounds=points.bounds,
        home=_home(here),
        digest=points.digest,
        palette=colours,
        legend=_legend(here, groups),
        labels=_labels(here),
        shapes=shapes,
        overlay=overlay and groups.column != "kept",
        selected=selected,
        placed=int(np.unpackbits(np.frombuffer(points.placed, dtype=np.uint8)).sum()),
        status=f"{count(sums.selected.documents)} selected" if selected else "",
        failed=failed,
        height=FAILED_HEIGHT if failed else HEIGHT,
        key=KEY,
        on_lasso=_lasso,
        on_picked=_picked,
        on_cleared=_cleared,
    )  # fmt: skip
    cache.prepare_lasso(here.key.corpus)
    if cannot:
        _fallback(here, colours, groups)


def _picked() -> None:
    session.choose(document=int(session.widget_value(KEY)["picked"]))


def _cleared() -> None:
    session.edit(selection=())


def _home(here: Stage) -> Bounds:
    """Return the bounds of all but the outermost documents."""
    x, y = extent(here.facts, "x"), extent(here.facts, "y")
    return Bounds(x.robust_low, x.robust_high, y.robust_low, y.robust_high)


def _groups_name(here: Stage, groups: MapGroups) -> str:
    """Return the name of the groups' bytes: kept and dropped depend on the recipe, columns do not."""
    depends = here.scene.digest if groups.column == "kept" else groups.column
    return digest([here.facts.digest, depends])[:32]


def _labels(here: Stage) -> list[Label]:
    """Return the names of clusters, the largest first; the largest fifth is shown from afar, all names when near."""
    names = here.opened.cluster_names()
    if not names:
        return []
    rows = [row for row in here.ask(cluster_table).to_pylist() if row["cluster"] >= 0 and row["x"] is not None]
    rows.sort(key=lambda row: (-row["documents"], row["cluster"]))
    far = max(12, len(rows) // 5)
    return [
        Label(row["x"], row["y"], names.get(str(row["cluster"]), f"cluster {row['cluster']}"), level)
        for place, row in enumerate(rows)
        for level in ((0, 1) if place < far else (1,))
    ]


def _legend(here: Stage, groups: MapGroups) -> dict[str, Any]:
    """Return the legend's rows; its last line counts the codes that are not shown."""
    info = here.facts.columns.get(groups.column)
    names = here.opened.cluster_names() if info is not None and info.role == "cluster" else {}
    items = [
        {"label": names.get(item.label, item.label), "codes": [item.code], "n": short(item.documents)}
        for item in groups.legend
    ]
    shown, rest = items[:LEGEND_ROWS], items[LEGEND_ROWS:]
    title = "Kept / dropped" if info is None else info.title + (f" ({info.unit})" if info.unit else "")
    return {"column": groups.column, "title": title, "items": shown, "more": f"and {len(rest)} more" if rest else ""}


def _lasso() -> None:
    """Select the drawn area, or add it to the selected area."""
    try:
        here, now, drawn = stage(), session.current(), drawn_lasso(session.widget_value(KEY))
        if drawn.map != map_digest(here.facts):
            session.say("The map has changed since the area was drawn. Draw it again.")
            return
        corners = [(round(x, 4), round(y, 4)) for x, y in drawn.vertices]
        shown = shown_rows(here.ask(map_groups, column=drawn.column), drawn.hidden) if drawn.hidden else None
        rule = polygon_rule(here.facts, corners, here.workspace.put_ids, shown=shown)
        if drawn.add:
            rule = _joined(here, rule, [old for old in now.selection if isinstance(old, MapPolygon)])
    except TamisError as error:
        session.say(brief(error))
        return
    others = [old for old in now.selection if not isinstance(old, MapPolygon)]
    session.edit(selection=[*others, rule])


def _joined(here: Stage, rule: MapPolygon, old: list[MapPolygon]) -> MapPolygon:
    """Return one rule whose stored set holds the documents of all areas; the last area is the one drawn."""
    if not old:
        return rule
    ids = sorted({item for area in (*old, rule) for item in here.workspace.ids(area.ids).to_pylist()})
    return rule.model_copy(update={"ids": here.workspace.put_ids(ids), "documents": len(ids)})


def _fallback(here: Stage, colours: list[str], groups: MapGroups) -> None:
    """Show a sample of the map where the browser has no WebGL2."""
    rows = sample_rows(here.scene, n=FALLBACK_POINTS)
    facts = here.facts
    codes = np.frombuffer(groups.data, dtype=np.uint8)[rows]
    x, y = facts.numbers("x")[rows], facts.numbers("y")[rows]
    items, shown = _legend(here, groups)["items"], np.zeros(len(rows), dtype=bool)
    parts = []
    for item in items:
        of_item = np.isin(codes, item["codes"])
        shown |= of_item
        parts.append(ScatterGroup(str(item["label"]), colours[item["codes"][0]], x[of_item], y[of_item]))
    if not shown.all():
        parts.insert(0, ScatterGroup("others", colours[OTHER], x[~shown], y[~shown]))
    figure = scatter_sample(parts, height=FALLBACK_HEIGHT)
    st.caption(
        f"This browser has no WebGL2. Shown: a sample of {count(len(rows))} of {count(facts.n)} points (seed 0)."
    )
    st.plotly_chart(figure, key="map/fallback", config={"displayModeBar": False})
