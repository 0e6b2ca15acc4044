"""Rules that compare a corpus with other files: decontamination, and exclusion of documents of another corpus."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from tamis.analytics.duplicates.reference_search import GramIndex, KnownTexts
from tamis.analytics.duplicates.references import Reference
from tamis.analytics.operators.operator import OPERATORS, Evidence, Group, RowOperator
from tamis.analytics.operators.predicate import number
from tamis.analytics.operators.rows import Digest
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.shards import Shard
from tamis.data.sql import ident

OVERLAP, KNOWN = "overlap", "known"


@OPERATORS.register
class Decontaminate(RowOperator):
    """Drops documents that share n-grams with evaluation sets.

    The evaluation sets are a stored reference; its n (13 words by default) and its files are in the digest. Texts are
    compared in normalised form (case, white space and punctuation do not count). Items shorter than n words are looked
    for as a whole, items shorter than ``shortest`` are skipped. A document is dropped when it has ``min_matches`` of
    the n-grams and at least the share ``overlap`` of the n-grams of one item; 0 drops for any match.
    """

    name: ClassVar[str] = "decontaminate"
    term: ClassVar[str] = "decontamination"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Drops documents that overlap with evaluation sets."
    source: ClassVar[str] = (
        "Brown et al. 2020, arXiv 2005.14165, appendix C (13-grams, 8 words at least); Touvron et al. 2023,"
        " arXiv 2307.09288, section A.6 (share of the evaluation item)"
    )

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the overlapping documents, or keep only them.")
    evaluation: Digest = Field(
        description="Digest of the stored reference made from the evaluation files.",
        json_schema_extra={"widget": "reference"},
    )
    min_matches: int = Field(1, ge=1, description="Distinct n-grams a document must share with the evaluation files.")
    overlap: float = Field(0.0, ge=0, le=1, description="Share of one item's n-grams that a document must have.")
    shortest: int = Field(8, ge=1, le=100, description="Words an item must have to be looked for.")

    @property
    def matches_column(self) -> str:
        """Return the measured column with the number of shared n-grams."""
        return f"eval_matches_{self.evaluation[:8]}_{self.shortest}"

    @property
    def share_column(self) -> str:
        """Return the measured column with the largest share of an item."""
        return f"eval_share_{self.evaluation[:8]}_{self.shortest}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.matches_column, self.share_column})

    def measures(self) -> tuple[Measure, ...]:
        params = (("reference", self.evaluation), ("shortest", self.shortest))
        return (Measure(OVERLAP, params, self.matches_column), Measure(OVERLAP, params, self.share_column))

    def assets(self) -> tuple[str, ...]:
        return (self.evaluation,)

    def match(self) -> str:
        share = f"{ident(self.share_column)} >= {number(self.overlap)}"
        return f"{ident(self.matches_column)} >= {self.min_matches} AND {share}"

    def value(self) -> str | None:
        return ident(self.share_column)

    def twins(self, rows: NDArray[np.int64], evidence: Evidence) -> pa.Array | None:
        return _names(self.measures()[0], self.evaluation, rows, evidence)

    def threshold(self) -> str | None:
        return f"{self.min_matches} n-grams and {self.overlap:g} of an item"

    def sentence(self) -> str:
        grams = "an n-gram" if self.min_matches == 1 else f"{self.min_matches} n-grams"
        share = f" and {self.overlap * 100:g}% of an item" if self.overlap else ""
        return f"{self.mode.capitalize()} documents that share {grams}{share} with evaluation set {self.evaluation[:8]}"


@OPERATORS.register
class ExcludeKnown(RowOperator):
    """Drops documents that are equal or nearly equal to a text of another corpus.

    The other corpus is a stored reference, which fixes what a shingle is. Candidates come from MinHash-LSH, every one
    is compared exactly, and the most similar text decides.
    """

    name: ClassVar[str] = "exclude_known"
    term: ClassVar[str] = "cross-corpus deduplication"
    group: ClassVar[Group] = "Duplicates"
    summary: ClassVar[str] = "Drops documents that another corpus already has."
    source: ClassVar[str] = "Lee et al. 2021, arXiv 2107.06499 (train and validation overlap); MinHash-LSH, verified"

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the known documents, or keep only them.")
    reference: Digest = Field(
        description="Digest of the stored reference made from the other corpus.",
        json_schema_extra={"widget": "reference"},
    )
    similarity: float = Field(0.8, ge=0.1, le=1, description="Smallest Jaccard similarity to a known text.")
    bands: int = Field(20, ge=1, le=64, description="Bands of the signature; more bands find more.")
    rows: int = Field(4, ge=1, le=16, description="Places in a band; more places give fewer candidates.")

    @property
    def column(self) -> str:
        """Return the measured column with the similarity to the most similar known text."""
        return f"known_{self.reference[:8]}_{self.bands}x{self.rows}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        params = (("bands", self.bands), ("reference", self.reference), ("rows", self.rows))
        return (Measure(KNOWN, params, self.column),)

    def assets(self) -> tuple[str, ...]:
        return (self.reference,)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.similarity)}"

    def value(self) -> str | None:
        return ident(self.column)

    def twins(self, rows: NDArray[np.int64], evidence: Evidence) -> pa.Array | None:
        return _names(self.measures()[0], self.reference, rows, evidence)

    def threshold(self) -> str | None:
        return f"jaccard >= {self.similarity:g}"

    def sentence(self) -> str:
        alike = f"{self.similarity * 100:g}% of their shingles"
        return f"{self.mode.capitalize()} documents that share {alike} with a text of reference {self.reference[:8]}"


def _names(measure: Measure, reference: str, rows: NDArray[np.int64], evidence: Evidence) -> pa.Array:
    """Return the file and row of the item that each document matches best, NULL where it matches none."""
    items = evidence.array(measure, "item")[rows]
    known = Reference.from_table(evidence.table(reference))
    return pa.array([known.name(int(item)) or None for item in items], pa.string())


def _overlap_step(measure: Measure) -> StepSpec:
    params = dict(measure.params)

    def run(context: StepContext) -> None:
        reference = Reference.from_table(context.stored(str(params["reference"])))
        index = GramIndex(reference, int(params["shortest"]))
        context.fill(shard_work(context.corpus, _overlaps, common=index))
        facts = {"items": len(reference), "not_looked_for": int(np.count_nonzero(~index.used))}
        context.out.commit(rows=context.documents.n, facts=facts)

    return _step(measure, "Looking for evaluation texts", run)


def _known_step(measure: Measure) -> StepSpec:
    params = dict(measure.params)

    def run(context: StepContext) -> None:
        reference = Reference.from_table(context.stored(str(params["reference"])))
        known = KnownTexts(reference, int(params["bands"]), int(params["rows"]))
        context.fill(shard_work(context.corpus, _nearest, common=known))
        context.out.commit(rows=context.documents.n, facts={"items": len(reference)})

    return _step(measure, "Looking for known texts", run)


def _overlaps(shard: Shard, given: PieceInput) -> pa.Table:
    """Return the overlaps of a shard with the shared ``GramIndex``."""
    texts = (_NOTHING, *given.corpus.document_texts(shard))
    return pa.concat_tables([given.common.overlap(some).table() for some in texts])


def _nearest(shard: Shard, given: PieceInput) -> pa.Table:
    """Return ``share`` and ``item`` of a shard by the shared ``KnownTexts``."""
    parts = [given.common.nearest(texts) for texts in (_NOTHING, *given.corpus.document_texts(shard))]
    values, items = (np.concatenate(side) for side in zip(*parts, strict=True))
    return pa.table({"share": values, "item": items})


_NOTHING = pa.nulls(0, pa.large_string())


def _step(measure: Measure, title: str, run: Any) -> StepSpec:
    def estimate(size: Size) -> Estimate:
        return Estimate(1.0 + size.bytes / 40e6 + size.documents * 5e-6, size.documents * 6)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents",),
        params=dict(measure.params),
        title=title,
        estimate=estimate,
        run=run,
    )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[Any]:
    """Return a column in facts order: ``item``, ``matches``, or the share for every other name."""
    column = "item" if name == "item" else "matches" if name.startswith("eval_matches_") else "share"
    return np.asarray(load_column(artifact, documents, column).to_numpy(zero_copy_only=False))


MEASURES.register(MeasureKind(OVERLAP, "Overlap with evaluation sets", step=_overlap_step, read=_read))
MEASURES.register(MeasureKind(KNOWN, "Similarity to known texts", step=_known_step, read=_read))
