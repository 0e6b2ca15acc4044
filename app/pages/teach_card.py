"""The card that teaches a concept: examples in, a classifier with its figures out, what to label next, its rule."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import streamlit as st

from tamis.analytics.effect.holdout_curve import LEAST
from tamis.analytics.effect.label_classifier import Examples
from tamis.analytics.effect.taught_concept import ConceptScores, TaughtConcept, unlabelled
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.tags import tags_of
from tamis.analytics.review.taught_labels import tagged_examples, voted_examples
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import offer_job, offer_measurement
from tamis.app.dashboard.look import Stat, count, heading, share, stats
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.concept import holdout_figure, reliability_figure, scores_figure
from tamis.app.jobs.teach import start_teaching, taught_concepts
from tamis.data.errors import TamisError
from tamis.data.reviews import Event

KEPT, DROPPED, SELECTION, RANDOM = "What reviewers keep", "What reviewers drop", "The selection", "Random documents"
DRAWN = 50
"""Random documents that stand for what is not like the examples."""
SNIPPET = 140
QUIET = {"displayModeBar": False}


def unfold(here: Stage, events: Sequence[Event]) -> None:
    """Offer to teach a concept, unfolded by a click."""
    # A new key folds the card, so that a document which it opened in the queue is on the screen.
    key = session.widget("teach", "card", str(session.current().setting("teach_round", 0)))
    card = st.expander("Teach a concept from your labels", icon=":material/school:", key=key, on_change="rerun")
    if card.open:
        with card:
            try:
                _show(here, events)
            except TamisError as error:
                show_fault(error)


def _show(here: Stage, events: Sequence[Event]) -> None:
    st.caption(
        "Give examples of what you look for and of what you do not: the votes on this page, tags, the selection, or "
        "pasted texts. A classifier learns them, says how well, scores every document, and becomes a rule."
    )
    like, unlike, name = _labels(here, events)
    ready = min(_size(like), _size(unlike)) >= LEAST and bool(name)
    st.caption(
        f"{count(_size(like))} examples and {count(_size(unlike))} counterexamples; {LEAST} different ones of each are "
        "the least, 30 a good start." + ("" if name else " Give the concept a name.")
    )
    offer_job(
        here, "Teach", "teach_job", lambda: start_teaching(here.opened.study, like, unlike, name=name),
        seconds=8 + here.facts.n / 50_000, ready=ready,
    )  # fmt: skip
    known = taught_concepts(here.workspace, here.opened.study.corpus)
    if known:
        names = list(known)
        chosen = st.selectbox("Taught concept", names, key="teach/chosen") if len(names) > 1 else names[0]
        _result(here, known[chosen])


def _size(given: Examples) -> int:
    return len(set(given.rows)) + len(set(given.texts))


def _labels(here: Stage, events: Sequence[Event]) -> tuple[Examples, Examples, str]:
    """Show where labels come from, and return the examples of both classes and the name."""
    tags = sorted({mark.text for mark in tags_of(events)})
    there = [SELECTION] if session.current().selection else []
    cells = st.columns([2, 3, 3], vertical_alignment="bottom")
    name = cells[0].text_input("Name of the concept", placeholder="complaints", key="teach/name", max_chars=60).strip()
    wanted = cells[1].multiselect(
        "Examples", [KEPT, *there, *map(_tag, tags)], default=[KEPT], key="teach/like", placeholder="none chosen"
    )
    other = cells[2].multiselect(
        "Counterexamples", [DROPPED, *there, *map(_tag, tags), RANDOM], default=[DROPPED], key="teach/unlike",
        placeholder="none chosen", help=f"{RANDOM}: {DRAWN} by hash, taken as not like the examples",
    )  # fmt: skip
    left, right = st.columns(2)
    pasted = [
        cell.text_area(title, height=90, key=f"teach/{side}_texts", placeholder="blank lines between texts")
        for cell, title, side in (
            (left, "Pasted examples", "like"),
            (right, "Pasted counterexamples", "unlike"),
        )
    ]
    like = _examples(here, events, wanted) + _pasted(pasted[0])
    unlike = _examples(here, events, [each for each in other if each != RANDOM]) + _pasted(pasted[1])
    if RANDOM in other:
        unlike += unlabelled(here.opened.study, like, count=DRAWN)
    return like, unlike, name


def _tag(text: str) -> str:
    return f"Tag: {text}"


def _pasted(text: str) -> Examples:
    return Examples(texts=tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()))


def _examples(here: Stage, events: Sequence[Event], chosen: Sequence[str]) -> Examples:
    """Return the documents that the chosen sources name."""
    study, found = here.opened.study, Examples()
    kept, dropped = voted_examples(study, events)
    for each in chosen:
        if each == SELECTION:
            found += Examples(rows=tuple(np.flatnonzero(here.scene.selected).tolist()))
        elif each in (KEPT, DROPPED):
            found += kept if each == KEPT else dropped
        else:
            found += tagged_examples(study, events, each.removeprefix(_tag("")))
    return found


def _result(here: Stage, concept: TaughtConcept) -> None:
    """Show the classifier: its figures, its scores on this corpus, its rule, and what to label next."""
    recipe = Recipe().with_operator(concept.rule())
    if not offer_measurement(here, recipe, what=f"The scores of {plain(concept.name)} on this corpus", name="teach"):
        return
    scores = cache.concept_scores(cache.ConceptKey(here.key.corpus, concept.rule()))
    heading(f"{concept.name}", f"learnt from {concept.likes} examples and {concept.unlikes} counterexamples")
    last, calibration = concept.curve[-1], concept.calibration
    key = session.widget("teach", "floor", concept.model[:12])
    floor = st.slider("Least probability", 0.05, 0.95, _first_floor(scores), 0.05, key=key)
    kept = scores.at_least(floor)
    stats([
        Stat("Average precision", f"{last.average_precision:.2f}", f"{last.low:.2f} to {last.high:.2f}",
             f"Of held-out labels, 95% interval; chance is {concept.chance:.2f}"),
        Stat("Chance", f"{concept.chance:.2f}", help="The share of examples among the labels"),
        Stat("Brier score", f"{calibration.brier:.3f}", f"{calibration.constant:.3f} without a classifier",
             "Mean squared error of held-out probabilities; lower is better"),
        Stat("Would be kept", count(kept), share(kept, here.facts.n), "Documents of at least this probability, exact"),
    ])  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Add as a rule", key="teach/rule", type="primary", help="Keeps documents of this probability"):
            note = f"taught: {concept.name}, {concept.likes} examples and {concept.unlikes} counterexamples"
            if adopt(recipe=session.current().recipe.with_operator(concept.rule(floor), note=note[:200])):
                session.say(f"The rule {concept.name} is in the recipe.")
            st.rerun()
        st.caption(
            "Probabilities hold for documents drawn as the labels were: look at what it keeps before you trust them."
        )
    _pictures(concept, scores, floor)
    _drift(scores)
    _next(here, concept)


def _first_floor(scores: ConceptScores) -> float:
    """Return one half, or where no document reaches it the largest step below that some reach."""
    return next((step / 20 for step in range(10, 1, -1) if scores.at_least(step / 20)), 0.05)


def _pictures(concept: TaughtConcept, scores: ConceptScores, floor: float) -> None:
    figures = (
        ("How well it learns", holdout_figure(concept.curve, chance=concept.chance), "Average precision by labels"),
        ("Are probabilities true?", reliability_figure(concept.calibration), "Observed share by probability"),
        ("All documents", scores_figure(scores, floor=floor), "Documents by probability"),
    )
    for cell, (title, figure, alt) in zip(st.columns(3, gap="small"), figures, strict=True):
        cell.markdown(f"**{title}**")
        cell.plotly_chart(figure, key=f"teach/{title}", config=QUIET, alt=alt)


def _drift(scores: ConceptScores) -> None:
    found = scores.drift
    if found is not None:
        mark = ":material/warning:" if found.drifts else ":material/check:"
        st.markdown(f"{mark} **Drift.** {found.sentence}")


def _next(here: Stage, concept: TaughtConcept) -> None:
    """Offer the documents whose labels would teach most; a click opens one in the queue above."""
    proposed = concept.next_in(here.opened.study)
    if not proposed:
        return
    heading("Label these next", "the classifier is unsure of them, and many documents are like them")
    ids = tuple(each.id for each in proposed)
    texts = here.opened.texts([each.row for each in proposed])
    for each, text in zip(proposed, texts, strict=True):
        whole = re.sub(r"\s+", " ", text)
        snippet = whole if len(whole) <= SNIPPET else f"{whole[: SNIPPET - 1]}…"
        st.button(
            plain(f"{each.probability:.2f} · {snippet}"), key=session.widget("teach", "next", each.id), type="tertiary",
            icon=":material/label:", on_click=_open, args=(here, ids, each.id), help=plain(f"Label {each.id}"),
            disabled=not login.may("reviewer"),
        )  # fmt: skip


def _open(here: Stage, ids: tuple[str, ...], document: str) -> None:
    """Select the proposed documents, and open one of them in the queue of the selection."""
    rule = OPERATORS.build("id_list", {"ids": sorted(ids)})
    if adopt(selection=[rule]):  # type: ignore[list-item]
        again = int(session.current().setting("teach_round", 0)) + 1
        session.choose(review_kind="selection", review_open=document, review_at=None, teach_round=again)
