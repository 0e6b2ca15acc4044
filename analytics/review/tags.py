"""Tags and notes of people on a selection, which restore it, and a cap on its kept documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import params_of
from tamis.analytics.study.documents import sample_of
from tamis.analytics.study.scene import Scene
from tamis.data.errors import RecipeError, SettingError
from tamis.data.hashing import digest, mix_keys
from tamis.data.reviews import Event, Kind, event_key

LONGEST_TAG = 60


@dataclass(frozen=True)
class SelectionMark:
    """A tag or a note on a selection.

    Attributes:
        subject: digest of the selection.
        text: the tag or the note.
        who, at: person and time (UTC, ISO 8601).
        documents: number of selected documents at that time.
        content: the rules of the selection as JSON values.
    """

    subject: str
    text: str
    who: str
    at: str
    documents: int
    content: tuple[Any, ...]

    def rules(self) -> tuple[RowOperator, ...]:
        """Return the rules of the selection.

        Raises:
            RecipeError: the rules are not valid, or not those of the selection.
        """
        try:
            built = [OPERATORS.build(str(item["operator"]), item["params"]) for item in self.content]
        except (TypeError, KeyError):
            raise RecipeError("The stored selection cannot be read", value=self.text) from None
        rules = tuple(rule for rule in built if isinstance(rule, RowOperator))
        if len(rules) != len(built) or selection_digest(rules) != self.subject:
            raise RecipeError("The stored selection is not the one that was marked", value=self.text)
        return rules


def selection_digest(selection: Sequence[RowOperator]) -> str:
    """Return the digest of a selection's rules in any order."""
    return digest(sorted(digest(item) for item in _content(selection)))


def _content(selection: Sequence[RowOperator]) -> list[dict[str, Any]]:
    return [{"operator": rule.name, "params": params_of(rule)} for rule in selection]


def make_mark(
    kind: Kind, text: str, *, selection: Sequence[RowOperator], corpus: str, documents: int, who: str, before: int = 0
) -> Event:
    """Return the event that tags a selection, removes a tag, or adds a note.

    Args:
        kind: ``tag``, ``untag`` or ``note``.
        text: the tag or the note.
        selection: rules, at least one.
        corpus: content fingerprint.
        documents: number of selected documents.
        who: writes the tag or note.
        before: number of events of this kind on the selection, so that a second tag after an untag is new.

    Raises:
        RecipeError: nothing is selected.
        SettingError: the tag is empty, too long or not printable.
    """
    if not selection:
        raise RecipeError("Nothing is selected", fix="select documents on any page first")
    words = " ".join(text.split()) if kind != "note" else text.strip()
    if not words or (kind != "note" and (len(words) > LONGEST_TAG or not words.isprintable())):
        raise SettingError(f"A {kind} cannot be this", value=text, allowed=f"1 to {LONGEST_TAG} printable characters")
    subject = selection_digest(selection)
    context = {"rules": _content(selection), "documents": documents}
    key = event_key(kind, corpus, subject, words, who, before)
    return Event(key, who, corpus, "selection", subject, kind, words, context)


def tags_of(events: Iterable[Event]) -> tuple[SelectionMark, ...]:
    """Return the current tags by tag and time, without those removed later."""
    found: dict[tuple[str, str], SelectionMark] = {}
    for event in events:
        if event.subject_kind == "selection" and event.kind == "tag":
            found.setdefault((event.subject, event.value), _mark(event))
        elif event.subject_kind == "selection" and event.kind == "untag":
            found.pop((event.subject, event.value), None)
    return tuple(sorted(found.values(), key=lambda mark: (mark.text.lower(), mark.at, mark.subject)))


def notes_of(events: Iterable[Event], selection: Sequence[RowOperator]) -> tuple[SelectionMark, ...]:
    """Return the notes on a selection in the order of writing."""
    subject = selection_digest(selection)
    return tuple(
        _mark(event)
        for event in events
        if (event.subject_kind, event.kind, event.subject) == ("selection", "note", subject)
    )


def _mark(event: Event) -> SelectionMark:
    rules, documents = event.context.get("rules"), event.context.get("documents")
    return SelectionMark(
        event.subject, event.value, event.reviewer, event.at, documents if isinstance(documents, int) else 0,
        tuple(rules) if isinstance(rules, list) else (),
    )  # fmt: skip


@dataclass(frozen=True)
class CapPreview:
    """What a cap on a selection drops.

    Attributes:
        reached: selected documents that the recipe keeps.
        documents, tokens: what it drops of them, exact.
        dropped, kept: int64 (<= n,), facts rows of examples of both sides.
    """

    reached: int
    documents: int
    tokens: int
    dropped: NDArray[np.int64]
    kept: NDArray[np.int64]


def preview_cap(scene: Scene, *, most: int, n: int = 6, seed: int = 0) -> CapPreview:
    """Return what ``over_cap`` drops, with at most ``n`` examples of both sides by keyed hash.

    Raises:
        RecipeError: ``most`` is negative.
    """
    rows, reached = over_cap(scene, most=most, seed=seed), scene.selected & scene.kept
    gone = np.zeros(scene.facts.n, dtype=np.bool_)
    gone[rows] = True
    sides = (sample_of(scene.facts, mask, n=n, seed=seed) for mask in (gone, reached & ~gone))
    tokens = int(scene.facts.whole("n_tokens")[rows].sum()) if "n_tokens" in scene.facts.columns else 0
    return CapPreview(int(reached.sum()), len(rows), tokens, *sides)


def over_cap(scene: Scene, *, most: int, seed: int = 0) -> NDArray[np.int64]:
    """Return which selected documents to drop so that the recipe keeps at most ``most`` of them.

    Those with the smallest keyed hash of their id stay, so the result does not depend on any order.

    Args:
        scene: selection and recipe.
        most: number of documents that stay, 0 or more.
        seed: of the keyed hash.

    Returns:
        Facts rows, int64 (m,), ascending; empty when there are no more than ``most``.

    Raises:
        RecipeError: ``most`` is negative.
    """
    if most < 0:
        raise RecipeError("Cap of a selection", value=most, allowed="0 or more")
    rows = np.flatnonzero(scene.selected & scene.kept)
    keys = mix_keys(scene.facts.keys[rows], seed=seed, salt="cap")
    order = np.lexsort((rows, keys))
    return np.sort(rows[order[most:]])
