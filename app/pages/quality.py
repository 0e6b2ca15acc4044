"""Quality: one histogram per signal, cut lines with the share they would drop, samples side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from tamis.analytics.facts.column_info import ColumnInfo, distinct_titles
from tamis.analytics.operators.operator import SetOperator
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.cuts import find_cut, with_cut
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.signals.spans import spans
from tamis.analytics.steps.scopes import SCOPED_STEPS, on_scope, split_scope
from tamis.analytics.study.queries import Histogram, Scene, cut, extent, histogram, sample_rows, sweep
from tamis.app.dashboard import login, rule_preview, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count, duration, format_distinct, heading, share, short
from tamis.app.dashboard.page_context import Stage, plain, show_fault, stage
from tamis.app.dashboard.text_view import cards
from tamis.app.figures.figures import CutLine, histogram_figure, sweep_figure
from tamis.app.jobs.worker import start_measure
from tamis.app.pages import quality_groups, quality_pictures
from tamis.data.parts import WHOLE

SAMPLES, PICTURES = 6, 18
"""Documents shown of a side: texts, and pictures on a contact sheet."""
PREVIEW = 420
SCANNED = 20_000
CUT_WIDTH = 150
"""Pixels of a field of a cut: its title and the sign of its help stand in one line."""
STARTING = (
    "n_tokens",
    "alpha_word_share",
    "stop_words",
    "mean_word_length",
    "duplicate_5gram_share",
    "duplicate_line_share",
)
PICTURED = ("sharpness", "megapixels", "brightness", "colourfulness", "aspect", "flat_share")
"""Signals that stand first for pictures."""


def page() -> None:
    """Lay out the page."""
    here = stage()
    signals = _signals(here)
    if not signals:
        st.info("This corpus has no numeric columns to look at.")
        return
    scope = _choose_scope(here)
    if scope:
        signals = [on_scope(info, scope) for info in signals if info.name == "bytes" or info.step in SCOPED_STEPS]
    info = _choose(signals)
    now = session.current()
    trial = now.setting("low") is not None or now.setting("high") is not None
    if now.setting("cut_of") != info.name and not (trial and now.setting("cut_of") is None):
        _open_cut(info.name)
    if scope and info.name not in here.facts.columns:
        if not _measured(here, info):
            return
        here = replace(here, key=replace(here.key, also=(info.name,)))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        rule = _histogram(here, info)
    with right:
        _side(here, info, rule)
    samples, groups = st.tabs(["Samples", "By source, language, ..."], on_change="rerun", key="quality/below")
    if groups.open:
        with groups:
            quality_groups.show(here, info, rule)
    else:
        with samples:
            _samples(here, info, rule)


def _signals(here: Stage) -> list[ColumnInfo]:
    """Return the numeric columns that get a histogram, the most used first."""
    found = [info for info in here.facts.columns.values() if info.numeric and info.role not in ("map", "cluster", "id")]
    found = [info for info in found if not info.name.endswith("_group")]
    used = [step.operator.signal for step in session.current().recipe if isinstance(step.operator, SignalRange)]
    first = [*dict.fromkeys(used), *(PICTURED if here.pictures else ()), *STARTING]
    return sorted(found, key=lambda info: (first.index(info.name) if info.name in first else len(first), info.title))


def _choose_scope(here: Stage) -> str:
    """Let a person choose a part of conversations; empty for whole texts."""
    scopes = here.opened.study.corpus.shape.scopes
    if not scopes:
        return ""
    chosen = st.segmented_control(
        "Measured on", [WHOLE, *scopes], default=session.current().setting("quality_of", WHOLE), required=True,
        format_func=lambda name: "Whole text" if name == WHOLE else name.replace("_", " ").capitalize(),
        key="quality/of",
    )  # fmt: skip
    session.choose(quality_of=chosen)
    return "" if chosen == WHOLE else str(chosen)


def _measured(here: Stage, info: ColumnInfo) -> bool:
    """Return whether a column on a scope is measured; else offer to measure it."""
    study = here.opened.study
    recipe = Recipe().with_operator(SignalRange(signal=info.name, min=0))
    pending = study.pending(recipe)
    if not pending:
        return True
    seconds = sum(step.estimate.seconds for step in pending)
    st.markdown(f"**{plain(info.title)}** is not measured yet: about {duration(seconds)}, once for this part.")
    if st.button("Measure", key="quality/measure", type="primary", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        session.choose(quality_job=start_measure(study.corpus, here.workspace, recipe).id)
        st.rerun()
    if job := session.current().setting("quality_job"):
        watch(here.workspace, str(job), "quality_job")
    return False


def _choose(signals: list[ColumnInfo]) -> ColumnInfo:
    """Show the signals as a row of buttons and a list of all."""
    by_name, titles = {info.name: info for info in signals}, distinct_titles(signals)
    current = session.current().setting("signal", signals[0].name)
    current = current if current in by_name else signals[0].name
    quick = [info.name for info in signals[:6]]
    if current not in quick:
        quick[-1] = current
    names = sorted(by_name, key=titles.__getitem__)
    # In a row that wraps: on a small screen no word is cut.
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        key = session.widget("quality", "quick", current)
        st.segmented_control(
            "Signal", quick, default=current, required=True, format_func=titles.__getitem__, width="content",
            key=key, label_visibility="collapsed", on_change=_choose_signal, args=(key,),
        )  # fmt: skip
        key = session.widget("quality", "all", current)
        st.selectbox(
            "All signals", names, index=names.index(current), format_func=titles.__getitem__, width=250,
            key=key, label_visibility="collapsed", on_change=_choose_signal, args=(key,),
        )  # fmt: skip
    return by_name[current]


def _choose_signal(key: str) -> None:
    _open_cut(str(session.widget_value(key)))


def _open_cut(signal: str) -> None:
    """Show a signal with the cut that its rule makes now, without one with no cut."""
    step = _cut_of(signal)
    cut_now = None if step is None else step.operator
    ends = (cut_now.min, cut_now.max) if isinstance(cut_now, SignalRange) else (None, None)
    typed = int(session.current().setting("typed", 0))
    session.choose(signal=signal, cut_of=signal, low=ends[0], high=ends[1], typed=typed + 1)


def _cut_of(signal: str) -> Step | None:
    """Return the step of the recipe that cuts a signal over all documents, None without one."""
    return find_cut(session.current().recipe, SignalRange(signal=signal, min=0))


def _histogram(here: Stage, info: ColumnInfo) -> SignalRange | None:
    """Show the histogram and the cut under trial; return its rule."""
    found: Histogram = here.ask(histogram, column=info.name, scale="auto")
    low, high = session.current().setting("low"), session.current().setting("high")
    log = bool(session.current().setting("log", False))
    lines = [
        CutLine(float(value), side, f"{value:.4g}")
        for value, side in ((low, "min"), (high, "max"))
        if value is not None
    ]
    figure = histogram_figure(found, title=info.title, unit=info.unit, cuts=lines, height=310, log=log)
    event = st.plotly_chart(
        figure, key=session.widget("quality", "histogram", info.name, here.scene.digest[:12]), on_select="rerun",
        selection_mode="points", config={"displayModeBar": False}, alt=f"Histogram of {info.title}",
    )  # fmt: skip
    _picked(here, info, found, event)
    _drag(info, found, low, high)
    outside = found.below + found.above
    st.caption(
        f"All {count(here.facts.n)} documents, exact · {count(found.missing)} without a value"
        + (f" · {count(outside)} outside the range shown" if outside else "")
        + (" · logarithmic axis" if found.scale == "log" else "")
        + (f" · {plain(info.help)}" if info.help else "")
    )
    return _cut_row(here, info, low, high, log)


def _picked(here: Stage, info: ColumnInfo, found: Histogram, event: Any) -> None:
    """Select the documents of the clicked bars, from the first to the last (Shift adds)."""
    places = sorted({int(point["point_index"]) for point in event["selection"]["points"]}) if event else []
    if not places or places[-1] >= len(found.edges) - 1:
        return
    span = (float(found.edges[places[0]]), float(found.edges[places[-1] + 1]))
    last = span[1] >= float(found.edges[-1])
    rule = SignalRange(signal=info.name, min=span[0], max=span[1], strict_max=not last)
    kept = [
        old for old in session.current().selection if not (isinstance(old, SignalRange) and old.signal == info.name)
    ]
    adopt(selection=[*kept, rule])
    st.rerun()


def _drag(info: ColumnInfo, found: Histogram, low: float | None, high: float | None) -> None:
    """Show the cut as two handles under the bars that can be dragged from bin to bin."""
    edges = tuple(found.edges.tolist())
    if len(edges) < 2:
        return
    first = 0 if low is None else min(int(np.searchsorted(found.edges, low)), len(edges) - 1)
    last = len(edges) - 1 if high is None else min(int(np.searchsorted(found.edges, high)), len(edges) - 1)
    first = min(first, last)
    # A typed cut lies between two edges: its handle stands at the next one and says the cut itself.
    places = list(edges)
    if low is not None:
        places[first] = low
    if high is not None and last > first:
        places[last] = high
    edges = tuple(places)
    # A typed cut moves the handles, so they become new widgets; a drag keeps them.
    key = session.widget("quality", "drag", info.name, str(session.current().setting("typed", 0)))
    _, under = st.columns([1, 10.5], gap=None)
    under.select_slider(
        "Cut", range(len(edges)), value=(first, last), key=key,
        format_func=format_distinct(edges).__getitem__, label_visibility="collapsed",
        on_change=_dragged, args=(key, edges),
    )  # fmt: skip


def _dragged(key: str, edges: tuple[float, ...]) -> None:
    """Set the cut to the bins of the handles; a handle at its end is no cut."""
    first, last = session.widget_value(key)
    session.choose(
        low=edges[first] if first > 0 else None, high=edges[last] if last < len(edges) - 1 else None,
    )  # fmt: skip


def _typed(name: str, key: str) -> None:
    typed = int(session.current().setting("typed", 0))
    session.choose(**{name: session.widget_value(key), "typed": typed + 1})


def _cut_row(here: Stage, info: ColumnInfo, low: float | None, high: float | None, log: bool) -> SignalRange | None:
    """Show the fields of the cut, what it would drop, and the button that makes it a rule."""
    # In a row that wraps: on a small screen no word is cut.
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _fields(here, info, low, high)
        buttons = st.container(horizontal=True, width="content", gap="small")
        new_log = st.toggle(
            "Log", value=log, key="quality/log", width="content", help="Count the documents on a logarithmic axis."
        )
    said = st.container()
    if new_log != log:
        session.choose(log=new_log)
        st.rerun()
    if low is None and high is None:
        said.caption("Drag the handles or type a cut; click a bar to select its documents.")
        return None
    if low is not None and high is not None and low > high:
        show_fault("The lower cut is above the upper one.", at=said)
        return None
    step = _cut_of(info.name)
    rule = _cut(info.name, low, high, step)
    alone = here.ask(cut, operator=rule)
    said.markdown(
        f"drops **{share(alone.documents, here.facts.n)}** ({count(alone.documents)}, {short(alone.tokens)} tokens), "
        + _in_recipe(here, rule, step)
    )
    buttons.button(
        "Save as rule" if step is None else "Change rule", type="primary", key="quality/save", on_click=_save,
        args=(rule,), disabled=step is not None and step.operator == rule,
        help=None if step is None else f"Changes step {plain(step.id)} instead of adding a second cut.",
    )  # fmt: skip
    buttons.button("Select these", key="quality/select", on_click=_select, args=(rule,), help="What the cut would drop")
    return rule


def _fields(here: Stage, info: ColumnInfo, low: float | None, high: float | None) -> None:
    """Show the fields of the cut's ends."""
    reach, whole = extent(here.facts, info.name), info.type == "integer"
    sides = (("Drop below", "low", low, reach.low), ("Drop above", "high", high, reach.high))
    for title, name, value, end in sides:
        key = session.widget_holding(session.widget("quality", name, info.name), value)
        st.number_input(
            title, value=value, step=1.0 if whole else None, format="%.0f" if whole else "%.4g",
            placeholder=f"{end:,.6g}", key=key, on_change=_typed, args=(name, key), width=CUT_WIDTH,
            help=f"Documents {title.split()[1]} this value are dropped.",
        )  # fmt: skip


def _in_recipe(here: Stage, rule: SignalRange, step: Step | None) -> str:
    """Return what a new cut drops besides the recipe, or what the recipe keeps once its own cut is changed."""
    if step is None:
        return f"**{count(here.ask(cut, operator=rule, which='kept').documents)}** of what the recipe keeps now"
    recipe = session.current().recipe
    later = recipe.active[[each.id for each in recipe.active].index(step.id) + 1 :]
    if any(isinstance(each.operator, SetOperator) for each in later):
        # Rules that decide documents together would run again for every place of a handle.
        return "what the recipe keeps with it shows once the rule is changed"
    found = rule_preview.preview(here, recipe.replaced(step.id, operator=rule), step.id)
    assert found is not None and here.scene.outcome is not None
    now = here.scene.outcome.output.documents
    return f"the recipe keeps **{count(found.output.documents)}** documents with it, {count(now)} now"


def _cut(signal: str, low: float | None, high: float | None, step: Step | None) -> SignalRange:
    """Return the cut; an end that the rule has already stays as strict as it is there."""
    cut_now = SignalRange(signal=signal, min=low, max=high)
    if step is None or not isinstance(step.operator, SignalRange):
        return cut_now
    old = step.operator
    strict = {
        "strict_min": old.strict_min and low == old.min,
        "strict_max": old.strict_max and high == old.max,
        "missing": old.missing,
    }
    return cut_now.model_copy(update=strict)


def _select(rule: SignalRange) -> None:
    """Select what the cut would drop, in place of other ranges of the signal."""
    others = [old for old in session.current().selection
              if not (isinstance(old, SignalRange) and old.signal == rule.signal)]  # fmt: skip
    adopt(selection=[*others, rule.model_copy(update={"mode": "drop"})])


def _save(rule: SignalRange) -> None:
    """Make the cut a rule: the first one on the signal changes, else there is a new one."""
    recipe, _ = with_cut(session.current().recipe, rule, base=rule.signal)
    adopt(recipe=recipe)


def _side(here: Stage, info: ColumnInfo, rule: SignalRange | None) -> None:
    """Show the threshold curve and the rules on this signal."""
    side = "max" if rule is not None and rule.max is not None and rule.min is None else "min"
    chosen = st.segmented_control(
        "Curve", ["min", "max"], default=session.current().setting("side", side), required=True, key="quality/side",
        format_func=lambda name: "drop below" if name == "min" else "drop above", label_visibility="collapsed",
    )  # fmt: skip
    found = here.ask(sweep, column=info.name, side=chosen, scale="auto")
    st.plotly_chart(
        sweep_figure(found, title=info.title, unit=info.unit, height=250), key="quality/sweep",
        config={"displayModeBar": False}, alt="Share dropped by threshold",
    )  # fmt: skip
    steps = [
        step
        for step in session.current().recipe
        if isinstance(step.operator, SignalRange) and step.operator.signal == info.name
    ]
    for step in steps:
        cells = st.columns([6, 1], vertical_alignment="center")
        cells[0].markdown(f"**{plain(step.id)}** · {plain(step.operator.sentence())}")
        with cells[1]:
            key = session.widget("quality", "remove", step.id)
            gone = icon_button(f"Remove step {step.id}", "delete", key=key, help="Remove")
        if gone:
            adopt(recipe=session.current().recipe.without(step.id))
            st.rerun()
    if not steps:
        st.caption("No rule uses this signal yet.")


def _samples(here: Stage, info: ColumnInfo, rule: SignalRange | None) -> None:
    """Show documents that the recipe keeps beside those that it, or the cut under trial, drops."""
    if here.pictures:
        quality_pictures.show(here, info)
    number = PICTURES if here.pictures else SAMPLES
    left, right = st.columns(2, gap="medium")
    sides = ((left, "Kept", "kept"), (right, "Dropped", "dropped"))
    for place, title, which in sides:
        with place:
            step = None if rule is None else _cut_of(rule.signal)
            if rule is None or (step is not None and step.operator == rule):
                own = step.id if step is not None and which == "dropped" else None
                rows = here.ask(sample_rows, which=which, step=own, n=number)
                words = f"{title} by {'the recipe' if own is None else f'step {plain(own)}'}"
            else:
                part = rule if which == "kept" else rule.model_copy(update={"mode": "drop"})
                trial = Scene.build(here.opened.facts, here.opened.evidence, selection=(part,))
                rows = sample_rows(trial, which="selected", n=number)
                words = "Would stay after this cut" if which == "kept" else "Would be dropped by this cut"
            if here.pictures:
                heading(words)
            else:
                st.markdown(f"##### {words}")
            marked = "" if here.pictures else f"; marked: what {plain(info.title.lower())} comes from"
            st.caption(f"a random sample of {len(rows)} (seed 0){marked}")
            documents = here.readings([int(row) for row in rows])
            places = [spans(document.text[:SCANNED], split_scope(info.name)[1]) for document in documents]
            st.html(cards(documents, places, length=PREVIEW))
