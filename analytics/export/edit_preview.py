"""What a text step makes of texts, before curated files are written: documents that it changes, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Step
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.hashing import mix_keys
from tamis.data.repair import repair
from tamis.data.row_texts import texts_of

EXAMPLES = 3
PLACES, RUN = 4, 64
"""Places of the corpus that are read, and documents at each: neighbours are read at the cost of one."""


@dataclass(frozen=True)
class TextChange:
    """One document that a step changes.

    Attributes:
        row: its facts row.
        before, after: the texts that change, of a conversation those turns alone, with an empty line between two.
    """

    row: int
    before: str
    after: str


@dataclass(frozen=True)
class EditPreview:
    """What a text step does to some of the documents that reach it.

    Attributes:
        reached: documents that reach it, exact.
        looked: how many of them were read.
        changed: how many of those it changes.
        emptied: how many of those have no visible text left.
        examples: the first few that it changes.
    """

    reached: int
    looked: int
    changed: int
    emptied: int
    examples: tuple[TextChange, ...]

    @property
    def exact(self) -> bool:
        """Return whether all documents that reach the step were read."""
        return self.looked == self.reached


def preview_edits(
    corpus: Corpus, documents: Documents, outcome: Outcome, step: str, *, n: int = EXAMPLES, seed: int = 0
) -> EditPreview:
    """Return what an active text step changes, after the text steps before it.

    Args:
        corpus: the files.
        documents: their documents.
        outcome: of the recipe that has the step.
        step: its id.
        n: examples at most.
        seed: of the keyed hash that chooses what is read, where that is not all.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    number = outcome.number(step)
    steps = [each for each in outcome.steps[: number - 1] if isinstance(each.operator, TextOperator)]
    reach = np.flatnonzero((outcome.deciding == 0) | (outcome.deciding > number))
    rows = _neighbours(documents, reach, seed)
    held = _texts(corpus, documents, rows)
    owners = np.repeat(np.arange(len(rows)), [len(each) for each in held])
    first = pa.array([text for each in held for text in each], pa.large_string())
    before = _edited(first, steps)
    after = _edited(before, [outcome.steps[number - 1]])
    changed: dict[int, list[tuple[str, str]]] = {}
    filled: set[int] = set()
    for owner, one, other in zip(owners.tolist(), before.to_pylist(), after.to_pylist(), strict=True):
        if one != other:
            changed.setdefault(owner, []).append((one, other))
        if other.strip():
            filled.add(owner)
    # Those whose words change come before those that only lose white space.
    shown = sorted(changed.items(), key=lambda item: all(one.split() == other.split() for one, other in item[1]))
    examples = [
        TextChange(int(rows[owner]), *("\n\n".join(side) for side in zip(*pairs, strict=True)))
        for owner, pairs in shown[:n]
    ]
    return EditPreview(len(reach), len(rows), len(changed), len(changed.keys() - filled), tuple(examples))


def _edited(texts: pa.Array, steps: Sequence[Step]) -> pa.Array:
    for step in steps:
        assert isinstance(step.operator, TextOperator)
        texts = step.operator.edit(texts)
    return texts


def _neighbours(documents: Documents, reach: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the facts rows to read, int64 (m,): all of a few, else runs of neighbours in the files."""
    if len(reach) <= PLACES * RUN:
        return reach
    by_place = np.argsort(documents.order[reach], kind="stable")
    runs = len(reach) // RUN
    keys = mix_keys(np.arange(runs, dtype=np.uint64), seed=seed, salt="edits")
    starts = np.sort(np.argsort(keys, kind="stable")[:PLACES]) * RUN
    return reach[by_place[(starts[:, None] + np.arange(RUN)).ravel()]]


def _texts(corpus: Corpus, documents: Documents, rows: NDArray[np.int64]) -> list[list[str]]:
    """Return the texts that a text step reads of each document: one, of a conversation one for each piece of a turn."""
    table = corpus.fetch(documents, rows)
    if corpus.shape.kind == "text":
        return [[text or ""] for text in corpus.texts_of(table).to_pylist()]
    return [[repair(text) for text in texts_of(corpus.shape, row, corpus.places)] for row in table.to_pylist()]
