"""Vectors that an embeddings step made: reading them, their embedder, and the measure that rules read them through."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import Embedder, fast_embedder, precise_embedder, tuned_embedder
from tamis.analytics.embedding.image_model import picture_embedder
from tamis.analytics.embedding.picture_text_model import TextTower, TwoTowers, reads_texts, two_towers
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind
from tamis.analytics.steps.step import StepContext
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_array
from tamis.data.errors import SettingError, StoreError
from tamis.data.shards import Shard
from tamis.data.workspace import Workspace

PRECISE = "embeddings-precise"
"""Name of the step that makes precise vectors beside those of the analysis."""


def load_vectors(artifact: Artifact, documents: Documents) -> NDArray[np.float16]:
    """Return the vectors in facts order, float16 (n, d).

    Raises:
        StoreError: the artifact does not fit the documents.
    """
    return load_array(artifact, documents).astype(np.float16, copy=False)


def text_embedder_of(artifact: Artifact, workspace: Workspace) -> Embedder:
    """Return what embeds texts in the space of an embeddings artifact: its embedder, or of pictures its text tower.

    Raises:
        SettingError: as ``embedder_of``, or its model reads pictures only.
        StoreError: as ``embedder_of``.
    """
    found = embedder_of(artifact, workspace)
    if found.reads == "texts":
        return found
    if isinstance(found, TwoTowers) and reads_texts(found.folder):
        return TextTower(found)
    raise SettingError(
        "Texts cannot be compared with these pictures: the model that embedded them reads pictures only",
        value=artifact.facts["model"]["source"],
        fix="embed them with a CLIP or SigLIP model: tamis analyze PATH --tier precise --model FOLDER",
    )


def embedder_of(artifact: Artifact, workspace: Workspace) -> Embedder:
    """Return the embedder that made an embeddings artifact, to embed more documents into the same space.

    Raises:
        SettingError: its model is not on this machine, or has other weights.
        StoreError: the workspace does not have the tuned model.
    """
    about = artifact.facts
    if about["tier"] == "given":
        raise SettingError(
            "Texts cannot be embedded like this corpus: its vectors were given",
            value=about["model"],
            fix="choose another embedding tier, or a method that reads words",
        )
    found: Embedder
    if about["tier"] == "picture":
        found = picture_embedder(workspace.models, dtype=about["compute"], threads=os.cpu_count() or 1)
    elif about.get("reads") == "pictures":
        found = two_towers(about["model"]["source"], dtype=about["compute"], threads=os.cpu_count() or 1)
    elif about["tier"] == "precise":
        found = precise_embedder(about["model"]["source"], dtype=about["compute"])
    elif about["tier"] == "tuned":
        found = tuned_embedder(workspace.table(about["space"]), about["space"], workspace.models)
    else:
        found = fast_embedder(workspace.models)
    if found.space != about["space"]:
        raise SettingError("The model that embedded this corpus is missing", value=about["model"], fix="embed again")
    return found


@dataclass(frozen=True, eq=False)
class ShardVectors:
    """The source of the vectors of shards in a given space: those of the corpus, or new ones by a stored tuned model.

    Attributes:
        embedder: makes new vectors; None if the corpus has them.
        own: returns the vectors of the corpus; None if they are made by the embedder.
    """

    embedder: Embedder | None
    own: Callable[[Shard], NDArray[np.float16]] | None

    @classmethod
    def of(cls, context: StepContext, space: str, *, what: str, step: str = "embeddings") -> ShardVectors:
        """Find the source of the vectors for a step that reads an embeddings step.

        Args:
            context: of the running step.
            space: the required space.
            what: what requires it, for messages.
            step: name of the embeddings step.

        Raises:
            StoreError: the corpus is embedded in another space, and no stored model makes this one.
        """
        artifact = context.inputs[step]
        if artifact.facts["space"] == space:
            # Mapped: what a question reads stays in the memory of the system for the next one.
            return cls(
                None, lambda shard: np.asarray(artifact.array(shard.part, mmap=True)).astype(np.float16, copy=False)
            )
        if context.workspace is None or not context.workspace.asset_path(space).is_file():
            raise StoreError(
                f"{what} belongs to another embedding than this corpus has",
                value=artifact.facts["space"],
                allowed=space,
                fix="embed the corpus with the same model, or make the rule again",
            )
        return cls(tuned_embedder(context.stored(space), space, context.models), None)


VECTORS = "vectors"
"""The kind of measure that is the vectors of an embeddings step, and the name of its array."""


def vectors_measure(which: str) -> Measure:
    """Return the measure that holds the vectors of documents: those of the ``analysis``, or ``precise`` ones."""
    return Measure(VECTORS, (("vectors", which),))


def _reads(measure: Measure) -> str:
    return PRECISE if dict(measure.params)["vectors"] == "precise" else "embeddings"


def _read_vectors(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.float16]:
    return load_vectors(artifact, documents)


MEASURES.register(MeasureKind(VECTORS, "Vectors of documents", reads=_reads, read=_read_vectors))
