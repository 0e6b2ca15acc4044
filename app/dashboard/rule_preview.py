"""What a rule would drop, before it is part of the recipe: documents, tokens, and examples from both sides."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.export.edit_preview import PLACES, EditPreview, preview_edits
from tamis.analytics.operators.operator import TextOperator, TrainingOperator
from tamis.analytics.recipe.outcome import Count
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.spans import spans
from tamis.analytics.steps.scopes import split_scope
from tamis.analytics.study.queries import StepPreview, preview_step
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.changes import QUICK_SECONDS
from tamis.app.dashboard.conversation_view import unlike
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.dashboard.picture_html import sheet
from tamis.app.dashboard.text_view import card, extract
from tamis.data.errors import TamisError

PREVIEW = 300
EDITED, LEAD = 420, 80
"""Characters shown of a text that a step changes, and of those before the first change."""
SCANNED = 20_000
"""Characters of an example in which the places of a signal are looked for."""


def preview(here: Stage, recipe: Recipe, step: str, *, last: str | None = None) -> StepPreview | None:
    """Return what a step of a recipe under trial does; None where a long measurement must run first.

    Args:
        here: the stage.
        recipe: the recipe under trial.
        step: id of the step.
        last: id of the last of several steps looked at together.

    Raises:
        TamisError: the recipe cannot run on this corpus.
    """
    if sum(each.estimate.seconds for each in here.opened.study.pending(recipe)) > QUICK_SECONDS:
        return None
    found: StepPreview = cache.ask(cache.SceneKey(here.key.corpus, (), recipe), preview_step, step=step, last=last)
    return found


def try_new(here: Stage, recipe: Recipe, *, name: str) -> None:
    """Show what the new step of a recipe under trial drops.

    Args:
        here: the stage.
        recipe: the recipe under trial.
        name: prefix of the keys of the measurement.
    """
    try:
        found = preview(here, recipe, recipe.beside(session.current().recipe)[-1].id)
    except TamisError as error:
        show_fault(error)
        return
    show_price(here, recipe, found, name=name)
    if found is not None:
        show_examples(here, recipe, found)


def show_price(here: Stage, recipe: Recipe, found: StepPreview | None, *, name: str) -> None:
    """Say in one line what the step drops and what the recipe then keeps; or offer the measurement it needs.

    Args:
        here: the stage.
        recipe: the recipe under trial.
        found: of ``preview``.
        name: prefix of the keys of the measurement.
    """
    if found is None:
        offer_measurement(here, recipe, what="What it drops is not known yet: the values that it reads", name=name)
        return
    operator = recipe.step(found.step).operator
    if isinstance(operator, TrainingOperator):
        st.markdown("drops nothing: `tamis prepare` reads it when it makes training files")
        return
    if isinstance(operator, TextOperator):
        return  # It drops nothing: what it changes is said beside the examples.
    st.markdown(price(found, _now(here)))


def price(found: StepPreview, now: Count | None) -> str:
    """Return what a step drops, and what the recipe keeps with it and now, as Markdown.

    Args:
        found: what the step does.
        now: what the live recipe keeps, None without one.
    """
    dropped = f"drops **{count(found.documents)}** of the {count(found.before.documents)} documents that reach it"
    tokens = found.tokens
    words = (
        f"**{short(tokens)}** tokens ({share(tokens, found.before.tokens)})"
        if tokens >= 0
        else f"and adds **{short(-tokens)}** tokens by repeating documents"
    )
    kept = f"the recipe then keeps {count(found.output.documents)} documents"
    instead = "" if now is None or now == found.output else f" instead of {count(now.documents)}"
    part = share(found.documents, found.before.documents)
    return f"{dropped} ({part}), {words} · {kept}{instead} · exact"


def _now(here: Stage) -> Count | None:
    outcome = here.scene.outcome
    return None if outcome is None else outcome.output


def show_examples(here: Stage, recipe: Recipe, found: StepPreview) -> None:
    """Show documents that the steps drop beside those that they let pass, duplicates with the twin that is kept.

    A text step drops nothing: documents that it changes are shown, before and after.
    """
    operator = recipe.step(found.step).operator
    if isinstance(operator, TrainingOperator):
        return
    if isinstance(operator, TextOperator):
        _show_edits(here, recipe, found.step)
        return
    signal = str(getattr(operator, "signal", None) or "")
    several = bool(set(found.reasons) - {found.step})
    left, right = st.columns(2, gap="medium")
    marked = False
    for place, title, rows, twins in (
        (left, "Would be dropped", found.dropped.tolist(), found.twins),
        (right, "Would stay", found.kept.tolist(), (-1,) * len(found.kept)),
    ):
        with place:
            st.markdown(f"**{title}**")
            notes = [f"by {reason}" for reason in found.reasons] if several and place is left else [""] * len(rows)
            body, some = _cards(here, rows, twins, "" if several else signal, notes)
            st.html(body)
            marked = marked or some
    more = f"; marked: what {plain(here.facts.info(signal).title.lower())} comes from" if marked else ""
    st.caption(f"At most {len(found.dropped) or len(found.kept)} of each side by keyed hash, seed {found.seed}{more}.")


def _cards(
    here: Stage, rows: Sequence[int], twins: Sequence[int], signal: str, notes: Sequence[str]
) -> tuple[str, bool]:
    """Return examples as cards, each followed by its note and its kept twin, and whether places are marked."""
    if not rows:
        return '<div class="tamis-muted">No documents.</div>', False
    others = [twin for twin in twins if twin >= 0]
    read = dict(zip([*rows, *others], here.readings([*rows, *others]), strict=True))
    if here.pictures and not others and not any(notes):
        return sheet([read[row] for row in rows]), False
    cards, marked = [], False
    for row, twin, note in zip(rows, twins, notes, strict=True):
        name = split_scope(signal)[1] if signal in here.facts.columns else ""
        places = spans(read[row].text[:SCANNED], name) if name else []
        marked = marked or bool(places)
        cards.append(card(read[row], places, length=PREVIEW))
        if note:
            cards.append(f'<div class="tamis-twin"><span>{escape(note)}</span></div>')
        if twin >= 0:
            cards.append(f'<div class="tamis-twin"><span>kept twin</span>{card(read[twin], length=PREVIEW)}</div>')
    return f'<div class="tamis-samples">{"".join(cards)}</div>', marked


def _show_edits(here: Stage, recipe: Recipe, step: str) -> None:
    """Show texts that a text step changes, before and after, with the words that differ marked."""
    scene, study = cache.scene(cache.SceneKey(here.key.corpus, (), recipe)), here.opened.study
    outcome = scene.outcome
    assert outcome is not None
    found: EditPreview = here.facts.memo.through(
        ("edits", here.facts.digest, scene.digest, repr(recipe.step(step).operator), step),
        lambda: preview_edits(study.corpus, study.documents, outcome, step),
        size=lambda seen: 100 + sum(len(each.before) + len(each.after) for each in seen.examples),
    )
    st.markdown(changes(found))
    for change in found.examples:
        differ = word_diff(change.before[:SCANNED], change.after[:SCANNED])
        begin = max(0, next((span.start for span in differ.left if not span.same), 0) - LEAD)
        sides = (("Before", change.before, differ.left), ("After", change.after, differ.right))
        for cell, (title, text, marks) in zip(st.columns(2, gap="medium"), sides, strict=True):
            body = extract(text, unlike(marks), begin=begin, length=EDITED)
            cell.html(f'<div class="tamis-muted">{title}</div>{body}')


def changes(found: EditPreview) -> str:
    """Return how many texts a text step changes, as Markdown; it says what was looked at."""
    looked = f"all {count(found.reached)}" if found.exact else f"{count(found.looked)} of {count(found.reached)}"
    sampled = "exact" if found.exact else f"from {PLACES} places by keyed hash, seed 0"
    words = f"drops nothing and changes **{count(found.changed)}** of the documents looked at, {looked} that reach it"
    return f"{words} ({sampled})" + (f"; **{count(found.emptied)}** of them have no text left" if found.emptied else "")
