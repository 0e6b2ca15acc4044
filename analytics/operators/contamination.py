"""The rule that drops documents which hold an evaluation item, by IDF-weighted words of one passage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from tamis.analytics.duplicates.evaluation_items import PARTS, Part
from tamis.analytics.duplicates.evaluation_sets import EvaluationSets
from tamis.analytics.duplicates.idf_overlap import FLOOR, IdfIndex
from tamis.analytics.operators.operator import OPERATORS, Evidence, Group, Of, RowOperator, spoken
from tamis.analytics.operators.predicate import number
from tamis.analytics.operators.rows import Digest
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.shards import Shard
from tamis.data.sql import ident

IDF_OVERLAP = "idf_overlap"
MOST_NAMED = 8
_PREFIX = "eval_idf_"


def _in_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(part for part in PARTS if part in parts)


@OPERATORS.register
class IdfDecontaminate(RowOperator):
    """Drops documents that hold an item of an evaluation set, also one with changed words or in a long document.

    The weight of a word is its inverse document frequency among the parts of the evaluation sets, ``ln(1 + N / df)``.
    What a document holds of an item is the weight of the item's distinct words that stand in one passage of
    the document, of a quarter more words than the item, by the weight of all its distinct words; the best passage
    counts. ``share`` is asked of items of 50 words and more, 1.0 of items of 20 words, a straight line between;
    shorter items must stand in the document word by word, those below ``shortest`` words are not looked for. Case,
    white space and punctuation do not count; a letter of a script written without spaces is a word. Prompt, answer and
    passage of an item are looked for apart; ``whole`` is prompt and answer together, or the text of items without
    parts. The value is what it holds, adjusted to the length, so that it compares with ``share``.
    """

    name: ClassVar[str] = "idf_decontaminate"
    term: ClassVar[str] = "decontamination by IDF-weighted overlap"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Drops documents that hold items of evaluation sets, by the weight of their words."
    source: ClassVar[str] = (
        "own variant of IDF-weighted overlap as in github.com/allenai/decon (doc/simple-details.md, used for OLMo 3);"
        " IDF: Sparck Jones 1972, A statistical interpretation of term specificity"
    )

    mode: Literal["keep", "drop"] = Field(
        "drop", description="Drop the documents that hold an item, or keep only them."
    )
    evaluation: Digest = Field(
        description="Digest of the stored evaluation sets.", json_schema_extra={"widget": "evaluation"}
    )
    parts: Annotated[tuple[Part, ...], AfterValidator(_in_order)] = Field(
        ("prompt", "answer", "whole"), min_length=1, description="Parts of an item that count by themselves."
    )
    share: float = Field(0.8, ge=FLOOR, le=1, description="Smallest share of an item of 50 words or more.")
    shortest: int = Field(8, ge=1, le=100, description="Words a part must have to be looked for.")
    of: Of = None

    def columns(self) -> frozenset[str]:
        return frozenset(str(measure.column) for measure in self.measures())

    def measures(self) -> tuple[Measure, ...]:
        params = (("evaluation", self.evaluation), ("shortest", self.shortest))
        place, scope = f"{self.evaluation[:8]}_{self.shortest}", "" if self.of is None else f"{self.of}."
        return tuple(
            Measure(IDF_OVERLAP, params, f"{scope}{_PREFIX}{part}_{place}", of=self.of or "") for part in self.parts
        )

    def assets(self) -> tuple[str, ...]:
        return (self.evaluation,)

    def match(self) -> str:
        return f"{self.value()} >= {number(self.share)}"

    def value(self) -> str:
        return f"greatest({', '.join(ident(str(measure.column)) for measure in self.measures())})"

    def threshold(self) -> str:
        return f">= {self.share:g}"

    def twins(self, rows: NDArray[np.int64], evidence: Evidence) -> pa.Array:
        sets = EvaluationSets.from_table(evidence.table(self.evaluation))
        hits = HitLists.of(self, evidence)
        return pa.array([item_names(sets, *hits.strongest(int(row), sets, self)) or None for row in rows], pa.string())

    def sentence(self) -> str:
        held = f"{self.share * 100:g}% of the weighted words of an item of evaluation sets {self.evaluation[:8]}"
        whose = "documents that hold" if self.of is None else f"documents whose {spoken(self.of)} holds"
        return f"{self.mode.capitalize()} {whose} {held} ({', '.join(self.parts)})"


@dataclass(frozen=True, eq=False)
class HitLists:
    """The distinct texts of evaluation sets found in each document, the strongest first.

    Attributes:
        starts: int64 (n + 1,), where the hits of each document begin, in facts order.
        texts: int32, number of the text in the ``EvaluationSets``.
        shares: float32, share of its weight in the best passage.
        strengths: float32, that share adjusted to its length, at least ``FLOOR``.
    """

    starts: NDArray[np.int64]
    texts: NDArray[np.int32]
    shares: NDArray[np.float32]
    strengths: NDArray[np.float32]

    @classmethod
    def of(cls, rule: IdfDecontaminate, evidence: Evidence) -> HitLists:
        """Return the hits behind a rule.

        Raises:
            RecipeError: they have not been measured.
        """
        measure = rule.measures()[0]
        return cls(*(evidence.array(measure, f"hit_{name}") for name in ("starts", "texts", "shares", "strengths")))

    def places(self, sets: EvaluationSets, rule: IdfDecontaminate) -> NDArray[np.int64]:
        """Return the places of the hits that count for a rule, int64, ascending."""
        wanted = np.isin(sets.part[self.texts], [PARTS.index(part) for part in rule.parts])
        return np.flatnonzero(wanted & (self.strengths >= np.float32(rule.share)))

    def strongest(
        self, row: int, sets: EvaluationSets, rule: IdfDecontaminate
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the texts that a document holds most of, all with equal strength, and their shares."""
        mine = slice(int(self.starts[row]), int(self.starts[row + 1]))
        own = HitLists(np.array([0]), self.texts[mine], self.shares[mine], self.strengths[mine])
        places = own.places(sets, rule)
        if len(places):
            places = places[own.strengths[places] == own.strengths[places].max()]
        return own.texts[places], own.shares[places]


def item_names(sets: EvaluationSets, texts: NDArray[np.int32], shares: NDArray[np.float32]) -> str:
    """Return the names of all items that have these texts, with part and share; empty for no text."""
    names = [
        f"{sets.item_name(int(item))}, {PARTS[sets.part[text]]}: {share:.3f} of {sets.words[text]} words"
        for text, share in zip(texts.tolist(), shares.tolist(), strict=True)
        for item in sets.owners_of(text)
    ]
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


def _step(measure: Measure) -> StepSpec:
    params = dict(measure.params)

    def run(context: StepContext) -> None:
        sets = EvaluationSets.from_table(context.stored(str(params["evaluation"])))
        index = IdfIndex(sets, int(params["shortest"]))
        context.fill(shard_work(context.corpus, _hits, common=index))
        facts = {"items": len(sets), "texts": len(sets.words), "not_looked_for": int(np.count_nonzero(~index.used))}
        context.out.commit(rows=context.documents.n, facts=facts)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents",),
        params=params,
        title="Looking for evaluation items",
        estimate=lambda size: Estimate(1.0 + size.bytes / 15e6 + size.documents * 5e-6, size.documents * 8),
        run=run,
    )


def _hits(shard: Shard, given: PieceInput) -> pa.Table:
    """Return the hits of a shard by the shared ``IdfIndex``."""
    texts = (pa.nulls(0, pa.large_string()), *given.corpus.document_texts(shard))
    return pa.concat_tables([given.common.hits(some) for some in texts])


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[Any]:
    """Return the largest strength of a part in facts order, or the hits as ``HitLists`` names them."""
    if not name.startswith("hit_"):
        part = name.removeprefix(_PREFIX).split("_")[0]
        return np.asarray(load_column(artifact, documents, part).to_numpy(zero_copy_only=False))
    lists = load_column(artifact, documents, "texts" if name == "hit_starts" else name.removeprefix("hit_"))
    if name == "hit_starts":
        return np.append(0, np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False))).astype(np.int64)
    return np.asarray(lists.flatten().to_numpy(zero_copy_only=False))


MEASURES.register(MeasureKind(IDF_OVERLAP, "Overlap with evaluation items", step=_step, read=_read))
