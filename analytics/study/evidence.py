"""What rules may read besides facts columns: measured values, pairs and stored sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.step import embeddings_step, picture_embeddings_step
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.facts.facts import Facts
from tamis.analytics.facts.stored_sets import FrozenClustering, FrozenSources, MemorySources, WorkspaceSources
from tamis.analytics.steps.engine import Engine
from tamis.analytics.steps.measures import (
    MEASURES,
    SUPPORTING,
    Measure,
    Pairs,
    clustering_of,
    full_step_name,
    measured_key,
    newcomers,
    read_pairs,
    read_values,
    steps_of,
)
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.steps.pipeline import PlannedStep, analyze, plan_steps
from tamis.analytics.steps.scopes import find_step, scoped_in_place
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError, StoreError
from tamis.data.progress import Progress
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace


@dataclass(frozen=True)
class LocalEvidence:
    """Evidence about one corpus in one workspace. Heavy measures must have run before: see ``pending``.

    Attributes:
        facts: the documents.
        frozen: id sets and clusterings.
        corpus, documents, workspace: where heavy measures are stored; without them only quick ones are available.
        steps: the steps of the analysis, whose artifacts measures build on.
    """

    facts: Facts
    frozen: FrozenSources = field(default_factory=MemorySources)
    corpus: Corpus | None = None
    documents: Documents | None = None
    workspace: Workspace | None = None
    steps: tuple[StepSpec, ...] = ()

    @classmethod
    def of(
        cls,
        facts: Facts,
        corpus: Corpus,
        documents: Documents,
        workspace: Workspace,
        *,
        steps: Sequence[StepSpec] | None = None,
        frozen: FrozenSources | None = None,
    ) -> LocalEvidence:
        """Return the evidence of an analysed corpus; ``frozen`` defaults to the workspace's own."""
        return cls(
            facts=facts,
            frozen=frozen or WorkspaceSources(workspace),
            corpus=corpus,
            documents=documents,
            workspace=workspace,
            steps=_with_vectors(corpus, analysis_steps(corpus, workspace) if steps is None else steps),
        )

    def pending(self, measures: Iterable[Measure]) -> tuple[PlannedStep, ...]:
        """Return the steps that must still run for these measures, with estimates."""
        return tuple(planned for planned in self._plan(self._steps_of(measures)) if not planned.done)

    def measure(
        self, measures: Iterable[Measure], *, engine: Engine | None = None, progress: Progress | None = None
    ) -> None:
        """Run pending steps, their shards on ``engine`` where one is set.

        Raises:
            Cancelled: a person stopped the work; finished shards stay.
        """
        wanted = self._steps_of(measures)
        if wanted and self.corpus is not None and self.workspace is not None:
            analyze(
                self.corpus, self.workspace, steps=self.steps_for(wanted), documents=self.documents,
                engine=engine, progress=progress,
            )  # fmt: skip

    def pairs(self, measure: Measure) -> Pairs:
        """Return measured pairs, cached.

        Raises:
            RecipeError: they have not been measured.
        """
        key = ("pairs", self.facts.digest, measure)
        return self.facts.memo.through(key, lambda: read_pairs(self.artifact(measure)), size=lambda p: 20 * len(p.left))

    def array(self, measure: Measure, name: str) -> NDArray[Any]:
        """Return a measured array, cached.

        Raises:
            RecipeError: it has not been measured.
        """
        quick = MEASURES[measure.kind].quick

        def read() -> NDArray[Any]:
            if quick is not None:
                return self._with_newcomers(measure, quick(measure, self.facts, self.frozen))
            if self.documents is None:
                raise _unmeasured(measure)
            return read_values(measure, self.artifact(measure), self.documents, name)

        return self.facts.memo.through(
            measured_key(self.facts, measure, name), read, size=lambda array: int(array.nbytes)
        )

    def table(self, digest: str) -> pa.Table:
        """Return a table of the workspace.

        Raises:
            StoreError: the workspace lacks the table, or there is no workspace.
        """
        if self.workspace is None:
            raise StoreError("There is no workspace with this table", value=digest)
        return self.workspace.table(digest)

    def _steps_of(self, measures: Iterable[Measure]) -> tuple[StepSpec, ...]:
        """Return the steps that measures need: their own, and embeddings where a clustering has to place new ones."""
        listed = list(measures)
        found = {step.name: step for step in steps_of(listed, self.steps)}
        if self.corpus is not None:
            for measure in listed:
                if len(newcomers(measure, self.facts, self.frozen)):
                    step = _embedding_for(self.frozen.clustering(clustering_of(measure)))
                    found[step.name] = step
        return tuple(found.values())

    def _with_newcomers(self, measure: Measure, values: NDArray[Any]) -> NDArray[Any]:
        """Return the clusters of a frozen clustering with new documents placed by its centroids."""
        rows = newcomers(measure, self.facts, self.frozen)
        if not len(rows) or self.documents is None or self.workspace is None:
            return values
        clustering = self.frozen.clustering(clustering_of(measure))
        step = _embedding_for(clustering)
        keys = [planned.key for planned in self._plan([step]) if planned.spec.name == step.name]
        artifact = self.workspace.store.find(keys[0])
        if artifact is None:
            raise _unmeasured(measure)
        if artifact.facts["space"] != clustering.space:
            raise RecipeError(
                "The embedding model of a cluster rule is not the one on this machine",
                value=artifact.facts["space"][:12],
                allowed=clustering.space[:12],
                fix="run it where the same model and number format are there",
            )
        placed = values.copy()
        placed[rows] = clustering.nearest(load_vectors(artifact, self.documents)[rows])
        return placed

    def artifact(self, measure: Measure) -> Artifact:
        """Return the artifact of a heavy measure.

        Raises:
            RecipeError: it has not been measured.
        """
        name = full_step_name(measure)
        keys = [planned.key for planned in self._plan(steps_of([measure], self.steps)) if planned.spec.name == name]
        found = self.workspace.store.find(keys[0]) if keys and self.workspace is not None else None
        if found is None:
            raise _unmeasured(measure)
        return found

    def _plan(self, wanted: Sequence[StepSpec]) -> tuple[PlannedStep, ...]:
        if not wanted or self.corpus is None or self.workspace is None:
            return ()
        return plan_steps(self.corpus, self.workspace, self.steps_for(wanted))

    def steps_for(self, wanted: Sequence[StepSpec]) -> tuple[StepSpec, ...]:
        """Return the wanted steps and the analysis steps they depend on.

        Raises:
            RecipeError: one of them compares pictures, and the corpus holds texts.
        """
        known: dict[str, StepSpec | Callable[[], StepSpec]] = {**SUPPORTING, **{step.name: step for step in self.steps}}
        needed: dict[str, StepSpec] = {}
        waiting = list(wanted)
        while waiting:
            step = waiting.pop()
            if step.name not in needed:
                needed[step.name] = step
                if PICTURES_STEP in step.upstream and PICTURES_STEP not in known:
                    raise RecipeError(
                        "A rule compares pictures, and the corpus holds texts",
                        value=step.title,
                        allowed="rules on texts",
                        fix="choose a rule on texts, such as near_dedup, or open the pictures",
                    )
                waiting += [found for name in step.upstream if (found := find_step(name, known)) is not None]
        return tuple(needed.values())


def _with_vectors(corpus: Corpus, steps: Sequence[StepSpec]) -> tuple[StepSpec, ...]:
    """Return steps, of pictures with the one that embeds them: a rule that needs vectors then says what is missing."""
    names = {step.name for step in steps}
    if corpus.shape.kind != PICTURE or "embeddings" in names or not {"pictures", "documents"} <= names:
        return tuple(steps)
    return (*steps, picture_embeddings_step())


def _embedding_for(clustering: FrozenClustering) -> StepSpec:
    """Return the step that embeds documents into the space of a clustering."""
    step = embeddings_step(clustering.tier, **({"model": clustering.space} if clustering.tier == "tuned" else {}))
    return scoped_in_place(step, clustering.of) if clustering.of else step


def _unmeasured(measure: Measure) -> RecipeError:
    return RecipeError(
        "A rule needs a measurement that has not run yet",
        value=MEASURES[measure.kind].title,
        fix="start its measurement, then look again",
    )


@dataclass(frozen=True)
class GivenEvidence:
    """Evidence held in memory: for tests, notebooks and recipes that need none.

    Attributes:
        arrays: row-aligned or named arrays by (measure, name).
        found: pairs by measure.
        tables: stored tables by digest.
    """

    arrays: Mapping[tuple[Measure, str], NDArray[Any]] = field(default_factory=dict)
    found: Mapping[Measure, Pairs] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)

    def pairs(self, measure: Measure) -> Pairs:
        """Return given pairs.

        Raises:
            RecipeError: they were not given.
        """
        if measure not in self.found:
            raise _unmeasured(measure)
        return self.found[measure]

    def array(self, measure: Measure, name: str) -> NDArray[Any]:
        """Return a given array.

        Raises:
            RecipeError: it was not given.
        """
        if (measure, name) not in self.arrays:
            raise _unmeasured(measure)
        return np.asarray(self.arrays[(measure, name)])

    def table(self, digest: str) -> pa.Table:
        """Return a given table.

        Raises:
            StoreError: it was not given.
        """
        if digest not in self.tables:
            raise StoreError("There is no table with this digest", value=digest)
        return self.tables[digest]
