"""Training: what the trainer reads from the first step to the last, before a file is written."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from tamis.analytics.facts.column_info import distinct_titles
from tamis.analytics.training.picture import NOTHING, OTHER, Boundary, PictureGroups, RunPicture
from tamis.analytics.training.run_outline import RunOutline, TrainingSteps
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import Stat, count, is_dark, share, short, stats
from tamis.app.dashboard.page_context import Stage, plain, stage
from tamis.app.dashboard.run_picture import PHASES, chosen_step, moved_boundary, run_picture
from tamis.app.figures.palette import stack_colours
from tamis.app.pages import reader_pane, training_export, training_reading, training_steps

PICTURE = "training/picture"
READER = 460
"""Pixels of the document beside what a step reads."""
FIRST = ("source", "cluster", "lang", "label")
"""Columns that are stacked at first, the first that has several values; before them what a curriculum orders by."""


def page() -> None:
    """Lay out the page."""
    here = stage()
    if here.pictures and "n_tokens" not in here.facts.columns:
        st.info(
            "A run of training is laid out in tokens, and these pictures have no captions. They leave by Export and "
            "run on the page Recipe: as a folder, as Parquet, or as WebDataset tars."
        )
        return
    recipe = session.current().recipe
    steps = TrainingSteps.of(recipe)
    if not steps.any:
        training_steps.explain()
        return
    key = replace(here.key, selection=(), shown=(), also=())
    run = cache.run_outline(key)
    _figures(run)
    if not len(run.stream):
        st.info("Train is empty: the recipe keeps no document for it. Loosen a rule, or lower the shares of the split.")
        return
    _run(here, key, run)


def _figures(run: RunOutline) -> None:
    """Show the numbers of the run."""
    found, steps = run.figures, run.steps
    train, validation, test = found.documents
    note = f"{short(found.tokens[0])} tokens"
    shown = [Stat("Train documents", count(train), note, "Different documents; every figure is of all of them.")]
    if steps.split:
        help_ = f"{short(found.tokens[1])} and {short(found.tokens[2])} tokens; each document once."
        shown.append(Stat("Validation, test", f"{count(validation)}, {count(test)}", "", help_))
    if run.leaks is not None:
        note = f"{count(run.leaks_by_chance)} by chance"
        help_ = "Pairs of verified near-duplicates that lie in different splits; beside it, of a split by chance."
        shown.append(Stat("Leaks", count(run.leaks.pairs), note, help_))
    help_ = "With copies and epochs; in grey the part that was read before."
    shown.append(Stat("Tokens read", short(found.read), f"{share(found.again, found.read)} again", help_))
    if steps.pack:
        note = f"of {count(steps.pack.length)}"
        shown.append(Stat("Sequences", count(found.sequences), note, steps.pack.sentence()))
        shown.append(Stat("Padding", share(found.padding, 1), "estimated", "Places of all sequences without a token."))
        lost = f"{count(found.lost)} tokens lost" if found.lost else "0 tokens lost"
        shown.append(Stat("Cut documents", count(found.cut), lost, "Longer than a sequence, or cut at its end."))
    if steps.batches:
        note = f"of {count(steps.batches.size)}"
        shown.append(Stat("Steps", count(found.steps), note, steps.batches.sentence()))
    stats(shown)


@st.fragment
def _run(here: Stage, key: cache.SceneKey, run: RunOutline) -> None:
    """Show the picture, its controls, and what the chosen step reads."""
    trial = _trial(key)
    column = _column(here, key, run)
    wanted = cache.RunKey(key, column)
    groups = cache.run_groups(wanted)
    picture, boundary = cache.run_picture(replace(wanted, boundary=trial))
    steps = run.figures.steps
    number = min(int(session.current().setting("training_step", 0)), steps - 1)
    _controls(here, key, run, boundary, trial, number)
    labels = _labels(here, groups)
    run_picture(
        picture,
        labels=labels,
        colours=stack_colours(groups.labels, rising=groups.ranges, dark=is_dark(), rest=(OTHER, NOTHING)),
        boundary=boundary,
        phase=_phase(key),
        unit=run.steps.unit,
        steps=steps,
        step=number,
        label=_in_words(here, column, labels, picture),
        key=PICTURE,
        on_boundary=_moved,
        on_read=_chosen,
    )
    st.caption(_exactness(run, trial is not None))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        training_reading.show(here, run, groups, labels, number)
    opened = session.current().setting("document")
    with right:
        if opened is None:
            training_export.show(here, run)
        else:
            reader_pane.show(here, int(opened), height=READER)


def _trial(key: cache.SceneKey) -> float | None:
    """Return the boundary that is tried; None when the recipe has it already, or has another curriculum."""
    stored, phases = session.current().setting("training_trial"), cache.run_phases(key)
    if phases is None or not stored or list(stored[:2]) != [phases.step.id, phases.field]:
        return None
    value = float(stored[2])
    return None if phases.tried(value) == phases.operator else value


def _phase(key: cache.SceneKey) -> str:
    phases = cache.run_phases(key)
    return "" if phases is None else phases.operator.order


def _column(here: Stage, key: cache.SceneKey, run: RunOutline) -> str:
    """Return the column whose groups are stacked."""
    now, phases = session.current().setting("training_by"), cache.run_phases(key)
    if now in here.facts.columns:
        return str(now)
    if phases is not None and phases.operator.difficulty and run.ordered:
        return phases.operator.difficulty
    known = [name for name in FIRST if name in run.facts.columns]
    several = (name for name in known if len(cache.run_groups(cache.RunKey(key, name)).labels) > 1)
    return next(several, known[0] if known else "n_tokens")


def _controls(
    here: Stage, key: cache.SceneKey, run: RunOutline, boundary: Boundary | None, trial: float | None, number: int
) -> None:
    """Show the fields over the picture: what is stacked, the step that is read, the boundary and what becomes of it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="training_controls"):
        infos = [info for info in run.facts.columns.values() if info.role not in ("id", "map") and _shows(info.type)]
        titles = distinct_titles(infos)
        names = sorted(titles, key=titles.__getitem__)
        column = _column(here, key, run)
        chosen = session.widget_holding("training/by", column)
        st.selectbox(
            "Stack by", names, index=names.index(column) if column in names else 0, format_func=titles.__getitem__,
            key=chosen, width=230, on_change=_stacked, args=(chosen,),
        )  # fmt: skip
        unit, steps = run.steps.unit, run.figures.steps
        typed = session.widget_holding("training/step", number + 1)
        st.number_input(
            unit.capitalize(), 1, steps, number + 1, key=typed, width=150, on_change=_typed, args=(typed,),
            help=f"The {unit} that is read below; a click on the picture chooses it too.",
        )  # fmt: skip
        if boundary is not None:
            _boundary_field(key, boundary)
        elif not run.steps.follows and cache.run_phases(key) is not None:
            st.button(
                "Follow the curriculum", key="training/follow", icon=":material/timeline:",
                on_click=training_steps.follow,
                help="expand shuffles each epoch, so the order of the curriculum is not followed: follow it instead.",
            )  # fmt: skip
        if trial is not None:
            if st.button("Keep this boundary", key="training/keep", type="primary"):
                _keep(key, trial)
            st.button("Back to the recipe", key="training/back", on_click=_drop_trial)
        training_steps.missing(run.steps)


def _shows(kind: str) -> bool:
    return kind in ("category", "boolean", "integer", "number")


def _boundary_field(key: cache.SceneKey, boundary: Boundary) -> None:
    """Show the boundary as a field: per cent of the documents, or the number of slices."""
    name = PHASES[_phase(key)].capitalize()
    if boundary.field == "slices":
        typed = session.widget_holding("training/slices", round(boundary.value))
        st.number_input(
            name, 2, 1000, round(boundary.value), key=typed, width=150, on_change=_bounded, args=(typed, 1.0),
        )  # fmt: skip
        return
    percent = round(100 * boundary.value, 1)
    typed = session.widget_holding("training/share", percent)
    st.number_input(
        f"{name}, %", 0.1, 99.9, percent, step=1.0, format="%.1f", key=typed, width=170, on_change=_bounded,
        args=(typed, 0.01),
        help="Share of the documents that the curriculum orders; the handle in the picture moves it too.",
    )  # fmt: skip


def _stacked(key: str) -> None:
    session.choose(training_by=str(session.widget_value(key)))


def _typed(key: str) -> None:
    session.choose(training_step=int(session.widget_value(key)) - 1)


def _bounded(key: str, scale: float) -> None:
    _try(float(session.widget_value(key)) * scale)


def _moved() -> None:
    value = moved_boundary(session.widget_value(PICTURE, {}))
    if value is not None:
        _try(value)


def _chosen() -> None:
    step = chosen_step(session.widget_value(PICTURE, {}))
    if step is not None:
        session.choose(training_step=step)


def _try(value: float) -> None:
    """Try another boundary of the curriculum; the recipe stays."""
    phases = cache.run_phases(replace(stage().key, selection=(), shown=(), also=()))
    if phases is not None:
        session.choose(training_trial=(phases.step.id, phases.field, value))


def _drop_trial() -> None:
    session.choose(training_trial=None)


def _keep(key: cache.SceneKey, trial: float) -> None:
    """Write the boundary that is tried into the recipe."""
    phases = cache.run_phases(key)
    if phases is not None and adopt(
        recipe=session.current().recipe.replaced(phases.step.id, operator=phases.tried(trial))
    ):
        _drop_trial()
        st.rerun()


def _labels(here: Stage, groups: PictureGroups) -> list[str]:
    """Return the names of the groups; clusters have names."""
    names = here.opened.cluster_names() | {"-1": "unclustered"} if groups.column == "cluster" else {}
    return [names.get(label, label) for label in groups.labels]


def _in_words(here: Stage, column: str, labels: list[str], picture: RunPicture) -> str:
    """Return what the picture shows, for screen readers: the shares at the start, in the middle and at the end."""
    said = []
    for word, part in (("start", 0), ("middle", len(picture.tokens) // 2), ("end", len(picture.tokens) - 1)):
        shares = sorted(zip(picture.shares[part].tolist(), labels, strict=True), reverse=True)[:3]
        said.append(f"{word}: " + ", ".join(f"{label} {share(part_, 1)}" for part_, label in shares))
    return f"Share of tokens by {here.facts.info(column).title} over the run. {'; '.join(said)}."


def _exactness(run: RunOutline, trying: bool) -> str:
    """Return which figures are exact."""
    documents = f"All {count(len(run.stream))} documents of the run, none sampled"
    counted = "tokens as the analysis counted them"
    if run.steps.pack is not None:
        counted += plain(
            f", an estimate for sequences of {run.steps.pack.tokenizer}; tamis prepare counts and cuts exactly"
        )
    if not trying:
        return f"{documents} · {counted}"
    later = " Copies stand beside each other until it is kept." if run.figures.again else ""
    return f"{documents} · {counted} · a boundary is tried: numbers above and documents below are the recipe's.{later}"
