"""What a decontamination rule found: hits by evaluation set, and both texts of a hit with the words they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_items import PARTS, read_items
from tamis.analytics.duplicates.evaluation_sets import EvaluationEntry, EvaluationSets, list_evaluations
from tamis.analytics.duplicates.shared_words import SharedWords, shared_words
from tamis.analytics.operators.contamination import HitLists, IdfDecontaminate, item_names
from tamis.analytics.study.study import Study
from tamis.data.errors import StoreError, TamisError
from tamis.data.workspace import Workspace


@dataclass(frozen=True)
class SetCount:
    """What one evaluation set has in common with a corpus; exact.

    Attributes:
        name: of the set.
        items: items of the set.
        looked_for: of these, items with a part that is long enough to be looked for.
        found: items that some document holds.
        documents: documents that hold an item of the set.
        by_part: of these documents, those that hold this part of an item, in the order of ``PARTS``; empty for items
            that are not taken apart.
    """

    name: str
    items: int
    looked_for: int
    found: int
    documents: int
    by_part: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> SetCount:
        """Read what ``dataclasses.asdict`` made, also after JSON."""
        return cls(**{**value, "by_part": tuple((str(part), int(number)) for part, number in value["by_part"])})

    @property
    def sentence(self) -> str:
        """Return the counts as a sentence without a full stop."""
        said = f"{self.found:,} of {self.items:,} items in {self.documents:,} documents"
        parts = ", ".join(f"{part} {number:,}" for part, number in self.by_part)
        return f"{said} ({parts})" if parts else said


@dataclass(frozen=True, eq=False)
class Contamination:
    """All hits of a rule, the strongest first, then by document id and text.

    Attributes:
        rule: the rule.
        sets: its evaluation sets.
        rows: int64 (h,), facts row of the document.
        texts: int32 (h,), the distinct text found, a number of ``sets``.
        shares: float32 (h,), share of its weight that the best passage holds.
        strengths: float32 (h,), adjusted to its length, at least the rule's ``share``.
        counts: by evaluation set.
    """

    rule: IdfDecontaminate
    sets: EvaluationSets
    rows: NDArray[np.int64]
    texts: NDArray[np.int32]
    shares: NDArray[np.float32]
    strengths: NDArray[np.float32]
    counts: tuple[SetCount, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def documents(self) -> int:
        """Return the number of documents that hold an item."""
        return len(np.unique(self.rows))

    @property
    def nbytes(self) -> int:
        """Return the bytes of the hits in memory."""
        return sum(array.nbytes for array in (self.rows, self.texts, self.shares, self.strengths))

    def part(self, hit: int) -> str:
        """Return the part of the item that a hit is about."""
        return PARTS[self.sets.part[self.texts[hit]]]

    def items(self, hit: int) -> str:
        """Return the items whose part a hit is about, with share and words."""
        return item_names(self.sets, self.texts[hit : hit + 1], self.shares[hit : hit + 1])

    def set_names(self, hit: int) -> tuple[str, ...]:
        """Return the names of the sets whose items a hit is about, sorted."""
        owners = self.sets.owners_of(int(self.texts[hit]))
        return tuple(self.sets.sets[place] for place in np.unique(self.sets.set[owners]))


def find_contamination(study: Study, rule: IdfDecontaminate) -> Contamination:
    """Return all hits of a rule on all documents of a corpus, whatever other rules say.

    Raises:
        RecipeError: the rule has not been measured.
        StoreError: the evaluation sets are not stored here.
    """
    sets = EvaluationSets.from_table(study.workspace.table(rule.evaluation))
    hits = HitLists.of(rule, study.evidence)
    places = hits.places(sets, rule)
    owner = np.searchsorted(hits.starts, places, side="right") - 1
    order = places[np.lexsort((hits.texts[places], owner, -hits.shares[places], -hits.strengths[places]))]
    rows = np.searchsorted(hits.starts, order, side="right") - 1
    counts = count_sets(sets, rule, rows, hits.texts[order])
    return Contamination(rule, sets, rows, hits.texts[order], hits.shares[order], hits.strengths[order], counts)


def count_sets(
    sets: EvaluationSets, rule: IdfDecontaminate, rows: NDArray[np.int64], texts: NDArray[np.int32]
) -> tuple[SetCount, ...]:
    """Return the counts of each evaluation set, by name, from the hits (document, text)."""
    spread = np.repeat(np.arange(len(sets.words)), np.diff(sets.owner_starts))
    long_enough = (sets.words >= rule.shortest) & np.isin(sets.part, [PARTS.index(part) for part in rule.parts])
    looked_for = np.unique(sets.owners[long_enough[spread]])
    times = np.diff(sets.owner_starts)[texts]
    items = np.concatenate([np.empty(0, np.int64), *(sets.owners_of(text) for text in texts.tolist())])
    rows, parts, owners = np.repeat(rows, times), sets.part[np.repeat(texts, times)], sets.set[items]
    found = []
    for place, name in enumerate(sets.sets):
        mine = owners == place
        by_part = tuple(
            (part, len(np.unique(rows[mine & (parts == PARTS.index(part))]))) for part in PARTS if part in rule.parts
        )
        found.append(
            SetCount(
                name,
                int(sets.set_sizes[place]),
                int(np.count_nonzero(sets.set[looked_for] == place)),
                len(np.unique(items[mine])),
                len(np.unique(rows[mine])),
                by_part,
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class HitTexts:
    """Both texts of a hit.

    Attributes:
        document: the document's text.
        item: the text of the item's part.
        shared: the words they share.
    """

    document: str
    item: str
    shared: SharedWords


def hit_texts(study: Study, found: Contamination, hit: int) -> HitTexts:
    """Return both texts of a hit; that of the item comes from the evaluation file.

    Raises:
        StoreError: the files of the evaluation sets are not where they were, or have other texts now.
    """
    text = int(found.texts[hit])
    owner = int(found.sets.owners_of(text)[0])
    digest = found.rule.evaluation
    items = study.facts.memo.through(
        ("evaluation items", digest),
        lambda: stored_items(study.workspace, digest, found.sets),
        size=lambda table: int(table.nbytes),
    )
    item = items.column(found.part(hit))[owner].as_py()
    table = study.corpus.fetch(study.documents, found.rows[hit : hit + 1])
    read = study.corpus if found.rule.of is None else study.corpus.in_scope(found.rule.of)
    document = read.texts_of(table).to_pylist()[0] or ""
    return HitTexts(document, item, shared_words(document, item, found.sets))


def stored_items(workspace: Workspace, evaluation: str, sets: EvaluationSets) -> pa.Table:
    """Return the items of stored evaluation sets with their texts, read from their files again.

    Raises:
        StoreError: no files are known, they cannot be read, or they have other texts now.
    """
    entries = [entry for entry in list_evaluations(workspace).values() if entry.digest == evaluation]
    for entry in entries:
        try:
            return items_of_entry(workspace, entry, sets)
        except TamisError:
            continue
    raise _not_here([path for entry in entries for path in entry.paths] or [evaluation[:16]])


def items_of_entry(workspace: Workspace, entry: EvaluationEntry, sets: EvaluationSets | None = None) -> pa.Table:
    """Return the items stored under a name with their texts, read from their files again.

    Raises:
        StoreError: the files have other texts now.
        CorpusError, RoleError: they cannot be read.
    """
    known = sets or EvaluationSets.from_table(workspace.table(entry.digest))
    items = read_items(entry.paths, workspace, entry.columns)
    if not EvaluationSets.of(items, convention=entry.convention).table().equals(known.table()):
        raise _not_here(entry.paths)
    return items


def _not_here(paths: Sequence[str]) -> StoreError:
    return StoreError(
        "The texts of these evaluation sets are not on this machine as they were stored",
        value=", ".join(paths),
        fix="store them again: tamis evaluation store NAME FILES",
    )


def contamination_of_steps(study: Study, steps: Sequence[tuple[str, object]]) -> dict[str, tuple[SetCount, ...]]:
    """Return the counts by set of each decontamination step, by the id of the step."""
    rules = ((name, rule) for name, rule in steps if isinstance(rule, IdfDecontaminate))
    return {name: find_contamination(study, rule).counts for name, rule in rules}
