"""The steps that give the documents of a corpus their ids: pictures are looked at first, texts are not."""

from __future__ import annotations

from tamis.analytics.signals.pictures_step import pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.step import StepSpec
from tamis.data.corpus import Corpus
from tamis.data.shapes import PICTURE


def id_steps(corpus: Corpus) -> tuple[StepSpec, ...]:
    """Return the steps up to the ids of the documents, in running order."""
    identified = documents_step(corpus)
    return (pictures_step(corpus), identified) if corpus.shape.kind == PICTURE else (identified,)
