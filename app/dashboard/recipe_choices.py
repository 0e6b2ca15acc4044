"""Every recipe that a person can choose, in one list: saved, proposed, exported, measured, before the last edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from tamis.analytics.export.bundle import RECIPE_FILE
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import proposals_of
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.page_context import Stage
from tamis.data.jobs import list_jobs
from tamis.data.saved import SavedEntry, list_saved
from tamis.data.workspace import Workspace

EDITS = 5
DAY = 86_400


@dataclass(frozen=True)
class Choice:
    """A recipe that can be chosen.

    Attributes:
        label: its name, which no other choice has.
        note: where it comes from and when.
        load: returns it; may raise a ``TamisError``.
    """

    label: str
    note: str
    load: Callable[[], Recipe]


def recipe_choices(here: Stage) -> tuple[Choice, ...]:
    """Return the recipes to choose from, those that people named first, the latest of each kind first."""
    found: dict[str, Choice] = {}
    for choices in (_saved(here), _proposed(here), _edits(), _bundles(here), _jobs(here), _empty()):
        for choice in choices:
            found.setdefault(choice.label, choice)
    return tuple(found.values())


def saved_recipe(workspace: Workspace, entry: SavedEntry) -> Recipe:
    """Return a saved recipe.

    Raises:
        TamisError: it is not in the workspace, or not a recipe.
    """
    return Recipe.from_dict(workspace.value(entry.content))


def _saved(here: Stage) -> Iterator[Choice]:
    """Yield saved recipes; an older one of a name has its day."""
    seen: set[str] = set()
    for entry in list_saved(here.workspace, "recipe"):
        label = entry.name if entry.name not in seen else f"{entry.name} of {entry.at[:16].replace('T', ' ')} UTC"
        seen.add(entry.name)
        by = f" by {entry.who}" if entry.who else ""
        yield Choice(label, f"saved {ago(entry.at)}{by}", partial(saved_recipe, here.workspace, entry))


def _proposed(here: Stage) -> Iterator[Choice]:
    for proposal in proposals_of(cache.review_log(str(here.workspace.root), "").events()):
        for version in reversed(proposal.versions):
            note = f"{version.state}, by {version.who}, {ago(version.at)}"
            yield Choice(f"{proposal.name}, version {version.number}", note, version.recipe)


def _edits() -> Iterator[Choice]:
    """Yield the recipes before the last edits that changed a recipe."""
    now, seen = session.current(), {session.current().recipe.digest}
    for number, view in enumerate(reversed(now.past), start=1):
        if view.recipe.digest not in seen and len(seen) <= EDITS:
            seen.add(view.recipe.digest)
            steps = len(view.recipe.active)
            note = f"{steps} step{'' if steps == 1 else 's'}, in this session"
            label = f"before the last {number} edits" if number > 1 else "before the last edit"
            yield Choice(label, note, partial(_same, view.recipe))


def _bundles(here: Stage) -> Iterator[Choice]:
    files = [path / RECIPE_FILE for path in here.workspace.bundles.iterdir() if (path / RECIPE_FILE).is_file()]
    times = {path: path.stat().st_mtime for path in files}
    for path in sorted(files, key=lambda path: (-times[path], path.parent.name)):
        at = datetime.fromtimestamp(times[path], UTC).isoformat()
        yield Choice(f"bundle {path.parent.name}", f"exported {ago(at)}", partial(Recipe.from_file, path))


def _jobs(here: Stage) -> Iterator[Choice]:
    """Yield the recipes of jobs on this corpus."""
    for job in list_jobs(here.workspace.jobs):
        text = job.params.get("recipe")
        if text and job.params.get("fingerprint") == here.facts.corpus:
            at = datetime.fromtimestamp(job.started, UTC).isoformat()
            yield Choice(f"{job.title} · {job.id[-6:]}", f"{job.kind} {ago(at)}", partial(Recipe.from_yaml, str(text)))


def _same(recipe: Recipe) -> Recipe:
    return recipe


def _empty() -> Iterator[Choice]:
    yield Choice("an empty recipe", "keeps everything", Recipe)


def ago(at: str) -> str:
    """Return how long ago a time was, in words: "just now", "3 hours ago", "6 days ago"."""
    then = datetime.fromisoformat(at)
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - then).total_seconds()
    for size, unit in ((7 * DAY, "week"), (DAY, "day"), (3600, "hour"), (60, "minute")):
        number = int(seconds // size)
        if number and (unit != "week" or number > 1):
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def choose_recipe(here: Stage, title: str, *, key: str) -> Recipe | None:
    """Let a person choose a recipe from a list that starts with the live one; return it, None for the live one.

    Raises:
        TamisError: the chosen one cannot be read.
    """
    choices = {choice.label: choice for choice in recipe_choices(here)}
    live = "the live recipe"
    chosen = st.selectbox(
        title, [live, *choices], key=key,
        format_func=lambda label: label if label == live else f"{label} · {choices[label].note}",
    )  # fmt: skip
    return None if chosen == live or chosen not in choices else choices[chosen].load()
