"""The live recipe beside another one: which rules differ, and which documents are lost and gained, by what."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from tamis.analytics.export.diff import DocumentDiff, diff_recipes
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import sample_of
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import count, heading, share
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.dashboard.recipe_choices import Choice, recipe_choices
from tamis.app.dashboard.text_view import cards
from tamis.data.errors import TamisError

SHOWN = 8
EXAMPLES = 6
PREVIEW = 240
_MORE, _PASTE = "one of the others …", "one that I paste …"


def show(here: Stage) -> None:
    """Lay out the comparison."""
    try:
        before = _other(recipe_choices(here))
    except TamisError as error:
        show_fault(error)
        return
    if before is None:
        return
    recipe = session.current().recipe
    changes = diff_recipes(before, recipe)
    heading("Rules", "the same" if not changes else "1 differs" if len(changes) == 1 else f"{len(changes)} differ")
    for change in changes:
        st.text(f"{change.change}  {change.step}: {change.after or change.before}")
        for name, old, new in change.params:
            st.text(f"      {name}: {old} -> {new}")
    if changes:
        documents(here, before, recipe, name="compare")


def _other(choices: tuple[Choice, ...]) -> Recipe | None:
    """Let people choose the recipe to compare with: the first ones by one click, the others from a list."""
    first, more = {choice.label: choice for choice in choices[:SHOWN]}, choices[SHOWN:]
    options = [*first, *([_MORE] if more else []), _PASTE]
    chosen = st.radio(
        "Compare with", options, index=None, key="compare/with", format_func=plain,
        captions=[plain(first[label].note) if label in first else "" for label in options],
    )  # fmt: skip
    if chosen is None:
        st.caption("Recipes saved under a name, proposals, bundles, those of jobs, and those before your last edits.")
        return None
    if chosen in first:
        return first[chosen].load()
    if chosen == _MORE:
        found = st.selectbox(
            "More recipes", more, index=None, key="compare/more", format_func=lambda each: f"{each.label} · {each.note}"
        )
        return None if found is None else found.load()
    text = st.text_area("Recipe as YAML", height=160, key="compare/text", placeholder="schema_version: 1\nsteps: []")
    return Recipe.from_yaml(text) if text.strip() else None


def documents(here: Stage, before: Recipe, after: Recipe, *, name: str) -> None:
    """Show the documents that a second recipe loses and gains: how many, why, where, examples; each can be selected.

    Args:
        here: the stage.
        before, after: the recipes.
        name: prefix of the keys of widgets.
    """
    if not offer_measurement(here, before, what="Values that the other recipe reads", name=name):
        return
    try:
        found = cache.difference(cache.RecipePair(here.key.corpus, before, after))
    except TamisError as error:
        show_fault(error)
        return
    st.markdown(
        f"**{count(found.lost)}** documents lost, **{count(found.gained)}** gained, "
        f"{count(found.recounted)} with other copies, {count(found.same)} treated alike (exact)"
    )
    for word, rows in (("lost", found.lost_rows), ("gained", found.gained_rows)):
        if len(rows):
            _side(here, word, rows, name=name)
    st.dataframe(found.reasons, hide_index=True, row_height=28)
    st.dataframe(_named(here, found), hide_index=True, row_height=28, height=240)


def _side(here: Stage, word: str, rows: NDArray[np.int64], *, name: str) -> None:
    """Show examples of one side, and the button that selects all of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{word.capitalize()}** · {share(len(rows), here.facts.n)} of all documents")
        pressed = st.button(f"Select the {count(len(rows))} {word}", key=session.widget(name, "select", word))
    if pressed:
        stored = here.workspace.put_ids(here.facts.ids.take(pa.array(rows)))
        rule = OPERATORS.build("id_list", {"stored": stored, "mode": "keep"})
        assert isinstance(rule, RowOperator)
        adopt(selection=(rule,))
        st.rerun()
    mask = np.zeros(here.facts.n, dtype=np.bool_)
    mask[rows] = True
    shown = sample_of(here.facts, mask, n=EXAMPLES)
    st.html(cards(here.readings(shown.tolist()), length=PREVIEW))
    st.caption(f"{len(shown)} of {count(len(rows))} by keyed hash, seed 0.")


def _named(here: Stage, found: DocumentDiff) -> pa.Table:
    """Return the groups of a difference with the titles of columns and the names of clusters."""
    names = here.opened.cluster_names() | {"-1": "unclustered"}
    columns, values = found.groups.column("column").to_pylist(), found.groups.column("value").to_pylist()
    shown = [names.get(str(v), v) if c == "cluster" else v for c, v in zip(columns, values, strict=True)]
    titles = [here.facts.info(name).title for name in columns]
    table = found.groups.set_column(0, "by", pa.array(titles, pa.string()))
    return table.set_column(1, "value", pa.array(shown, pa.string()))
