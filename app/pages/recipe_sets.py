"""Published rule sets on the Recipe page: what one would drop is seen before its rules become steps of the recipe."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.recipe.presets import RULE_SETS, RuleSet, with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import cache, rule_preview, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import share
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.data.errors import TamisError


def show(here: Stage) -> None:
    """Offer the published rule sets; each becomes ordinary steps that can be edited."""
    unfolded = st.expander(
        "Add a published rule set", icon=":material/library_add:", on_change="rerun", key="recipe/sets"
    )
    if not unfolded.open:
        return
    with unfolded:
        counted = st.toggle("Say what each would keep on its own", key="preset/count")
        looked = session.current().setting("rule_set")
        for name, rules in sorted(RULE_SETS.items()):
            _row(here, name, rules, counted=counted, looked=looked == name)
            if looked == name:
                with st.container(border=True, key="rule_set_preview"):
                    _look(here, name, rules)


def _row(here: Stage, name: str, rules: RuleSet, *, counted: bool, looked: bool) -> None:
    """Show one rule set, and the button that shows what it drops."""
    missing = sorted(set(rules.reads()) - set(here.facts.columns))
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall"):
            kept = f" · {_kept(here, name)}" if counted and not missing else ""
            st.markdown(f"**{plain(rules.title)}** · {len(rules.rules)} rules{kept}")
            st.caption(plain(f"{rules.note} {rules.source}".strip()))
        st.button(
            f"Close {rules.title}" if looked else f"Look at {rules.title}", key=session.widget("preset", name),
            disabled=bool(missing), on_click=session.choose, kwargs={"rule_set": None if looked else name},
            help=f"This corpus has no {', '.join(missing)}" if missing else "What it drops, before it is added",
        )  # fmt: skip


def _kept(here: Stage, name: str) -> str:
    """Return the share of the corpus' documents and tokens that a rule set keeps."""
    scene = cache.scene(cache.SceneKey(here.key.corpus, (), with_rule_set(Recipe(), name)))
    assert scene.outcome is not None
    first, last = scene.outcome.input, scene.outcome.output
    return f"keeps {share(last.documents, first.documents)} of documents, {share(last.tokens, first.tokens)} of tokens"


def _look(here: Stage, name: str, rules: RuleSet) -> None:
    """Show what the rules drop at the end of the recipe, with documents of both sides, and add them."""
    recipe = session.current().recipe
    tried = with_rule_set(recipe, name)
    added = tried.beside(recipe)
    step, last = added[0].id, added[-1].id
    st.button(
        f"Add the {len(rules.rules)} rules", key="preset/add", type="primary", on_click=_add, args=(tried,),
    )  # fmt: skip
    try:
        found = rule_preview.preview(here, tried, step, last=last)
    except TamisError as error:
        show_fault(error)
        return
    rule_preview.show_price(here, tried, found, name="preset")
    if found is not None:
        rule_preview.show_examples(here, tried, found)


def _add(recipe: Recipe) -> None:
    if adopt(recipe=recipe):
        session.choose(rule_set=None)
