"""What one proxy model is trained on: a set of documents, and the order in which it reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import BYTES_PER_TOKEN, ProxyPlan
from tamis.analytics.effect.proxy_text import TokenTexts, ordered_reading, reading_order
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.steps.chosen_texts import texts_of


@dataclass(frozen=True, eq=False)
class Arm:
    """A set of documents that one model is trained on.

    Attributes:
        name: ``recipe``, ``random``, ``everything``, ``share``, or a name of the caller's.
        part: of the selection, in (0, 1].
        seed: of the model.
        rows: int64 (m,), facts rows.
        copies: int32 (m,), copies of each.
        places: int64 (m,), where each document stands in the order of training; None for an order by hash.
    """

    name: str
    part: float
    seed: int
    rows: NDArray[np.int64]
    copies: NDArray[np.int32]
    places: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class ArmReader:
    """Reads the texts of arms in their order.

    Attributes:
        bed: the study whose documents arms are made of.
        plan: says what tokens are, and how many a model reads.
    """

    bed: EffectStudy
    plan: ProxyPlan
    _counted: dict[int, int] = field(default_factory=dict)

    def read(self, texts: pa.Array) -> TokenTexts:
        """Return texts as the tokens of the plan."""
        return TokenTexts.of(texts, self.plan.tokenizer)

    def texts_of(self, rows: NDArray[np.int64]) -> TokenTexts:
        """Return the texts of facts rows."""
        return self.read(texts_of(self.bed.study.corpus, self.bed.study.documents, rows))

    def order(self, arm: Arm) -> NDArray[np.int64]:
        """Return the documents that a model reads, int64 (m,), facts rows in the order of reading."""
        tokens = self.plan.tokens
        if not self.plan.has_tokenizer:
            return self.first(arm, tokens)
        # An order of more bytes begins as one of fewer, so it does not matter how far one looks.
        reach = tokens * BYTES_PER_TOKEN
        while True:
            order = self.first(arm, reach)
            ends = np.cumsum(self._counts(order) + 1)
            if ends[-1] >= tokens:
                return order[: int(np.searchsorted(ends, tokens)) + 1]
            reach *= 2

    def first(self, arm: Arm, tokens: int) -> NDArray[np.int64]:
        """Return the documents of an arm in their order until there are so many bytes and ends of texts."""
        bench = self.bed.bench
        sizes = bench.bytes[arm.rows]
        if arm.places is not None:
            return arm.rows[ordered_reading(sizes, arm.copies, arm.places, tokens=tokens)]
        return arm.rows[reading_order(bench.keys[arm.rows], sizes, arm.copies, tokens=tokens, seed=arm.seed)]

    def texts(self, orders: Iterable[NDArray[np.int64]]) -> tuple[TokenTexts, NDArray[np.int64]]:
        """Return the texts that any model reads, and where each facts row is among them, int64 (n,)."""
        study = self.bed.study
        rows = np.unique(np.concatenate(list(orders)))
        places = np.full(study.documents.n, -1, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        return self.texts_of(rows), places

    def _counts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of documents, int64 (m,); each is counted once."""
        new = np.array(sorted(set(rows.tolist()) - self._counted.keys()), dtype=np.int64)
        if len(new):
            self._counted.update(zip(new.tolist(), self.texts_of(new).sizes.tolist(), strict=True))
        return np.array([self._counted[row] for row in rows.tolist()], dtype=np.int64)
