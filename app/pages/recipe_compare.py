"""The live recipe beside another one: which rules differ, and which documents, by reason, cluster and source."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.export.diff import DocumentDiff, diff_outcomes, diff_recipes
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.look import count, heading
from tamis.app.dashboard.page_context import Stage, show_error
from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs


def show(here: Stage) -> None:
    """Lay out the comparison."""
    others = _others(here)
    names = [*others, "paste one"]
    chosen = st.selectbox("Compare with", names, key="compare/with")
    try:
        before = others[chosen] if chosen in others else _pasted()
    except TamisError as error:
        show_error(error)
        return
    if before is None:
        return
    recipe = session.current().recipe
    changes = diff_recipes(before, recipe)
    heading("Rules", f"{len(changes)} differ")
    for change in changes:
        st.text(f"{change.change}  {change.step}: {change.after or change.before}")
        for name, old, new in change.params:
            st.text(f"      {name}: {old} -> {new}")
    if not changes:
        st.text("The rules are the same.")
        return
    if st.toggle("Compare the documents", key="compare/documents"):
        _documents(here, before, recipe)


def _others(here: Stage) -> dict[str, Recipe]:
    """Return recipes to compare with: those before the last edits, and those of jobs on this corpus."""
    found: dict[str, Recipe] = {"an empty recipe": Recipe()}
    now = session.current()
    for ago, view in enumerate(reversed(now.past), start=1):
        if view.recipe.digest != now.recipe.digest:
            found[f"the recipe {ago} edit{'' if ago == 1 else 's'} ago"] = view.recipe
        if ago >= 5:
            break
    for job in list_jobs(here.workspace.jobs):
        text = job.params.get("recipe")
        if text and job.params.get("fingerprint") == here.facts.corpus:
            try:
                recipe = Recipe.from_yaml(str(text))
            except TamisError:
                continue
            if recipe.digest != now.recipe.digest:
                found.setdefault(f"{recipe.title or 'untitled'} · {recipe.digest[:8]} ({job.kind})", recipe)
    return found


def _pasted() -> Recipe | None:
    text = st.text_area("Recipe as YAML", height=160, key="compare/text", placeholder="schema_version: 1\nsteps: []")
    return Recipe.from_yaml(text) if text.strip() else None


def _documents(here: Stage, before: Recipe, after: Recipe) -> None:
    """Show which documents the two recipes treat differently."""
    scenes = [cache.scene(cache.SceneKey(here.key.corpus, (), recipe)) for recipe in (before, after)]
    first, second = (scene.outcome for scene in scenes)
    assert first is not None and second is not None
    found: DocumentDiff = diff_outcomes(first, second, here.opened.facts)
    st.markdown(
        f"**{count(found.gained)}** documents gained, **{count(found.lost)}** lost, "
        f"{count(found.recounted)} with other copies, {count(found.same)} treated alike (exact)"
    )
    st.dataframe(found.reasons, hide_index=True, row_height=28)
    st.dataframe(found.groups, hide_index=True, row_height=28, height=240)
