"""Map: every document as a point, coloured by any column, selected by lasso."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tamis.analytics.operators.selection import MapPolygon
from tamis.analytics.study.queries import (
    OTHER,
    Bounds,
    MapGroups,
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
from tamis.app.dashboard import cache, session, waiting
from tamis.app.dashboard.look import count, is_dark
from tamis.app.dashboard.page_context import Stage, brief, plain, stage
from tamis.app.figures.figures import ScatterGroup, scatter_sample
from tamis.app.figures.palette import palette_of
from tamis.app.pages import map_marks, map_panel
from tamis.app.point_map.component import drawn_lasso, failure_of, point_map
from tamis.app.server.routes import DESK
from tamis.data.errors import TamisError
from tamis.data.hashing import digest

KEY = "map/component"
HEIGHT = 700
FAILED_HEIGHT = 44
LEGEND_ROWS = 22
FALLBACK_POINTS = 20_000
FALLBACK_HEIGHT = 620
KEYS = "L lasso · B box · A all in view · Shift adds · Esc clears · wheel or +/− zooms · click reads"


def page() -> None:
    """Lay out the page."""
    here = stage()
    if not has_map(here.facts):
        later = "This corpus has no map yet. The Overview page shows what the analysis still needs."
        st.info(here.opened.unmapped_words or later)
        return
    if "map" in here.opened.missing:
        _say_sample(here)
    if words := here.opened.placed_words:
        st.caption(f"{words}.")
    overlay = _controls(here)
    # One row of columns in both cases: the map is then the same element, and its bytes are not sent again.
    cells = st.columns([7, 3] if map_panel.is_open() else [1], gap="small")
    with cells[0]:
        _draw(here, _groups(here), overlay=overlay)
    if len(cells) > 1:
        with cells[1]:
            map_panel.show(here, height=HEIGHT)


def _say_sample(here: Stage) -> None:
    """Say that the map shows a sample, and ask the analysis for the map of all."""
    corpus, shown = here.opened.study.corpus, int(np.isfinite(here.facts.numbers("x")).sum())
    waiting.pull(here.workspace, corpus, ("map",))
    waiting.say_sample(here.workspace, corpus, shown=shown, total=here.facts.n)


def _groups(here: Stage) -> MapGroups:
    """Return the colours; a target that cannot be compared is told, and kept and dropped are shown."""
    try:
        return map_marks.current_groups(here)
    except TamisError as error:
        st.error(plain(brief(error)), icon=":material/error:")
        found: MapGroups = here.ask(map_groups, column=map_marks.KEPT.name)
        return found


def _controls(here: Stage) -> bool:
    """Show the choice of colour; return whether dropped documents fade."""
    titles, now = map_marks.colour_titles(here), map_marks.colour_column(here)
    names = list(titles)
    key = session.widget("map", "colour", now)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.selectbox(
            "Colour by", names, index=names.index(now), format_func=titles.__getitem__, label_visibility="collapsed",
            key=key, on_change=_coloured, args=(key,), width=220,
        )  # fmt: skip
        if now == map_marks.LIKENESS:
            _target(here)
        overlay = st.toggle("Fade dropped", value=bool(session.current().setting("fade", True)), key="map/fade")
        session.choose(fade=overlay)
        if session.current().selection and session.current().setting("map_alone", False):
            st.button("What is selected", key="map/beside", type="tertiary", on_click=_beside)
        elif now != map_marks.LIKENESS:
            with st.container(key="map_keys", width="content"):
                st.caption(KEYS)
    return overlay


def _coloured(key: str) -> None:
    session.choose(colour=session.widget_value(key))


def _beside() -> None:
    session.choose(map_alone=None)


def _target(here: Stage) -> None:
    """Show to what the documents are compared, and let people write a sentence."""
    target = map_marks.likeness_target(here)
    written = target if isinstance(target, str) else ""
    key = session.widget("map", "sentence", written[:40])
    st.text_input(
        "Similar to", value=written, key=key, on_change=_compare, args=(key,), label_visibility="collapsed", width=360,
        placeholder="a sentence; or open a document and press Colour by similarity" if target is None or written
        else f"document {here.facts.ids[target].as_py()[:40]}; or write a sentence",
    )  # fmt: skip


def _compare(key: str) -> None:
    session.choose(alike=str(session.widget_value(key)).strip() or None)


def _draw(here: Stage, groups: MapGroups, *, overlay: bool) -> None:
    facts, now = here.facts, session.current()
    points = facts.memo.through(("points", facts.digest), lambda: map_points(facts), size=lambda p: len(p.data))
    scene = here.scene
    sums = here.ask(totals)
    colours = palette_of(groups, dark=is_dark())
    shapes = [rule.vertices for rule in now.selection if isinstance(rule, MapPolygon)]
    selected = bool(now.selection)
    failed = failure_of(session.widget_value(KEY))
    cannot = point_map(
        points=DESK.publish(now.token, "points", f"points-{points.digest[:24]}-{facts.digest[:24]}", points.data),
        groups=DESK.publish(now.token, "groups", f"groups-{map_marks.groups_name(here, groups)}", groups.data),
        flags=DESK.publish(now.token, "flags", f"flags-{scene.digest[:32]}", scene.flags.tobytes()),
        snippets=DESK.publish_snippets(now.token, digest(vars(here.key.corpus))[:24], here.opened.snippet),
        pictures=here.pictures,
        token=now.token,
        bounds=points.bounds,
        home=_home(here),
        digest=points.digest,
        palette=colours,
        legend=map_marks.legend(here, groups),
        labels=map_marks.labels(here),
        shapes=shapes,
        overlay=overlay and groups.column != "kept",
        selected=selected,
        ring=int(now.setting("document", -1)),
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
    row = int(session.widget_value(KEY)["picked"])
    session.choose(document=None if row < 0 else row)


def _cleared() -> None:
    session.edit(selection=())


def _home(here: Stage) -> Bounds:
    """Return the bounds of all but the outermost documents."""
    x, y = extent(here.facts, "x"), extent(here.facts, "y")
    return Bounds(x.robust_low, x.robust_high, y.robust_low, y.robust_high)


def _lasso() -> None:
    """Select the drawn area, or add it to the selected area."""
    try:
        here, now, drawn = stage(), session.current(), drawn_lasso(session.widget_value(KEY))
        if drawn.map != map_digest(here.facts):
            session.say("The map has changed since the area was drawn. Draw it again.")
            return
        corners = [(round(x, 4), round(y, 4)) for x, y in drawn.vertices]
        shown, words = None, ""
        if drawn.hidden:
            groups = map_marks.groups_of_lasso(here, drawn.column)
            shown, words = shown_rows(groups, drawn.hidden), map_marks.words_of_hidden(here, groups, drawn.hidden)
        rule = polygon_rule(here.facts, corners, here.workspace.put_ids, shown=shown, left_out=words)
        if drawn.add:
            rule = _joined(here, rule, [old for old in now.selection if isinstance(old, MapPolygon)])
    except TamisError as error:
        session.say(brief(error))
        return
    others = [old for old in now.selection if not isinstance(old, MapPolygon)]
    session.edit(selection=[*others, rule])
    session.choose(map_alone=None, map_samples=None)


def _joined(here: Stage, rule: MapPolygon, old: list[MapPolygon]) -> MapPolygon:
    """Return one rule whose stored set holds the documents of all areas; the last area is the one drawn."""
    if not old:
        return rule
    ids = sorted({item for area in (*old, rule) for item in here.workspace.ids(area.ids).to_pylist()})
    # The areas may have been drawn with different groups hidden; each then says what it left out.
    words = "; ".join(dict.fromkeys(area.left_out for area in (*old, rule) if area.left_out))[:300] or None
    return rule.model_copy(update={"ids": here.workspace.put_ids(ids), "documents": len(ids), "left_out": words})


def _fallback(here: Stage, colours: list[str], groups: MapGroups) -> None:
    """Show a sample of the map where the browser has no WebGL2."""
    rows = sample_rows(here.scene, n=FALLBACK_POINTS)
    facts = here.facts
    codes = np.frombuffer(groups.data, dtype=np.uint8)[rows]
    x, y = facts.numbers("x")[rows], facts.numbers("y")[rows]
    items, shown = map_marks.legend(here, groups)["items"][:LEGEND_ROWS], np.zeros(len(rows), dtype=bool)
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
