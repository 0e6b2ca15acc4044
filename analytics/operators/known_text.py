"""Rules that compare a corpus with other files: decontamination, and exclusion of documents of another corpus.

Boilerplate as a rule, and as a text step that removes chosen passages; spans that earlier documents have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, PrivateAttr

from tamis.analytics.duplicates.boilerplate import BoilerplateParams, Passages, passage_hash
from tamis.analytics.duplicates.reference_search import GramIndex, KnownTexts
from tamis.analytics.duplicates.references import Reference
from tamis.analytics.duplicates.repeated_spans import cut_texts, spans_measure
from tamis.analytics.operators.operator import OPERATORS, Evidence, Group, RowOperator, Scope, TextOperator
from tamis.analytics.operators.predicate import number
from tamis.analytics.operators.rows import Digest
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import RecipeError
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


MOST_PASSAGES = 1000


@OPERATORS.register
class Boilerplate(RowOperator):
    """Drops documents that consist mostly of lines or paragraphs that many documents of the same source share.

    Passages are compared in normalised form and counted once per document; documents with the same normalised text
    count once. The share is that of the document's bytes.
    """

    name: ClassVar[str] = "boilerplate"
    term: ClassVar[str] = "boilerplate filter (line or paragraph deduplication)"
    group: ClassVar[Group] = "Duplicates"
    summary: ClassVar[str] = "Drops documents that are mostly boilerplate of their source."
    source: ClassVar[str] = (
        "Wenzek et al. 2019, arXiv 1911.00359 (paragraph hashes, CCNet); Penedo et al. 2023, arXiv 2306.01116"
    )

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the matching documents, or keep only them.")
    share: float = Field(0.5, gt=0, le=1, description="Smallest share of a document's bytes that matches.")
    unit: Literal["line", "paragraph"] = Field("line", description="What is compared.")
    documents: int = Field(10, ge=2, description="Documents of a source that must share a passage.")
    words: int = Field(3, ge=1, le=100, description="Words a passage must have to count.")

    @property
    def params(self) -> BoilerplateParams:
        """Return what counts as boilerplate."""
        return BoilerplateParams(self.unit, self.documents, self.words)

    def columns(self) -> frozenset[str]:
        return frozenset({self.params.column})

    def measures(self) -> tuple[Measure, ...]:
        return (self.params.measure,)

    def match(self) -> str:
        return f"{ident(self.params.column)} >= {number(self.share)}"

    def value(self) -> str | None:
        return ident(self.params.column)

    def threshold(self) -> str | None:
        return f">= {self.share:g}"

    def sentence(self) -> str:
        shared = f"{self.unit}s that {self.documents} documents of their source share"
        return f"{self.mode.capitalize()} documents that are {self.share * 100:g}% or more {shared}"


@OPERATORS.register
class SubstringDedup(RowOperator):
    """Drops documents of which a large part stands, byte for byte, in documents with smaller ids.

    A byte is repeated when it lies in a window of ``length`` bytes that an earlier document has too; the first document
    of a span keeps it. Spans are found exactly, by a suffix array over all texts of the corpus, whatever rules come
    before: copies are counted against documents that another rule may drop. It needs about 16 bytes of memory for each
    byte of text, and at most 2 GiB of text.
    """

    name: ClassVar[str] = "substring_dedup"
    term: ClassVar[str] = "exact substring deduplication (suffix array)"
    group: ClassVar[Group] = "Duplicates"
    summary: ClassVar[str] = "Drops documents that mostly repeat long spans of earlier ones, byte for byte."
    source: ClassVar[str] = (
        "Lee et al. 2021, arXiv 2107.06499 (ExactSubstr); Olmo 3 team 2025, arXiv 2512.13961 (500 bytes)"
    )
    warning: ClassVar[str | None] = (
        "Spans are those of the whole corpus: the document that keeps one may be dropped by another rule."
    )

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the matching documents, or keep only them.")
    length: int = Field(200, ge=20, le=100_000, description="Bytes that must be the same in a row.")
    share: float = Field(0.5, gt=0, le=1, description="Smallest share of a document's bytes that earlier ones have.")

    @property
    def column(self) -> str:
        """Return the measured column with the share."""
        return f"repeated_{self.length}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        return (spans_measure(self.length, column=self.column),)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.share)}"

    def value(self) -> str | None:
        return ident(self.column)

    def threshold(self) -> str | None:
        return f">= {self.share:g}"

    def sentence(self) -> str:
        of = f"{self.share * 100:g}% or more of their bytes in spans of {self.length:,} that earlier ones have"
        return f"{self.mode.capitalize()} documents with {of}"


@OPERATORS.register
class CutSpans(TextOperator):
    """Cuts spans out of texts that earlier documents have, byte for byte; the first document of a span keeps it.

    The spans are a stored table that ``tamis cut-spans`` or the page Recipe makes with ``substring_dedup``: places in
    texts that are named by their hash. Spans shrink to whole words. Texts that another step has changed before, and
    texts of another corpus, are not in the table and stay as they are: put this step before other text steps.
    """

    name: ClassVar[str] = "cut_spans"
    term: ClassVar[str] = "exact substring deduplication, spans removed"
    summary: ClassVar[str] = "Cuts long spans that earlier documents have, byte for byte."
    source: ClassVar[str] = "Lee et al. 2021, arXiv 2107.06499 (ExactSubstr)"
    warning: ClassVar[str | None] = (
        "Spans are those of the whole corpus: the document that keeps one may be dropped by another rule."
    )

    spans: Digest = Field(description="Digest of the stored table of spans.")

    _table: pa.Table | None = PrivateAttr(None)

    def assets(self) -> tuple[str, ...]:
        return (self.spans,)

    def with_tables(self, read: Callable[[str], pa.Table]) -> TextOperator:
        held = self.model_copy()
        held._table = read(self.spans)
        return held

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        """Cut the spans of texts; see the base class.

        Raises:
            RecipeError: the step was not given its table.
        """
        if self._table is None:
            raise RecipeError("The spans of a step were not read", value=self.spans, fix="evaluate the recipe first")
        return cut_texts(texts, self._table)

    def sentence(self) -> str:
        return f"Cut the repeated spans of table {self.spans[:8]} from the texts"


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({value.strip() for value in values if value.strip()}))


@OPERATORS.register
class RemovePassages(TextOperator):
    """Removes chosen lines or paragraphs wherever they occur; the rest of the text keeps its bytes.

    A passage is removed when its normalised form (case, white space and punctuation do not count) equals that of a
    chosen one. The list of edits records its edits; filters before it see the unedited text.
    """

    name: ClassVar[str] = "remove_passages"
    term: ClassVar[str] = "line-wise deduplication, boilerplate removal"
    scope: ClassVar[Scope] = "map"
    summary: ClassVar[str] = "Removes chosen boilerplate lines or paragraphs from the texts."
    source: ClassVar[str] = "Wenzek et al. 2019, arXiv 1911.00359 (CCNet removes repeated paragraphs)"

    passages: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=MOST_PASSAGES, description="The lines or paragraphs to remove."
    )
    unit: Literal["line", "paragraph"] = Field("line", description="What is removed as a whole.")

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        found = Passages.of(texts, unit=self.unit)
        chosen = np.array([passage_hash(passage) for passage in self.passages], dtype=np.uint64)
        keep = ~np.isin(found.hashes, chosen) | (found.words == 0)
        return found.joined(keep, texts)

    def sentence(self) -> str:
        count = len(self.passages)
        return f"Remove {count} boilerplate {self.unit}{'s' if count > 1 else ''} from the texts"
