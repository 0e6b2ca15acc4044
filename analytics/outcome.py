"""What a recipe did to a corpus: who was dropped by which step, and how much is left after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operator import Decision
from tamis.analytics.recipe import Recipe, Step


@dataclass(frozen=True)
class Count:
    """What is left after a step; the first count of an outcome is the input.

    Attributes:
        step: id of the step, empty for the input.
        documents: distinct documents kept.
        copies: documents counted with their copies.
        tokens: tokens, copies counted.
        bytes: UTF-8 bytes, copies counted.
    """

    step: str
    documents: int
    copies: int
    tokens: int
    bytes: int


@dataclass(frozen=True)
class Trace:
    """What a set step decided, for the documents it saw.

    Attributes:
        rows: int64 (m,), ascending facts rows that reached the step.
        decision: the operator's decision, aligned with ``rows``.
    """

    rows: NDArray[np.int64]
    decision: Decision


@dataclass(frozen=True)
class Outcome:
    """The result of a recipe on facts.

    Attributes:
        recipe: the recipe.
        facts: digest of the facts.
        deciding: int16 (n,), 0 = kept, k = dropped by the k-th active step, from 1.
        copies: int32 (n,), 0 = dropped.
        position: int64 (n,), place in the order of training, -1 = dropped; None when no step orders.
        weight: float64 (n,), NaN = dropped; None when no step weighs.
        counts: input first, then one per active step.
        traces: what each set step decided, by step id.
        errors: source rows that are not documents.
    """

    recipe: Recipe
    facts: str
    deciding: NDArray[np.int16]
    copies: NDArray[np.int32]
    position: NDArray[np.int64] | None
    weight: NDArray[np.float64] | None
    counts: tuple[Count, ...]
    traces: Mapping[str, Trace] = field(repr=False)
    errors: int = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that ran; ``deciding`` counts them from 1."""
        return self.recipe.active

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Return which documents are kept, bool (n,)."""
        return self.deciding == 0

    @property
    def input(self) -> Count:
        """Return the counts before the first step."""
        return self.counts[0]

    @property
    def output(self) -> Count:
        """Return the counts after the last step."""
        return self.counts[-1]

    def number(self, step_id: str) -> int:
        """Return the number of a step in ``deciding``, from 1; 0 when the step did not run."""
        return next((k for k, step in enumerate(self.steps, start=1) if step.id == step_id), 0)

    def dropped_by(self, step_id: str) -> NDArray[np.int64]:
        """Return the facts rows a step dropped, ascending int64 (m,)."""
        number = self.number(step_id)
        return np.flatnonzero(self.deciding == number) if number else np.zeros(0, dtype=np.int64)

    @property
    def resolved(self) -> dict[str, Mapping[str, Any]]:
        """Return the numbers that steps derived from the documents, by step id."""
        return {step: trace.decision.resolved for step, trace in self.traces.items() if trace.decision.resolved}
