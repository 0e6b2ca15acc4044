"""Changes of selection and recipe: each is tried first and waits if it needs a long measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.page_context import Stage, brief, stage, workspace
from tamis.app.jobs.worker import start_measure
from tamis.data.errors import TamisError

QUICK_SECONDS = 2.0
"""Measurements that take longer by their estimate run in the background, and the change waits for them."""


def adopt(*, selection: Sequence[RowOperator] | None = None, recipe: Recipe | None = None) -> bool:
    """Change selection or recipe as ``attempt`` does; on an error, leave a message and change nothing."""
    try:
        return attempt(selection=selection, recipe=recipe)
    except TamisError as error:
        session.say(brief(error), fault=True)
        return False


def attempt(*, selection: Sequence[RowOperator] | None = None, recipe: Recipe | None = None) -> bool:
    """Try a change of selection or recipe, make it, and return whether it is made.

    A change that needs a long measurement waits: the measurement runs as a job that the rail shows and that can be
    stopped, and the change is made when it is done.

    Raises:
        TamisError: the change is not valid; nothing is changed.
    """
    now = session.current()
    chosen = now.selection if selection is None else tuple(selection)
    wanted = now.recipe if recipe is None else recipe
    here = stage()
    waiting = here.opened.study.pending(wanted, chosen)
    if sum(step.estimate.seconds for step in waiting) > QUICK_SECONDS:
        _wait(here, chosen, wanted)
        return False
    cache.scene(replace(here.key, selection=chosen, recipe=wanted))
    session.edit(selection=selection, recipe=recipe)
    return True


def mend_selection() -> None:
    """Remove the conditions of a link that this corpus cannot select by, and say so."""
    now, here = session.current(), stage()
    if here.opened.unmeasured(now.recipe, now.selection):
        return
    try:
        cache.scene(here.key)
        return
    except TamisError:
        bad = {rule: why for rule in now.selection if (why := _refusal(here, rule))}
    if bad:
        session.put(replace(now, view=replace(now.view, selection=tuple(r for r in now.selection if r not in bad))))
        session.say("Removed from the selection: " + " ".join(bad.values()), fault=True)


def _refusal(here: Stage, rule: RowOperator) -> str:
    """Return why a condition cannot be selected, empty if it can."""
    try:
        cache.scene(cache.SceneKey(here.key.corpus, (rule,), Recipe()))
    except TamisError as error:
        return brief(error)
    return ""


def _wait(here: Stage, selection: tuple[RowOperator, ...], recipe: Recipe) -> None:
    """Start the measurement that a change needs, and store the change."""
    login.demand("owner", to="start a measurement")
    whole = reduce(lambda joined, rule: joined.with_operator(rule), selection, recipe)
    job = start_measure(here.opened.study.corpus, here.workspace, whole)
    change = session.SharedView(selection, recipe).to_value()
    session.choose(measuring=job.id, waiting=here.workspace.put_value(change))


def take_waiting() -> None:
    """Make the waiting change when its measurement is done; drop it when the measurement was stopped."""
    now = session.current()
    stored = now.setting("waiting")
    if not stored or now.setting("measuring"):
        return
    session.choose(waiting=None)
    change = session.SharedView.from_value(workspace().value(str(stored)))
    adopt(selection=change.selection, recipe=change.recipe)
