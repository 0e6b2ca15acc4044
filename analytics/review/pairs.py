"""Answers to "is this the same document?": pairs of documents, and what the answers say about duplicate rules.

Whether a near-copy should go cannot be said of it alone: without its kept twin anybody would keep it. So a document
that a duplicate rule drops is judged beside its twin, and its decision is the answer about that pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.review.agreement import Votes
from tamis.analytics.review.queues import document_rows
from tamis.analytics.study.scene import Scene
from tamis.data.hashing import digest
from tamis.data.reviews import Event

SAME, DIFFERENT, UNSURE = "drop", "keep", "unsure"
"""Decisions of the review store on a pair: one of the two may go, both must stay, nobody can tell."""


def pair_subject(one: str, other: str) -> str:
    """Return the subject of reviews of two documents: a digest of both ids, the same in either order."""
    return digest(["pair", *sorted((one, other))])


def pair_context(one: str, other: str) -> dict[str, Any]:
    """Return what a decision on a pair carries, so that it can be read without the corpus."""
    return {"documents": sorted((one, other))}


def twin_rows(outcome: Outcome, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the facts row of the kept twin of documents that a duplicate rule drops, int64 (rows,), else -1.

    Args:
        outcome: of a recipe.
        rows: int64 (m,), facts rows; -1 has no twin.
    """
    found = np.full(len(rows), -1, dtype=np.int64)
    numbers = np.where(rows >= 0, outcome.deciding[rows], 0)
    for number in np.unique(numbers[numbers > 0]).tolist():
        step = outcome.steps[number - 1]
        trace = outcome.traces.get(step.id)
        if trace is None or trace.decision.twin is None or not isinstance(step.operator, Keeping):
            continue
        mine = np.flatnonzero(numbers == number)
        found[mine] = trace.decision.twin[np.searchsorted(trace.rows, rows[mine])]
    return found


def document_votes(scene: Scene, events: Iterable[Event]) -> Votes:
    """Return the votes on documents under the live recipe.

    A document dropped as the duplicate of another has the answers about this pair, and no other decision counts;
    every other document has its own decisions.
    """
    said = [event for event in events if event.kind == "decision" and event.subject_kind in ("document", "pair")]
    names = sorted({name for event in said for name in _documents(event)})
    twins = _twins(scene, names)
    return Votes.of(vote for event in said for vote in _as_votes(event, twins))


def _documents(event: Event) -> Sequence[str]:
    """Return the ids of the documents an event is about; empty for a pair that its subject does not confirm."""
    if event.subject_kind == "document":
        return (event.subject,)
    names = event.context.get("documents")
    if not isinstance(names, list) or len(names) != 2 or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names) if pair_subject(*names) == event.subject else ()


def _twins(scene: Scene, names: Sequence[str]) -> Mapping[str, str]:
    """Return the id of the kept twin of each of these documents that a duplicate rule drops."""
    if scene.outcome is None or not names:
        return {}
    twins = twin_rows(scene.outcome, document_rows(scene.facts, names))
    ids = scene.facts.ids
    return {name: ids[row].as_py() for name, row in zip(names, twins.tolist(), strict=True) if row >= 0}


def _as_votes(event: Event, twins: Mapping[str, str]) -> Iterator[Event]:
    names = _documents(event)
    if event.subject_kind == "document":
        if event.subject not in twins:
            yield event
        return
    for name, other in zip(names, reversed(names), strict=True):
        if twins.get(name) == other:
            yield replace(event, subject_kind="document", subject=name)
