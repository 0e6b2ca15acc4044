"""The step that profiles every concept of an analysis; concepts frozen for a budget rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.map.concepts import (
    CURVE,
    MEASURED,
    Concepts,
    complexities,
    isolation,
    profile_sample,
    spread,
    text_profile,
)
from tamis.analytics.signals.word_numbers import NAME as WORDS
from tamis.analytics.signals.word_numbers import WordTable, words_step
from tamis.analytics.steps.measures import SUPPORTING
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.study.study import Study, artifacts_of
from tamis.data.artifact import Artifact
from tamis.data.errors import SettingError
from tamis.data.hashing import key64
from tamis.data.progress import Progress

NAME = "concept_profiles"
VERSION = 1


@dataclass(frozen=True, eq=False)
class ConceptProfiles:
    """Figure 8: every concept with its size, complexities and learning curve.

    Attributes:
        table: one row per concept: ``cluster`` int32, ``name`` string, ``size`` int64, ``geometric``,
            ``redundancy_aware``, ``measured``, ``compression`` float64 (NULL where unknown), ``curve`` list<float64>.
        documents: training documents at each point of a curve.
    """

    table: pa.Table
    documents: tuple[int, ...] = CURVE


def concept_profiles_step() -> StepSpec:
    """Return the step that measures the three complexities and the learning curve of every concept."""

    def run(context: StepContext) -> None:
        documents, concepts = context.documents, context.inputs["concepts"]
        labels, centroids = concepts.array("labels"), concepts.array("centroids")
        vectors = load_vectors(context.inputs["embeddings"], documents)
        words = WordTable(context.inputs[WORDS], documents)
        samples = profile_sample(key64(documents.ids.to_pylist()), labels)
        profiles = []
        context.progress.step(NAME, len(samples), "concepts")
        for rows in samples:
            context.progress.check()
            profiles.append(text_profile(words.take(rows)))
            context.progress.advance()
        found = complexities(spread(vectors, labels, centroids), isolation(centroids), profiles)
        columns: dict[str, pa.Array] = {
            "cluster": pa.array(np.arange(len(centroids)), pa.int32()),
            "name": concepts.table("clusters").column("name").combine_chunks().cast(pa.string()),
            "size": pa.array(np.bincount(labels[labels >= 0], minlength=len(centroids)), pa.int64()),
        }
        columns |= {name: _known(values) for name, values in zip(MEASURED, found.T, strict=True)}
        columns["compression"] = _known(np.array([profile.compression for profile in profiles]))
        curves = [[None if np.isnan(value) else float(value) for value in profile.curve] for profile in profiles]
        columns["curve"] = pa.array(curves, pa.list_(pa.float64()))
        context.out.write_table("profiles", pa.table(columns))
        context.out.commit(rows=len(centroids), facts={"space": concepts.facts["space"]})

    return StepSpec(
        name=NAME,
        version=VERSION,
        upstream=("documents", "embeddings", "concepts", WORDS),
        params={"curve": list(CURVE)},
        title="Profiling concepts",
        estimate=lambda size: Estimate(1 + size.documents * 2e-5 + np.sqrt(size.documents) * 0.03, 200_000),
        run=run,
    )


def _known(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def freeze_concepts(study: Study, *, progress: Progress | None = None) -> str:
    """Store the concepts of an analysis with their complexities, for a budget rule, and return the digest.

    Raises:
        SettingError: the analysis has no concepts.
    """
    artifacts = _artifacts(study, progress)
    profiles, concepts = artifacts[NAME].table("profiles"), artifacts["concepts"]
    frozen = Concepts(
        clusters=concepts.array("centroid_labels").astype(np.int32),
        sizes=profiles.column("size").to_numpy(),
        complexity=np.column_stack([profiles.column(name).to_numpy().astype(np.float64) for name in MEASURED]),
        centroids=concepts.array("centroids").astype(np.float32),
        space=str(concepts.facts["space"]),
    )
    return study.workspace.put_table(frozen.table())


def _artifacts(study: Study, progress: Progress | None) -> Mapping[str, Artifact]:
    """Run missing steps and return the artifacts."""
    if all(step.name != "concepts" for step in study.evidence.steps):
        raise SettingError("This analysis has no concepts", value=study.corpus.name, fix="analyse it with embeddings")
    return artifacts_of(study, [concept_profiles_step()], progress=progress)


SUPPORTING[NAME] = concept_profiles_step
SUPPORTING.setdefault(WORDS, words_step)
