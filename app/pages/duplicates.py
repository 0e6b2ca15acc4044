"""Duplicates: the rule under trial, what it would drop at its place in the recipe, and its groups and pairs.

Evaluation items in the corpus are the part Contamination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from tamis.analytics.operators.duplicates import NearDedup, PairDedup, SemanticDedup
from tamis.analytics.operators.image_duplicates import ImageExactDedup, ImageNearDedup, ImageSemanticDedup
from tamis.analytics.operators.keep_policy import KeepingPictures
from tamis.analytics.operators.operator import OPERATORS, new_params
from tamis.analytics.operators.sets import ExactDedup, GroupDedup
from tamis.analytics.recipe.recipe import Recipe, Step, operator_digest, params_of
from tamis.analytics.study.queries import (
    DuplicateSweep,
    Look,
    Rule,
    copies_sweep,
    duplicate_totals,
    group_sizes,
    look,
    reaching_rows,
    step_like,
    threshold_sweep,
)
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import QUICK_SECONDS, adopt
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import Stat, count, share, short, stats
from tamis.app.dashboard.page_context import Stage, plain, stage
from tamis.app.figures.figures import dial_figure, sizes_figure
from tamis.app.pages import contamination, duplicate_reading
from tamis.data.shapes import PICTURE

HEIGHT = 224
"""Pixels of the figures: room for ten sources in the legend."""
_KINDS: dict[str, type[Rule]] = {"exact": ExactDedup, "near": NearDedup, "semantic": SemanticDedup}
_PICTURES: dict[str, type[Rule]] = {"exact": ImageExactDedup, "near": ImageNearDedup, "semantic": ImageSemanticDedup}
_START = {"near": 0.8, "semantic": 0.95}
_POLICIES = ("longest", "shortest", "first id")
_LEVELS = {
    "near_dedup": "Jaccard of word 5-grams",
    "image_near_dedup": "Similarity of pictures",
    "semantic_dedup": "Cosine of vectors",
    "image_semantic_dedup": "Cosine of vectors",
}
_LOWEST = {"near_dedup": 0.5, "image_near_dedup": 0.6, "semantic_dedup": 0.85, "image_semantic_dedup": 0.85}
_PICTURE_POLICIES = ("largest", "sharpest", "best caption", "first id")


@dataclass(frozen=True)
class RuleTrial:
    """A rule under trial.

    Attributes:
        rule: the rule.
        step: the step of the recipe that it would replace, None where it would be a new one.
    """

    rule: Rule
    step: Step | None


def page() -> None:
    """Lay out the page."""
    here = stage()
    if "norm_group" not in here.facts.columns:
        st.info("Duplicates are not measured yet. The Overview page shows the missing steps.")
        return
    trial = _trial(here)
    if trial is None:
        return
    found = _look(here, trial)
    if found is None:
        return
    _headline(here, found, trial)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        _dials(here, found, _before(trial))
        duplicate_reading.choose(here, found)
    with right:
        duplicate_reading.read(here, found)


def _trial(here: Stage) -> RuleTrial | None:
    """Show the settings of the rule under trial; evaluation sets have a part of the page of their own."""
    now = session.current()
    pictures = here.opened.study.corpus.shape.kind == PICTURE
    known = _PICTURES if pictures else _KINDS
    kinds = {"exact": "Exact", "near": "Near", "semantic": "Semantic"}
    kinds |= {} if pictures else {"contamination": "Contamination"}
    first = str(now.setting("dup_kind", "exact"))
    first = first if first in kinds else "exact"
    chosen = session.widget_value("duplicates/kind", first)
    # In a row that wraps: on a small screen no word is cut.
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = st.segmented_control(
            "Kind", list(kinds), default=first, required=True, width="content",
            label_visibility="collapsed", format_func=lambda name: kinds[name], key="duplicates/kind",
        )  # fmt: skip
        widths = (230, 150, 250, 170) if chosen == "contamination" else (210, 130, 150, 170)
        cells = [st.container(width=width) for width in widths[chosen == "exact" :]]
    session.choose(dup_kind=kind)
    if kind == "contamination":
        contamination.show(here, cells)
        return None
    of = _part(here)
    step = step_like(now.recipe, OPERATORS.build(known[kind].name, {"of": of} if of else {}))  # type: ignore[arg-type]
    params = _settings(known[kind], kind, cells, None if step is None else step.operator)  # type: ignore[arg-type]
    base = params_of(step.operator) if step is not None else new_params(known[kind])
    rule = OPERATORS.build(known[kind].name, {**base, **params, **({"of": of} if of else {})})
    trial = RuleTrial(rule, step)  # type: ignore[arg-type]
    _measure_quickly(here, trial.rule)
    with cells[-1]:
        _adopt(here, trial)
    return trial


def _part(here: Stage) -> str:
    """Let people choose which part of conversations is compared; empty for whole texts."""
    scopes = here.opened.study.corpus.shape.scopes
    if not scopes:
        return ""
    of = st.segmented_control(
        "Compare", ["whole", *scopes], default=session.current().setting("dup_of", "whole"), required=True,
        format_func=lambda name: "Whole text" if name == "whole" else name.replace("_", " ").capitalize(),
        key="duplicates/of",
    )  # fmt: skip
    session.choose(dup_of=of)
    return "" if of == "whole" else str(of)


def _settings(rule: type[Rule], kind: str, cells: Sequence[Any], known: Rule | None) -> dict[str, Any]:
    """Show threshold, copies and policy, and return the parameters.

    They begin as the step of the recipe has them, and do so again when that step is changed, here or elsewhere.
    """
    mark = "" if known is None else operator_digest([known])[:12]
    start = float(known.level) if isinstance(known, PairDedup) else _START.get(kind, 1.0)
    offered = _PICTURE_POLICIES if issubclass(rule, KeepingPictures) else _POLICIES
    policy: tuple[int, str] = (1, offered[0]) if known is None else (known.max_copies, known.keep)
    stored = session.current().setting(f"dup_dials_{rule.name}")
    dials: Any = stored if stored and stored[0] == mark else (mark, round(start, 4), *policy)
    _, level, copies, keep = dials
    params: dict[str, Any] = {}
    if kind in _START:
        low = min(_LOWEST[rule.name], round(start, 2))
        key = session.widget("duplicates", "at", rule.name, mark)
        level = cells[0].slider(_LEVELS[rule.name], low, 0.99, min(0.99, max(low, round(level, 2))), 0.01, key=key)
        params |= {"threshold": level} if kind == "near" else {"eps": round(1 - level, 4)}
    key = session.widget("duplicates", "copies", rule.name, mark)
    copies = int(cells[-3].number_input("Copies kept", 1, 1000, int(copies), key=key))
    policies = list(dict.fromkeys([*offered, *([known.keep] if known is not None else [])]))
    place = policies.index(keep) if keep in policies else 0
    keep = cells[-2].selectbox(
        "Keep the", policies, index=place, key=session.widget("duplicates", "keep", rule.name, mark)
    )
    session.choose(**{f"dup_dials_{rule.name}": (mark, level, copies, keep)})
    return {**params, "keep": keep, "max_copies": copies}


def _measure_quickly(here: Stage, rule: Rule) -> None:
    """Measure at once what takes a moment only."""
    alone, study = Recipe().with_operator(rule), here.opened.study
    missing = study.pending(alone)
    if missing and login.may("owner") and sum(step.estimate.seconds for step in missing) <= QUICK_SECONDS:
        with st.spinner("Measuring similar pairs …"):
            study.measure(alone)


def _adopt(here: Stage, trial: RuleTrial) -> None:
    """Show the button that adds the rule, or changes the one that the recipe has."""
    recipe, rule = session.current().recipe, trial.rule
    ready = not here.opened.study.pending(Recipe().with_operator(rule))
    if trial.step is None:
        wanted, title, icon = recipe.with_operator(rule), "Add to the recipe", ":material/add:"
    else:
        wanted, title, icon = recipe.replaced(trial.step.id, operator=rule), "Update the rule", ":material/sync:"
        if trial.step.operator == rule:
            title, icon = "In the recipe", ":material/check:"
    help_ = None if trial.step is None else f"Changes the step {trial.step.id} of the recipe"
    same = trial.step is not None and trial.step.operator == rule
    st.button(
        title, key="duplicates/add", type="primary", icon=icon, disabled=not ready or same, help=help_,
        on_click=_take, args=(wanted,),
    )  # fmt: skip


def _take(recipe: Recipe) -> None:
    adopt(recipe=recipe)


def _look(here: Stage, trial: RuleTrial) -> Look | None:
    """Try the rule on the documents that reach it; a missing measurement is offered."""
    alone = Recipe().with_operator(trial.rule)
    if not offer_measurement(here, alone, what="Similar pairs", name="dup"):
        return None
    facts, recipe, before = here.opened.facts, session.current().recipe, _before(trial)
    rows = reaching_rows(here.scene.outcome, recipe, trial.step)
    found: Look = facts.memo.through(
        ("duplicates", facts.digest, trial.rule.name, repr(trial.rule), before),
        lambda: look(facts, here.opened.evidence, trial.rule, rows=rows),
        size=lambda seen: seen.view.rows.nbytes * 4,
    )
    return found


def _before(trial: RuleTrial) -> str:
    """Return the digest of the steps before the rule."""
    recipe = session.current().recipe
    end = len(recipe) if trial.step is None else recipe.index(trial.step.id)
    return operator_digest(step.operator for step in recipe.steps[:end] if step.enabled)


def _headline(here: Stage, found: Look, trial: RuleTrial) -> None:
    sums, total = duplicate_totals(found), here.opened.facts.n
    stats(
        [
            Stat("Would be dropped", count(sums.dropped)),
            Stat("Share of documents", share(sums.dropped, sums.documents)),
            *([Stat("Tokens", short(sums.dropped_tokens))] if "n_tokens" in here.facts.columns else []),
            Stat("Groups", count(sums.groups), f"{count(sums.large)} large", help="Large ones are marked: look first."),
        ]
    )
    where = "at the end of the recipe" if trial.step is None else f"as step {trial.step.id} of the recipe"
    reach = f"All {count(total)} documents"
    if sums.documents < total:
        reach = f"{count(sums.documents)} of {count(total)} documents, those that reach this rule {plain(where)}"
    st.caption(f"{reach}, exact. {plain(found.rule.sentence())}. Every drop has a kept twin.")


def _dials(here: Stage, found: Look, before: str) -> None:
    """Show what another threshold or another number of copies would drop."""
    names = ["Copies", "Group sizes"] if isinstance(found.rule, GroupDedup) else ["Threshold", "Copies", "Group sizes"]
    chosen = st.segmented_control(
        "Dial",
        names,
        default=names[0],
        required=True,
        key=f"duplicates/dial/{len(names)}",
        label_visibility="collapsed",
    )
    if chosen == "Threshold":
        figure = dial_figure(_thresholds(here, found, before), title="similarity threshold", height=HEIGHT)
    elif chosen == "Copies":
        figure = dial_figure(copies_sweep(found), title="copies kept of a group", height=HEIGHT, log=True)
    else:
        figure = sizes_figure(group_sizes(found), height=HEIGHT)
    st.plotly_chart(figure, key="duplicates/figure", config={"displayModeBar": False}, alt=f"Effect of {chosen}")


def _thresholds(here: Stage, found: Look, before: str) -> DuplicateSweep:
    """Return what other thresholds would drop; it is the same at whatever threshold the rule stands."""
    assert not isinstance(found.rule, GroupDedup)
    alike = found.rule.model_copy(
        update={"eps" if isinstance(found.rule, SemanticDedup | ImageSemanticDedup) else "threshold": 0}
    )
    swept: DuplicateSweep = here.opened.facts.memo.through(
        ("thresholds", here.opened.facts.digest, found.rule.name, repr(alike), repr(found.rule.measure), before),
        lambda: threshold_sweep(found),
        size=lambda sweep: int(sweep.by_source.nbytes),
    )
    return replace(swept, current=found.rule.level)
