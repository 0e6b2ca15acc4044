"""What a recipe did to a corpus: which step dropped which documents, and what is left after each step.

The selection: the copies and the place in training of every document, and the step that dropped it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Decision
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.data.errors import StoreError
from tamis.data.hashing import canonical_json


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

    def without(self, lost: Count) -> Count:
        """Return what is left when some of these documents are lost."""
        return Count(
            self.step,
            self.documents - lost.documents,
            self.copies - lost.copies,
            self.tokens - lost.tokens,
            self.bytes - lost.bytes,
        )


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


@dataclass(frozen=True)
class Selection:
    """What a recipe selected. Equal selections have equal digests for any layout of the files.

    Attributes:
        ids: string (n,), ids of all documents, ascending.
        copies: int32 (n,), 0 = dropped.
        step: int16 (n,), 0 = kept, k = dropped by ``steps[k - 1]``.
        steps: ids of the steps that ran, in order.
        position: int64 (n,), -1 = dropped, or None when no step orders.
        weight: float64 (n,), NaN = dropped, or None when no step weighs.
    """

    ids: pa.Array
    copies: NDArray[np.int32]
    step: NDArray[np.int16]
    steps: tuple[str, ...]
    position: NDArray[np.int64] | None = None
    weight: NDArray[np.float64] | None = None

    @classmethod
    def from_outcome(cls, outcome: Outcome, facts: Facts) -> Selection:
        """Return the selection of an outcome."""
        return cls(
            ids=facts.ids,
            copies=outcome.copies,
            step=outcome.deciding,
            steps=tuple(step.id for step in outcome.steps),
            position=outcome.position,
            weight=outcome.weight,
        )

    def __len__(self) -> int:
        return len(self.copies)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Return which documents are kept, bool (n,)."""
        return self.copies > 0

    @cached_property
    def digest(self) -> str:
        """Return the sha256 (64 hex digits) over ids, copies, deciding steps, positions and weights."""
        state = hashlib.sha256(canonical_json(self._header()))
        add_ids(state, self.ids)
        state.update(np.ascontiguousarray(self.copies, dtype="<i4").data)
        state.update(np.ascontiguousarray(self.step, dtype="<i2").data)
        if self.position is not None:
            state.update(np.ascontiguousarray(self.position, dtype="<i8").data)
        if self.weight is not None:
            whole = np.where(np.isnan(self.weight), -1.0, self.weight)
            state.update(np.ascontiguousarray(whole, dtype="<f8").data)
        return state.hexdigest()

    def _header(self) -> dict[str, object]:
        return {
            "selection": 1,
            "documents": len(self),
            "steps": list(self.steps),
            "position": self.position is not None,
            "weight": self.weight is not None,
        }

    def step_digest(self, number: int) -> str:
        """Return the sha256 of the ids that the ``number``-th step dropped (0: of all documents)."""
        ids = self.ids if number == 0 else self.ids.take(pa.array(np.flatnonzero(self.step == number)))
        state = hashlib.sha256()
        add_ids(state, ids)
        return state.hexdigest()

    def table(self) -> pa.Table:
        """Return one row per document: ``id``, ``copies``, ``step`` (NULL = kept), ``position``, ``weight``."""
        names = pa.array(self.steps, pa.string())
        codes = pa.array(self.step.astype(np.int32) - 1, mask=self.step == 0)
        columns: dict[str, pa.Array] = {
            "id": self.ids,
            "copies": pa.array(self.copies),
            "step": pa.DictionaryArray.from_arrays(codes, names).cast(pa.string()),
        }
        if self.position is not None:
            columns["position"] = pa.array(self.position, mask=self.position < 0)
        if self.weight is not None:
            columns["weight"] = pa.array(self.weight, mask=np.isnan(self.weight))
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table, *, steps: tuple[str, ...]) -> Selection:
        """Read what ``table`` wrote.

        Args:
            table: the rows.
            steps: ids of the steps that ran, in order.

        Raises:
            StoreError: a step is not among ``steps``.
        """
        names = table.column("step").combine_chunks()
        found = {name for name in names.unique().to_pylist() if name is not None}
        if not found <= set(steps):
            raise StoreError("Selection names an unknown step", value=sorted(found - set(steps)), allowed=steps)
        step = pc.index_in(names, pa.array(steps, pa.string())).fill_null(-1).to_numpy(zero_copy_only=False) + 1
        position = _optional(table, "position", -1)
        weight = _optional(table, "weight", np.nan)
        return cls(
            ids=table.column("id").combine_chunks(),
            copies=table.column("copies").to_numpy().astype(np.int32),
            step=step.astype(np.int16),
            steps=steps,
            position=None if position is None else position.astype(np.int64),
            weight=weight,
        )


def _optional(table: pa.Table, name: str, absent: float) -> NDArray[Any] | None:
    if name not in table.column_names:
        return None
    filled = table.column(name).fill_null(absent)
    return np.asarray(filled.to_numpy())


def add_ids(state: hashlib._Hash, ids: pa.Array) -> None:
    """Add a list of ids to a hash without a copy: their count, their lengths, their UTF-8 text."""
    offsets = np.frombuffer(ids.buffers()[1], dtype="<i4" if ids.type == pa.string() else "<i8") if len(ids) else None
    state.update(len(ids).to_bytes(8, "little"))
    if offsets is None:
        return
    own = offsets[ids.offset : ids.offset + len(ids) + 1]
    state.update(np.diff(own).astype("<i8").data)
    state.update(memoryview(ids.buffers()[2] or b"")[own[0] : own[-1]])
