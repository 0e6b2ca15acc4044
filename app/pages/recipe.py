"""Recipe: the ordered steps, the effect of each one, the YAML beside it, export and run."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tamis.analytics.operators.operator import TrainingOperator
from tamis.analytics.operators.sets import PercentileBand
from tamis.analytics.recipe.outcome import Count, Outcome
from tamis.analytics.recipe.plan import freeze
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.study.queries import attribution
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.look import count, share
from tamis.app.dashboard.page_context import Stage, plain, show_error, stage
from tamis.app.pages import (
    proposals,
    recipe_compare,
    recipe_makers,
    recipe_rephrase,
    recipe_rules,
    recipe_saved,
    recipe_sets,
)
from tamis.app.pages.recipe_export import export_panel, rules_menu
from tamis.data.errors import RecipeError, TamisError


def page() -> None:
    """Lay out the page."""
    here = stage()
    left, right = st.columns([3, 2], gap="medium")
    try:
        here.scene  # noqa: B018 - whether there is one decides what can be shown
    except TamisError as error:
        _unfit(error, left, right)
        return
    with left:
        _title()
        _steps(here)
        recipe_rules.add(here)
        recipe_sets.show(here)
        recipe_makers.show(here)
    with right:
        text, export, compare, saved, team = st.tabs(["YAML", "Export and run", "Compare", "Save and load", "Team"])
        with text:
            _yaml()
        with export:
            export_panel(here)
            with st.expander("Export rules", icon=":material/code:"):
                rules_menu(here)
            with st.expander("Rephrase candidates", icon=":material/edit_note:"):
                recipe_rephrase.show(here)
        with compare:
            recipe_compare.show(here)
        with saved:
            recipe_saved.show(here)
        with team:
            proposals.panel(here)


def _unfit(error: TamisError, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Lay out a recipe that cannot run on this corpus: its steps can be switched off, moved and removed."""
    recipe = session.current().recipe
    with left:
        show_error(error)
        for place, step in enumerate(recipe.steps):
            with st.container(border=True, gap="xsmall"):
                cells = st.columns([9.6, 2.4], vertical_alignment="center")
                cells[0].markdown(_described(place, step, step.operator.sentence()))
                with cells[1], st.container(horizontal=True, gap="xsmall"):
                    _controls(place, step, change=_put)
    with right:
        text, load = st.tabs(["YAML", "Load"])
        with text:
            _yaml()
        with load:
            recipe_saved.load_text()


def _put(recipe: Recipe) -> None:
    """Take a recipe that may not run either: each step that goes brings it nearer to one that does."""
    session.edit(recipe=recipe)
    st.rerun()


def _yaml() -> None:
    recipe = session.current().recipe
    st.code(recipe.to_yaml(), language="yaml", height=600, wrap_lines=True)
    st.caption(f"digest {recipe.digest[:16]}: the same for any order of keys, comments and 3 or 3.0")


def _title() -> None:
    """Show title and reason, which people read and which change no output."""
    recipe = session.current().recipe
    cells = st.columns([2, 3])
    title = cells[0].text_input("Title", value=recipe.title, key=session.widget("recipe", "title", recipe.title))
    why = cells[1].text_input(
        "Why",
        value=recipe.why,
        key=session.widget("recipe", "why", recipe.why),
        placeholder="the purpose of this recipe",
    )
    if (title, why) != (recipe.title, recipe.why):
        session.edit(recipe=recipe.described(title=title, why=why))
        st.rerun()


def _steps(here: Stage) -> None:
    recipe, outcome = session.current().recipe, here.scene.outcome
    if not recipe.steps:
        st.markdown(
            "No rules yet. Add one below, or select documents on the Map, Quality or Documents page "
            "and save them as a rule."
        )
        return
    effect: dict[str, tuple[Count, Count]] = {}
    table = {row["step"]: row for row in here.ask(_attribution).to_pylist()} if outcome is not None else {}
    if outcome is not None:
        effect = {
            after.step: (before, after) for before, after in zip(outcome.counts, outcome.counts[1:], strict=False)
        }
    for place, step in enumerate(recipe.steps):
        _step(here, place, step, effect.get(step.id), table.get(step.id, {}))


def _attribution(scene):  # type: ignore[no-untyped-def]
    return attribution(scene.outcome, scene.facts)


def _step(here: Stage, place: int, step: Step, effect: tuple[Count, Count] | None, shares: dict[str, int]) -> None:
    """Show one step: its sentence, what it drops, and its controls."""
    with st.container(border=True, gap="xsmall"):
        cells = st.columns([6, 3.6, 2.4], vertical_alignment="center")
        sentence = here.opened.with_names(step.operator.sentence(), step.operator)
        cells[0].markdown(_described(place, step, sentence))
        if effect is None:
            cells[1].caption("switched off")
        else:
            before, after = effect
            gone = before.documents - after.documents
            if isinstance(step.operator, TrainingOperator):
                cells[1].caption("drops nothing; read by tamis prepare")
            else:
                cells[1].markdown(f"−{count(gone)} documents ({share(gone, before.documents)})")
            if shares.get("any") is not None:
                cells[1].caption(f"any {count(shares['any'])} · only this rule {count(shares['only'])}")
        with cells[2], st.container(horizontal=True, gap="xsmall"):
            _controls(place, step, change=_change)
        if here.scene.outcome is not None and isinstance(step.operator, PercentileBand) and effect is not None:
            _fix(here.scene.outcome, here.facts.corpus, step)
        unfolded = st.expander("Edit", key=session.widget("step", step.id, "edit"), on_change="rerun")
        if unfolded.open:
            with unfolded:
                recipe_rules.edit(here, step)


def _described(place: int, step: Step, sentence: str) -> str:
    return f"**{place + 1}. {plain(step.id)}** · {plain(type(step.operator).term)}  \n{plain(sentence)}"


def _controls(place: int, step: Step, *, change: Callable[[Recipe], None]) -> None:
    """Show the buttons of one step."""
    recipe = session.current().recipe
    earlier, later = (recipe.can_move(step.id, to=place + by) for by in (-1, 1))
    if _button("arrow_upward", step, "up", "Move step {} up", "Earlier", disabled=not earlier):
        change(recipe.moved(step.id, to=place - 1))
    if _button("arrow_downward", step, "down", "Move step {} down", "Later", disabled=not later):
        change(recipe.moved(step.id, to=place + 1))
    switch = ("toggle_on", "Switch step {} off") if step.enabled else ("toggle_off", "Switch step {} on")
    if _button(switch[0], step, "switch", switch[1], "Switch on or off"):
        change(recipe.replaced(step.id, enabled=not step.enabled))
    if _button("delete", step, "remove", "Remove step {}", "Remove"):
        change(recipe.without(step.id))


def _button(icon: str, step: Step, act: str, name: str, help_: str, *, disabled: bool = False) -> bool:
    key = session.widget("step", step.id, act)
    return icon_button(name.format(step.id), icon, key=key, help=help_, disabled=disabled)


def _change(recipe: Recipe) -> None:
    adopt(recipe=recipe)
    st.rerun()


def _fix(outcome: Outcome, corpus: str, step: Step) -> None:
    """Offer to replace the percentiles of a step by their values on this corpus."""
    try:
        frozen = freeze(outcome.recipe, step.id, outcome=outcome, corpus=corpus)
    except RecipeError:  # No document reaches the step, or none has a value.
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        key = session.widget("step", step.id, "fix")
        if st.button(
            "Fix the numbers", key=key, help="Uses these values on every corpus, instead of new ones on each."
        ):
            _change(frozen)
        st.caption(plain(f"here: {frozen.step(step.id).operator.sentence()}"))
