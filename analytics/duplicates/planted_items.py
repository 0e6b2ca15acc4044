"""Recall of decontamination: evaluation items are planted into documents, and each method is asked to find them.

Everything stays in memory. What is planted, where and how follows from a keyed hash of seed, item and place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_items import ITEMS, PARTS
from tamis.analytics.duplicates.evaluation_sets import DEFAULT, EvaluationSets
from tamis.analytics.duplicates.idf_overlap import LONG, SHORT, IdfIndex
from tamis.analytics.duplicates.reference_search import GramIndex
from tamis.analytics.duplicates.references import Reference
from tamis.analytics.duplicates.shared_words import WordPlaces
from tamis.analytics.text.normal_form import Convention
from tamis.data.corpus import Corpus
from tamis.data.hashing import key64, uniform

Edit = Literal["verbatim", "case and marks", "one word in ten", "inside a document"]
EDITS: tuple[Edit, ...] = get_args(Edit)
Method = Literal["decontaminate", "idf_decontaminate"]
LENGTHS: tuple[tuple[str, int, int], ...] = (
    ("8 to 19", 8, SHORT), ("20 to 49", SHORT, LONG), ("50 and more", LONG, 1 << 62),
)  # fmt: skip
CHANGED = 0.1
_WORD = re.compile(r"\S+")
_MARKS = re.compile(r"[.,;:!?]+(?=\s|$)")


@dataclass(frozen=True)
class PlantedRecall:
    """How many planted texts one method found.

    Attributes:
        method: name of the rule.
        edit: how the texts were changed.
        words: words of the texts, ``LENGTHS``.
        found, planted: counts.
    """

    method: Method
    edit: Edit
    words: str
    found: int
    planted: int


@dataclass(frozen=True)
class RecallReport:
    """Recall of each method on planted items, and what it finds in the same documents without any.

    Attributes:
        seed: of the keyed hash.
        items: distinct texts that were planted, in each of ``EDITS``.
        documents: documents of the sample, into which texts were planted.
        rows: by method, edit and length.
        unplanted: documents of the sample that a method finds as they are.
    """

    seed: int
    items: int
    documents: int
    rows: tuple[PlantedRecall, ...]
    unplanted: Mapping[Method, int]


def planted_recall(
    items: pa.Table,
    documents: Sequence[str],
    *,
    seed: int = 0,
    most: int = 1_000,
    share: float = 0.8,
    convention: Convention = DEFAULT,
) -> RecallReport:
    """Plant the prompts (texts, where items have no parts) of items and count those that each rule finds.

    A planted text counts as found when the rule would drop its document; ``decontaminate`` with 13-grams and its
    defaults, ``idf_decontaminate`` with its defaults and ``share``.

    Args:
        items: ``evaluation_items.ITEMS``; texts of fewer than 8 words are left out, no rule looks for them.
        documents: texts to plant into; those that hold an item already count as ``unplanted``.
        seed: of the keyed hash.
        most: most items planted, chosen by keyed hash.
        share: see ``idf_decontaminate``.
        convention: what a word is.
    """
    texts = [a or b for a, b in zip(items.column("prompt").to_pylist(), items.column("whole").to_pylist(), strict=True)]
    chosen = _chosen([text for text in dict.fromkeys(texts) if text], seed, most, convention)
    methods = _methods(items, [text for text, _ in chosen], share, convention)
    rows = []
    for edit in EDITS:
        planted = pa.array([plant(text, edit, documents, seed=seed) for text, _ in chosen], pa.large_string())
        for method, finds in methods.items():
            found = finds(planted)
            for name, low, high in LENGTHS:
                mine = np.array([low <= words < high for _, words in chosen], dtype=bool)
                rows.append(PlantedRecall(method, edit, name, int(found[mine].sum()), int(mine.sum())))
    plain = pa.array(list(documents), pa.large_string())
    return RecallReport(
        seed, len(chosen), len(documents), tuple(rows),
        {method: int(finds(plain).sum()) for method, finds in methods.items()},
    )  # fmt: skip


def sample_texts(corpus: Corpus, most: int, *, seed: int = 0) -> list[str]:
    """Return the texts of up to ``most`` documents, chosen by keyed hash of the text, in one pass."""
    best: list[tuple[float, str]] = []
    for shard in corpus.shards():
        for texts in corpus.document_texts(shard):
            mine = texts.to_pylist()
            chance = uniform(key64(mine), seed=seed, salt="sample for planting").tolist()
            best = sorted({*best, *zip(chance, mine, strict=True)})[:most]
    return [text for _, text in best]


class _Finder:
    """Says which documents a rule would drop, bool (n,)."""

    def __init__(self, index: GramIndex | IdfIndex, share: float) -> None:
        self._index, self._share = index, np.float32(share)

    def __call__(self, texts: pa.Array) -> NDArray[np.bool_]:
        if isinstance(self._index, GramIndex):
            return np.asarray(self._index.overlap(texts).matches > 0)
        hits = self._index.hits(texts)
        best = np.stack([hits.column(part).to_numpy() for part in PARTS if part != "passage"])
        return np.asarray(best.max(axis=0, initial=0) >= self._share)


def _methods(items: pa.Table, texts: list[str], share: float, convention: Convention) -> dict[Method, _Finder]:
    grams = Reference.of_texts(texts, convention=convention)
    sets = EvaluationSets.of(items.cast(ITEMS), convention=convention)
    return {
        "decontaminate": _Finder(GramIndex(grams), share),
        "idf_decontaminate": _Finder(IdfIndex(sets), share),
    }


def _chosen(texts: list[str], seed: int, most: int, convention: Convention) -> list[tuple[str, int]]:
    """Return up to ``most`` texts with at least as many words as the rules look for, and their words."""
    order = np.argsort(uniform(key64(texts), seed=seed, salt="planted items"), kind="stable")
    found = []
    for place in order.tolist():
        words = len(WordPlaces.of(texts[place], convention).units)
        if words >= LENGTHS[0][1]:
            found.append((texts[place], words))
        if len(found) == most:
            break
    return found


def plant(text: str, edit: Edit, documents: Sequence[str], *, seed: int) -> str:
    """Return a text as it is planted: a document of its own, or in the middle of one of ``documents``."""
    if edit == "verbatim":
        return text
    words = _WORD.findall(text)
    chance = uniform(key64([f"{k}\x00{text}" for k in range(len(words) + 2)]), seed=seed, salt=f"planted {edit}")
    if edit == "case and marks":
        return _MARKS.sub("", text).upper()
    if edit == "one word in ten":
        count = max(1, round(CHANGED * len(words)))
        for place in np.argsort(chance[2:], kind="stable")[:count].tolist():
            words[place] = f"changed{place}"
        return " ".join(words)
    if not documents:
        return text
    around = documents[int(chance[0] * len(documents))]
    cut = around.rfind(" ", 0, int(chance[1] * len(around)) + 1) + 1
    return f"{around[:cut]}\n{text}\n{around[cut:]}"
