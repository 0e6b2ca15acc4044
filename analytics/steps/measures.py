"""Measures: values that a rule needs about the documents, computed once and kept as artifacts.

A kind of measure is either *quick* (milliseconds from facts and stored sets) or a *step*, run like the steps of the
analysis: shard by shard, resumable, with an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.facts_step import columns_of, step_of
from tamis.analytics.steps.scopes import SIZES, find_step, scoped, split_scope
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest
from tamis.data.shards import Shard

if TYPE_CHECKING:
    from tamis.analytics.facts.stored_sets import FrozenSources


@dataclass(frozen=True)
class Measure:
    """A measurement of the documents that an operator needs before it can decide.

    Attributes:
        kind: a name in the measure registry (``analytics/steps/measures.py``), for example ``regex`` or ``near_pairs``.
        params: the parameters of the measurement as sorted (name, value) pairs, hashable.
        column: for measures that yield one value per document, the facts column that will hold it.
        of: the scope that is measured, empty for whole texts.
    """

    kind: str
    params: tuple[tuple[str, Any], ...] = ()
    column: str | None = None
    of: str = ""


@dataclass(frozen=True)
class Pairs:
    """Verified pairs of similar documents, as stored in an artifact.

    Attributes:
        left: int64 (m,), facts row of the first document, ``left < right``.
        right: int64 (m,), facts row of the second document.
        similarity: float32 (m,), in [0, 1].
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    similarity: NDArray[np.float32]


@dataclass(frozen=True)
class MeasureKind:
    """One kind of measure; exactly one of ``quick``, ``step`` and ``reads`` is set.

    Attributes:
        name: value of ``Measure.kind``.
        title: title shown to people.
        quick: returns the values from facts and stored sets, row-aligned with the facts.
        step: returns the analysis step that measures it.
        reads: returns the name of a step of the analysis that holds the values already.
        read: returns a named array from the step's artifact, in facts order if it has one value per document.
    """

    name: str
    title: str
    quick: Callable[[Measure, Facts, FrozenSources], NDArray[Any]] | None = None
    step: Callable[[Measure], StepSpec] | None = None
    reads: Callable[[Measure], str] | None = None
    read: Callable[[Artifact, Documents, str], NDArray[Any]] | None = None


@dataclass
class MeasureRegistry:
    """Kinds of measures by name; refuses duplicates and lists the known names for an unknown one."""

    _kinds: dict[str, MeasureKind] = field(default_factory=dict)

    def register(self, kind: MeasureKind) -> MeasureKind:
        """Add a kind.

        Raises:
            RecipeError: the name is taken, or not exactly one of quick, step and reads is set.
        """
        if kind.name in self._kinds:
            raise RecipeError("Measure is registered twice", value=kind.name)
        if sum(way is not None for way in (kind.quick, kind.step, kind.reads)) != 1:
            raise RecipeError("A measure is either quick, or a step, or read from one", value=kind.name)
        self._kinds[kind.name] = kind
        return kind

    def __getitem__(self, name: str) -> MeasureKind:
        if name not in self._kinds:
            raise RecipeError("Unknown measure", value=name, allowed=self._kinds)
        return self._kinds[name]

    def __iter__(self) -> Iterator[MeasureKind]:
        return iter(self._kinds[name] for name in sorted(self._kinds))


MEASURES = MeasureRegistry()

SUPPORTING: dict[str, Callable[[], StepSpec]] = {}
"""Steps that only measures need, not the analysis itself, by name."""


COLUMN = "column"
"""The kind of measure that is a column of the analysis on a scope, such as ``response.n_words``."""


def steps_of(measures: Iterable[Measure], known: Iterable[StepSpec] = ()) -> tuple[StepSpec, ...]:
    """Return the steps of all measures that are not quick, each once.

    Args:
        measures: the measures.
        known: steps of the analysis, for columns of them on a scope.

    Raises:
        RecipeError: a column on a scope is made by no known step.
    """
    steps = {step.name: step for step in known}
    found: dict[str, StepSpec] = {}
    for measure in measures:
        kind = MEASURES[measure.kind]
        if kind.reads is not None:
            spec = _step_read(measure, kind.reads(measure), steps)
            found[spec.name] = spec
        if kind.step is not None:
            spec = _column_step(measure, steps) if measure.kind == COLUMN else kind.step(measure)
            spec = scoped(spec, measure.of) if measure.of else spec
            found[spec.name] = spec
    return tuple(found.values())


def _step_read(measure: Measure, name: str, known: Mapping[str, StepSpec]) -> StepSpec:
    found = find_step(name, {**SUPPORTING, **known})
    if found is None:
        raise RecipeError(f"{MEASURES[measure.kind].title}: the analysis has no such step", value=name, allowed=known)
    return found


def _column_step(measure: Measure, known: Mapping[str, StepSpec]) -> StepSpec:
    column = str(dict(measure.params)["column"])
    found = find_step(_maker(measure), known)
    if found is None:
        raise RecipeError(f"No step of the analysis makes the column of {measure.column}", value=column)
    return found


def _maker(measure: Measure) -> str:
    """Return the name of the step that makes the column of a measure."""
    column = str(dict(measure.params)["column"])
    return SIZES if column == "bytes" else step_of(column) or ""


def step_name(measure: Measure) -> str:
    """Return the name of the step of a measure on whole texts: its kind and a digest of its parameters."""
    return f"{measure.kind}-{digest([measure.kind, dict(measure.params)])[:12]}"


def full_step_name(measure: Measure) -> str:
    """Return the name of the step of a measure, with its scope."""
    reads = MEASURES[measure.kind].reads
    name = _maker(measure) if measure.kind == COLUMN else step_name(measure) if reads is None else reads(measure)
    return f"{measure.of}.{name}" if measure.of else name


def measured_key(facts: Facts, measure: Measure, name: str) -> tuple[Hashable, ...]:
    """Return the key of measured values in ``facts.memo``."""
    return ("measured", facts.digest, measure, name)


def read_values(measure: Measure, artifact: Artifact, documents: Documents, name: str) -> NDArray[Any]:
    """Return a measured array; one value per document comes in facts order.

    Raises:
        StoreError: the artifact does not have the array.
    """
    kind = MEASURES[measure.kind]
    if measure.kind == COLUMN:
        return _read_column(measure, artifact, documents)
    if kind.read is not None:
        return kind.read(artifact, documents, name if not measure.of else split_scope(name)[1])
    column = load_column(artifact, documents, "value")
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _read_column(measure: Measure, artifact: Artifact, documents: Documents) -> NDArray[Any]:
    column = str(dict(measure.params)["column"])
    values = columns_of(_maker(measure), artifact, documents, columns=[column])[column]
    return np.asarray(values.to_numpy(zero_copy_only=False))


def read_pairs(artifact: Artifact) -> Pairs:
    """Return measured pairs from the arrays ``left``, ``right`` and ``similarity`` of an artifact."""
    return Pairs(
        left=artifact.array("left").astype(np.int64),
        right=artifact.array("right").astype(np.int64),
        similarity=artifact.array("similarity").astype(np.float32),
    )


def _id_set(measure: Measure, facts: Facts, frozen: FrozenSources) -> NDArray[np.bool_]:
    """Say which documents are in a stored set, bool (n,)."""
    ids = frozen.ids(str(dict(measure.params)["digest"])).cast(pa.string())
    return np.asarray(pc.is_in(facts.ids, value_set=ids).to_numpy(zero_copy_only=False), dtype=bool)


def _cluster(measure: Measure, facts: Facts, frozen: FrozenSources) -> NDArray[np.int32]:
    """Return the cluster of each document under a frozen clustering, int32 (n,), -1 = none."""
    own = _own_column(measure, facts)
    if own is None:
        return frozen.clustering(clustering_of(measure)).assign(facts)
    return np.asarray(facts.array(own).fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)


def clustering_of(measure: Measure) -> str:
    """Return the digest of the clustering that a measure of kind ``cluster`` names."""
    return str(dict(measure.params)["clustering"])


def _own_column(measure: Measure, facts: Facts) -> str | None:
    """Return the facts column of this clustering, None if it was made on another corpus."""
    columns = (info for info in facts.columns.values() if info.role == "cluster")
    return next((info.name for info in columns if info.origin == clustering_of(measure)), None)


def newcomers(measure: Measure, facts: Facts, frozen: FrozenSources) -> NDArray[np.int64]:
    """Return the facts rows that are not in a frozen clustering but can be assigned by its centroids, int64 (m,)."""
    if measure.kind != "cluster" or _own_column(measure, facts) is not None:
        return np.zeros(0, dtype=np.int64)
    clustering = frozen.clustering(clustering_of(measure))
    if clustering.centroids is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(clustering.places(facts) < 0)


def text_column_step(
    measure: Measure,
    value: Callable[[pa.Array], pa.Array],
    kind: pa.DataType,
    *,
    title: str,
    estimate: Callable[[Size], Estimate],
) -> StepSpec:
    """Return the step of a measure that gives each text one value by itself.

    Args:
        measure: its parameters name the artifact.
        value: values of some texts, (n,) of ``kind``; a pure function of each text.
        kind: type of the column.
        title: of the step, for people.
        estimate: time and size.
    """

    def count(shard: Shard, given: PieceInput) -> pa.Table:
        values = [value(texts) for texts in given.corpus.document_texts(shard)]
        return pa.table({"value": pa.chunked_array(values, kind)})

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, count, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents",),
        params=dict(measure.params),
        title=title,
        estimate=estimate,
        run=run,
    )


def _regex_step(measure: Measure) -> StepSpec:
    params = dict(measure.params)
    pattern, ignore_case = str(params["pattern"]), bool(params["ignore_case"])

    def count(texts: pa.Array) -> pa.Array:
        return pc.count_substring_regex(texts, pattern, ignore_case=ignore_case).cast(pa.int32())

    return text_column_step(
        measure, count, pa.int32(), title=f"Counting matches of {pattern}"[:80],
        estimate=lambda size: Estimate(0.1 + size.bytes / 80e6, size.documents),
    )  # fmt: skip


MEASURES.register(MeasureKind("id_set", "Membership of a stored set", quick=_id_set))
MEASURES.register(MeasureKind("cluster", "Cluster under a frozen clustering", quick=_cluster))


def _no_step(measure: Measure) -> StepSpec:
    raise RecipeError("A column of the analysis is measured on a scope only", value=measure.column)


MEASURES.register(MeasureKind(COLUMN, "Columns of the analysis on parts of conversations", step=_no_step))
MEASURES.register(MeasureKind("regex", "Matches of a regular expression", step=_regex_step))
