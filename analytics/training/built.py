"""A plan carried out: tokens or texts made, packed, put into batches; every split ready for a writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operators.training import ComposeBatches, PackSequences
from tamis.analytics.steps.engine import Engine
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.training.batches import BatchOrder, majority_groups
from tamis.analytics.training.data import SPLITS, Split, TrainingData, text_schema, token_schema
from tamis.analytics.training.expand import Stream
from tamis.analytics.training.kept_rows import ShardRows, is_chat, text_steps
from tamis.analytics.training.packing import PARAGRAPH, SENTENCE, TOKEN, Packing, Window, pack
from tamis.analytics.training.plan import TrainingPlan
from tamis.analytics.training.samples import TextSamples, TokenSamples
from tamis.analytics.training.text_store import TextStore, text_step
from tamis.analytics.training.token_store import TokenStore, token_step
from tamis.data.artifact import Artifact
from tamis.data.progress import Progress

_LEVELS = {"paragraph": PARAGRAPH, "sentence": SENTENCE, "token": TOKEN}
WINDOW_TOKENS = 1 << 26
"""Tokens of a window of documents packed together, at most, so that its memory is bounded."""


@dataclass(frozen=True)
class SplitSummary:
    """The numbers of one split.

    Attributes:
        split: its name.
        documents: different documents.
        samples: sequences or texts.
        items: documents with their copies and epochs.
        tokens: of all items, special tokens included; 0 in form ``text``.
        bytes: of all samples.
        padding: share of the places of all sequences without a token, in [0, 1].
        cut: items that are cut.
        lost: tokens in no sequence: calls of tools longer than a sequence.
        refused: documents without any token: conversations that the template refuses.
        steps: batches; 0 where the recipe composes none.
        mixed: batches of several groups that should have one.
        window: other documents between two copies of the same one, at least.
        exact: whether tokens are those of the tokenizer; else they are estimated from the counts of the analysis.
    """

    split: Split
    documents: int
    samples: int
    items: int
    tokens: int
    bytes: int
    padding: float
    cut: int
    lost: int
    refused: int
    steps: int
    mixed: int
    window: int
    exact: bool = True

    def plain(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class BuiltSplit:
    """One split ready for a writer.

    Attributes:
        data: its samples.
        batches: which samples each step reads; step k reads the samples from ``k * size`` on. None without batches.
        packing: of its stream; None in form ``text``.
        summary: its numbers.
    """

    data: TrainingData
    batches: BatchOrder | None
    packing: Packing | None
    summary: SplitSummary


@dataclass(frozen=True, eq=False)
class BuiltPlan:
    """All splits of a plan.

    Attributes:
        plan: the plan.
        splits: by name, in the order of ``SPLITS``.
    """

    plan: TrainingPlan
    splits: Mapping[Split, BuiltSplit]

    @property
    def data(self) -> Mapping[Split, TrainingData]:
        """Return what writers read, by split."""
        return {name: built.data for name, built in self.splits.items()}

    @property
    def summary(self) -> tuple[SplitSummary, ...]:
        """Return the numbers of each split."""
        return tuple(built.summary for built in self.splits.values())


def build(plan: TrainingPlan, *, engine: Engine | None = None, progress: Progress | None = None) -> BuiltPlan:
    """Carry out a plan: make tokens or texts of the kept documents, pack them and put them into batches.

    Tokens and texts are artifacts of the workspace: a stopped call goes on where it was.

    Args:
        plan: the plan.
        engine: makes shards elsewhere, which changes no byte.
        progress: where to report.

    Raises:
        Cancelled: a person stopped the work.
        StoreError: the disk is full.
    """
    kept = np.zeros(plan.study.facts.n, dtype=np.bool_)
    kept[plan.rows] = True
    rows = ShardRows.of(plan.study.corpus, plan.study.documents, kept)
    shards = tuple(shard.part for shard in plan.study.corpus.shards())
    if plan.tokenization is None:
        spec = text_step(rows, kept, text_steps(plan.outcome.recipe), chat=is_chat(plan.study.corpus))
        texts = TextStore(_made(plan, spec, engine, progress), rows, shards)
        splits = {name: _text_split(plan, name, texts) for name in SPLITS if name in plan.streams}
    else:
        spec = token_step(rows, kept, plan.tokenization)
        tokens = TokenStore(_made(plan, spec, engine, progress), rows, shards)
        splits = {name: _token_split(plan, name, tokens) for name in SPLITS if name in plan.streams}
    return BuiltPlan(plan, splits)


def _made(plan: TrainingPlan, spec: StepSpec, engine: Engine | None, progress: Progress | None) -> Artifact:
    """Run a step on the corpus of a plan, or find what it made."""
    study = plan.study
    steps = study.evidence.steps_for([spec])
    found = analyze(
        study.corpus, study.workspace, steps=steps, documents=study.documents, engine=engine, progress=progress
    )
    return found.artifacts[spec.name]


def _groups_of(plan: TrainingPlan, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the group of documents by their facts rows, int32 (m,)."""
    return plan.group[np.searchsorted(plan.rows, rows)]


def _ordered(plan: TrainingPlan, name: Split, group: NDArray[np.int32]) -> BatchOrder | None:
    """Return the batches of a split; only train has any."""
    step = plan.step(ComposeBatches)
    if step is None or name != "train":
        return None
    return BatchOrder(step.size, step.mode, group, plan.groups, step.seed)


def _text_split(plan: TrainingPlan, name: Split, store: TextStore) -> BuiltSplit:
    stream = plan.streams[name]
    batches = _ordered(plan, name, _groups_of(plan, stream.row))
    order = np.arange(len(stream)) if batches is None else batches.order()
    schema = text_schema(messages=is_chat(plan.study.corpus))
    samples = TextSamples(store, plan.study.facts.ids, stream, order, schema)
    data = TrainingData(name, schema, samples.sizes, samples)
    return BuiltSplit(data, batches, None, _summary(name, stream, data, None, batches, 0))


def _token_split(plan: TrainingPlan, name: Split, store: TokenStore) -> BuiltSplit:
    stream, step, form = plan.streams[name], plan.step(PackSequences), plan.form
    assert step is not None and form is not None and plan.tokenization is not None
    chat = plan.tokenization.template is not None
    packing = pack(
        _windows(store, stream, step, chat), length=step.length, method=step.method, level=_LEVELS[step.cuts]
    )
    group = np.zeros(packing.sequences, dtype=np.int32)
    if len(plan.groups) > 1:
        own = _groups_of(plan, stream.row[packing.item])
        sizes = packing.last - packing.first
        group = majority_groups(packing.sequence, sizes, own, sequences=packing.sequences, groups=len(plan.groups))
    batches = _ordered(plan, name, group)
    order = np.arange(packing.sequences) if batches is None else batches.order()
    schema = token_schema(form.dtype, mask=chat and step.mask == "answers")
    samples = TokenSamples(store, plan.study.facts.ids, stream, packing, order, schema, form)
    data = TrainingData(name, schema, samples.sizes, samples, form)
    refused = int((store.lengths_of(np.unique(stream.row)) == 0).sum())
    return BuiltSplit(data, batches, packing, _summary(name, stream, data, packing, batches, refused))


def _windows(store: TokenStore, stream: Stream, step: PackSequences, chat: bool) -> Iterator[Window]:
    """Yield the documents of a stream in windows, with the levels that packing needs."""
    lengths = store.lengths_of(stream.row)
    total = np.concatenate([[0], np.cumsum(lengths)])
    first = 0
    while first < len(lengths):
        full = int(np.searchsorted(total, total[first] + WINDOW_TOKENS, side="right")) - 1
        last = min(max(full, first + 1), first + step.window, len(lengths))
        own = lengths[first:last]
        wanted = np.full(len(own), chat) if step.method == "concatenate" else own > step.length
        starts = np.full(len(own), -1, dtype=np.int64)
        sizes = own[wanted]
        starts[wanted] = np.cumsum(sizes) - sizes
        rows = stream.row[first:last][wanted]
        yield Window(own, store.gather("levels", rows, np.zeros_like(sizes), sizes), starts)
        first = last


def _summary(
    name: Split, stream: Stream, data: TrainingData, packing: Packing | None, batches: BatchOrder | None, refused: int
) -> SplitSummary:
    return SplitSummary(
        split=name,
        documents=len(np.unique(stream.row)),
        samples=data.samples,
        items=len(stream),
        tokens=0 if packing is None else packing.tokens,
        bytes=int(data.sizes.sum()),
        padding=0.0 if packing is None else packing.padding,
        cut=0 if packing is None else packing.cut,
        lost=0 if packing is None else packing.lost,
        refused=refused,
        steps=0 if batches is None else len(batches),
        mixed=0 if batches is None else batches.mixed,
        window=stream.window,
    )


def estimate(plan: TrainingPlan) -> tuple[SplitSummary, ...]:
    """Return the numbers of each split without making any token: packed by the token counts of the analysis.

    Nothing of a text is read: long documents are cut between any two tokens, and none is refused.
    """
    step = plan.step(PackSequences)
    counts = np.nan_to_num(plan.study.facts.whole("n_tokens")).astype(np.int64)
    size = plan.study.facts.whole("bytes")
    found = []
    for name, stream in plan.streams.items():
        packing = None
        samples, total = len(stream), int(size[stream.row].sum())
        if step is not None and plan.form is not None:
            lengths = counts[stream.row] + (step.separator != "none")
            borders = range(0, len(lengths), step.window)
            windows = (Window.plain(lengths[first : first + step.window]) for first in borders)
            packing = pack(windows, length=step.length, method=step.method)
            samples, total = packing.sequences, packing.tokens * plan.form.dtype.itemsize
        batches = _ordered(plan, name, np.zeros(samples, dtype=np.int32))
        found.append(
            SplitSummary(
                split=name,
                documents=len(np.unique(stream.row)),
                samples=samples,
                items=len(stream),
                tokens=0 if packing is None else packing.tokens,
                bytes=total,
                padding=0.0 if packing is None else packing.padding,
                cut=0 if packing is None else packing.cut,
                lost=0,
                refused=0,
                steps=0 if batches is None else len(batches),
                mixed=0,
                window=stream.window,
                exact=packing is None,
            )
        )
    return tuple(found)
