"""Labels from reviews, for a classifier: what the majority keeps and drops, and the documents of a tag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tamis.analytics.effect.label_classifier import Examples
from tamis.analytics.review.agreement import DROP, KEEP, Votes
from tamis.analytics.review.queues import document_rows
from tamis.analytics.review.tags import SelectionMark, tags_of
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.reviews import Event


def voted_examples(study: Study, events: Iterable[Event]) -> tuple[Examples, Examples]:
    """Return the documents that the majority keeps, and those that it drops; ties and other corpora are left out."""
    votes = Votes.of(events)
    rows, says = document_rows(study.facts, votes.documents), votes.consensus()
    keep, drop = (tuple(rows[(rows >= 0) & (says == value)].tolist()) for value in (KEEP, DROP))
    return Examples(rows=keep), Examples(rows=drop)


def tagged_examples(study: Study, events: Sequence[Event], tag: str) -> Examples:
    """Return the documents of all selections with a tag.

    Raises:
        SettingError: nobody gave this tag, or its selections hold no document.
    """
    marks: tuple[SelectionMark, ...] = tags_of(events)
    wanted = [mark for mark in marks if mark.text == tag]
    if not wanted:
        names = sorted({mark.text for mark in marks})
        raise SettingError("No selection has this tag", value=tag, allowed=names or "no tag yet", fix="tag a selection")
    rows = {row for mark in wanted for row in Examples.of_selection(study, mark.rules()).rows}
    return Examples(rows=tuple(sorted(rows)))
