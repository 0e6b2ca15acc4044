"""The forms of rules on the Recipe page: what a rule would drop is said before it is part of the recipe."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.operators.repeated_text import Boilerplate, SubstringDedup
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.cuts import find_cut, join_cuts
from tamis.analytics.recipe.recipe import Recipe, Step, operator_digest
from tamis.app.dashboard import forms, rule_preview, session
from tamis.app.dashboard.changes import attempt
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.pages import recipe_passages
from tamis.data.errors import TamisError
from tamis.data.hashing import digest

_NOT_TYPED = ("map_polygon", "all_of")
"""Operators that no form can fill in: drawn areas come from the map."""


def add(here: Stage) -> None:
    """Offer the catalogue of operators with a form for the chosen one."""
    empty = not session.current().recipe.steps
    unfolded = st.expander(
        "Add a rule from the catalogue", expanded=empty, icon=":material/add:", on_change="rerun",
        key=session.widget("recipe", "adding", "first" if empty else "more"),
    )  # fmt: skip
    if not unfolded.open:
        return
    with unfolded:
        kinds = [kind for kind in OPERATORS if kind.name not in _NOT_TYPED]
        kinds.sort(key=lambda kind: (kind.group, kind.term, kind.name))
        chosen = st.selectbox(
            "Rule",
            kinds,
            index=next(place for place, kind in enumerate(kinds) if kind.name == SignalRange.name),
            format_func=lambda kind: f"{kind.group}: {kind.term} · {kind.name}",
            key="recipe/kind",
            label_visibility="collapsed",
        )
        st.caption(f"{chosen.summary} Source: {chosen.source}")
        if chosen.warning:
            st.caption(f":material/warning: {chosen.warning}")
        _new(here, chosen)


@st.fragment
def _new(here: Stage, kind: type[Operator]) -> None:
    """Show the form of a new rule; what it would drop follows every change of a field."""
    with forms.guard_form(kind.name):
        # A rule that is added leaves an empty form for the next one.
        scope = f"new-{kind.name}-{len(session.current().recipe)}"
        form = forms.operator_form(kind, {}, known=_known(here), scope=scope)
        buttons = st.container(horizontal=True, vertical_alignment="center", key="recipe_add")
        recipe = session.current().recipe
        rule = form.build(wanted=False)
        first = None if rule is None else find_cut(recipe, rule)
        pressed = buttons.button("Add to the recipe", key="recipe/add", type="secondary" if first else "primary")
        if rule is None:
            if pressed:
                form.build(wanted=True)
            return
        target = recipe.fresh_id(rule.name)
        try:
            tried = recipe.with_operator(rule)
        except TamisError as error:  # A recipe has each step of training once.
            form.show(error)
            return
        if first is not None:
            # A second cut by the same thing changes the first one, unless people want two.
            help_ = f"{first.id}: {first.operator.sentence()}"
            changing = buttons.button(
                f"Change step {plain(first.id)}", key="recipe/change", type="primary", help=plain(help_)
            )
            if not pressed:
                tried, target = _changed(recipe, first, rule), first.id
            pressed = pressed or changing
        _offer(here, form, tried, target, pressed=pressed, name="recipe/add")


def _changed(recipe: Recipe, first: Step, rule: Operator) -> Recipe:
    """Return the recipe with a new cut in the place of the first one by the same thing."""
    try:
        joined = join_cuts(first.operator, rule)
    except TamisError:  # The ends cross, so the new range stands alone.
        joined = rule
    return recipe.replaced(first.id, operator=joined, provenance=())


def edit(here: Stage, step: Step) -> None:
    """Show the form of a step: its name, its parameters, its note, and what it drops with them."""
    kind = type(step.operator)
    st.caption(kind.summary)
    if kind.warning:
        st.caption(f":material/warning: {kind.warning}")
    _edit(here, step)
    st.caption(f"Source: {kind.source}")
    if isinstance(step.operator, Boilerplate):
        recipe_passages.show(here, step.operator)
    if isinstance(step.operator, SubstringDedup):
        recipe_passages.offer_cut(here, step.operator)


@st.fragment
def _edit(here: Stage, step: Step) -> None:
    kind = type(step.operator)
    # A step that was changed elsewhere, or by undo, gets new widgets: the old ones would show their old values.
    scope = f"{step.id}-{digest([operator_digest([step.operator]), step.note])[:16]}"
    with forms.guard_form(kind.name):
        name = st.text_input(
            "Name", value=step.id, key=session.widget("form", scope, "step name"), max_chars=200,
            help="Stands in the rail, in the recipe and in the ledger.",
        )  # fmt: skip
        values = step.operator.model_dump(mode="json")
        form = forms.operator_form(kind, values, known=_known(here), scope=scope)
        note = st.text_input("Note", value=step.note, key=session.widget("form", scope, "note"))
        pressed = st.button("Apply", key=session.widget("form", scope, "apply"), type="primary")
        rule = form.build(wanted=pressed)
        if rule is None:
            return
        recipe = session.current().recipe
        origins = step.provenance if rule == step.operator else ()
        changed = recipe.replaced(step.id, operator=rule, note=note, provenance=origins)
        target = step.id
        if name != step.id:
            changed = changed.renamed(step.id, name)
            target = changed.steps[recipe.index(step.id)].id
        _offer(here, form, changed, target, pressed=pressed, name=f"edit/{scope}", said=_respelt(name, target))


def _respelt(name: str, target: str) -> str:
    """Return a note where the name that was typed cannot be the id of a step, else empty."""
    if name in (target, ""):
        return ""
    return f"The step is called {target}: names of steps have small letters a to z, digits, - and _, each name once."


def _offer(
    here: Stage, form: forms.Filled, recipe: Recipe, step: str, *, pressed: bool, name: str, said: str = ""
) -> None:
    """Take a recipe if people want it, else show what its new or changed step does; errors stand at their field."""
    try:
        if pressed:
            attempt(recipe=recipe)
            if said:
                session.say(said)
            st.rerun()
        shown = recipe.replaced(step, enabled=True)
        found = rule_preview.preview(here, shown, step)
    except TamisError as error:
        form.show(error)
        return
    rule_preview.show_price(here, shown, found, name=name)
    if found is not None:
        rule_preview.show_examples(here, shown, found)


def _known(here: Stage) -> forms.Known:
    return forms.Known(here.facts, here.opened)
