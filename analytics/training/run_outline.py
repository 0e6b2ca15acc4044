"""The run of training as the facts of a corpus foresee it: splits, stream, sequences and steps, without reading a text.

Token counts are those of the facts, so sequences are an estimate where ``pack`` names another tokenizer; the order of
documents is exact. Nothing is written: this is what people look at before ``tamis prepare`` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Evidence, TrainingOperator
from tamis.analytics.operators.training import ComposeBatches, ExpandCopies, PackSequences, SplitDocuments
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.groups import column_values
from tamis.analytics.study.scene import Scene
from tamis.analytics.training.batches import BatchOrder, difficulty_groups, majority_groups
from tamis.analytics.training.data import SPLITS
from tamis.analytics.training.expand import Stream, expand
from tamis.analytics.training.packing import Packing, Window, pack
from tamis.analytics.training.splits import LeakCheck, Twins, assign, check_leaks, join_groups, random_split
from tamis.data.errors import RecipeError, SettingError

Value = TypeVar("Value", bound=TrainingOperator)


@dataclass(frozen=True)
class TrainingSteps:
    """The active steps of training of a recipe; None where there is none.

    Attributes:
        split, expand, pack, batches: the operators.
    """

    split: SplitDocuments | None = None
    expand: ExpandCopies | None = None
    pack: PackSequences | None = None
    batches: ComposeBatches | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> TrainingSteps:
        """Return the steps of training that a recipe has and that are switched on."""

        def find(kind: type[Value]) -> Value | None:
            return next((step.operator for step in recipe.active if isinstance(step.operator, kind)), None)

        return cls(find(SplitDocuments), find(ExpandCopies), find(PackSequences), find(ComposeBatches))

    @property
    def any(self) -> bool:
        """Return whether there is one."""
        return any((self.split, self.expand, self.pack, self.batches))

    @property
    def follows(self) -> bool:
        """Return whether the first epoch follows the order that a step of the recipe gives, if one does."""
        return self.expand is None or self.expand.order != "shuffle"

    def ordered(self, *, given: bool) -> int:
        """Return how many epochs, from the first, follow the order of the recipe.

        Args:
            given: whether a step gives an order.
        """
        if not given or not self.follows:
            return 0
        return self.expand.epochs if self.expand is not None and self.expand.order == "recipe order" else 1

    @property
    def unit(self) -> str:
        """Return what is read at once: a step, a sequence or a document."""
        return "step" if self.batches else "sequence" if self.pack else "document"


@dataclass(frozen=True, eq=False)
class SplitParts:
    """The kept documents by split.

    Attributes:
        rows: int64 (n,), facts rows of the kept documents, ascending.
        split: int8 (n,), the place in ``SPLITS``.
        twins: the verified twins among them, None where the split does not look for near-duplicates.
        divided: pairs of twins that a split by chance, of the same shares, would divide.
    """

    rows: NDArray[np.int64]
    split: NDArray[np.int8]
    twins: Twins | None = None
    divided: int = 0


@dataclass(frozen=True, eq=False)
class StepReading:
    """What one step reads, piece by piece.

    Attributes:
        number: of the step, from 0.
        sequences: how many it reads.
        sequence: int64 (p,), of each piece, from 0 within the step.
        rows: int64 (p,), facts rows.
        copy: int16 (p,), number of the copy within its epoch, from 0.
        epoch: int16 (p,), from 0.
        first: int64 (p,), first token of the piece in the document, estimated as in ``RunOutline``.
        last: int64 (p,), the token after its last one.
    """

    number: int
    sequences: int
    sequence: NDArray[np.int64]
    rows: NDArray[np.int64]
    copy: NDArray[np.int16]
    epoch: NDArray[np.int16]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Return the tokens of all pieces."""
        return int((self.last - self.first).sum())

    @property
    def again(self) -> NDArray[np.bool_]:
        """Return which pieces are of documents that may have come before, bool (p,)."""
        return (self.copy > 0) | (self.epoch > 0)


@dataclass(frozen=True)
class RunFigures:
    """The numbers of a run that people look at before it is made.

    Attributes:
        documents: different documents of train, validation and test.
        tokens: of each, every document once, as the facts count them.
        read: tokens that train reads, with copies and epochs, in sequences if documents are packed.
        again: tokens among them of later copies and epochs.
        sequences: of train; 0 where documents are not packed.
        padding: share of the places of all sequences without a token, in [0, 1].
        cut: documents of the stream that are cut.
        lost: tokens in no sequence.
        steps: batches, or sequences or documents where no step composes batches.
        window: other documents between two copies of the same one, at least.
    """

    documents: tuple[int, int, int]
    tokens: tuple[int, int, int]
    read: int
    again: int
    sequences: int
    padding: float
    cut: int
    lost: int
    steps: int
    window: int


@dataclass(frozen=True, eq=False)
class RunOutline:
    """One run of training over the train documents.

    Attributes:
        facts: of the corpus.
        steps: of the recipe.
        parts: the kept documents by split.
        train: int64 (t,), facts rows of the train documents, ascending.
        tokens: int64 (t,), tokens of each by the facts, with the separator where ``pack`` adds one.
        times: int32 (t,), copies of each.
        weight: float64 (t,), training weight, None for none.
        ordered: epochs, from the first, that follow the order of the recipe.
        stream: the documents in training order; ``row`` counts in ``train``.
    """

    facts: Facts
    steps: TrainingSteps
    parts: SplitParts
    train: NDArray[np.int64]
    tokens: NDArray[np.int64]
    times: NDArray[np.int32]
    weight: NDArray[np.float64] | None
    ordered: int
    stream: Stream

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Return the place of each document in ``train``, int64 (documents,); -1 for those that are not in it."""
        found = np.full(self.facts.n, -1, dtype=np.int64)
        found[self.train] = np.arange(len(self.train))
        return found

    @property
    def packing_wanted(self) -> bool:
        """Return whether documents are packed into sequences of tokens."""
        return self.steps.pack is not None

    @cached_property
    def groups(self) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return the group of each train document that batches are composed by, int32 (t,), and the names."""
        batches = self.steps.batches
        if batches is None or batches.mode == "free":
            return np.zeros(len(self.train), dtype=np.int32), ("",)
        if batches.difficulty is not None:
            return difficulty_groups(self.facts.numbers(batches.difficulty)[self.train], bins=batches.bins)
        texts, codes = column_values(self.facts, str(batches.by))
        held, code = np.unique(codes[self.train], return_inverse=True)
        names = [*map(str, texts.to_pylist()), "no value"]
        return code.astype(np.int32), tuple(names[number] for number in held)

    @cached_property
    def packing(self) -> Packing | None:
        """Return the sequences of the stream, None without ``pack``; documents count as cut between any two tokens."""
        if self.steps.pack is None:
            return None
        lengths, step = self.tokens[self.stream.row], self.steps.pack
        windows = (Window.plain(lengths[at : at + step.window]) for at in range(0, len(lengths), step.window))
        return pack(windows, length=step.length, method=step.method)

    @cached_property
    def batches(self) -> BatchOrder:
        """Return the steps; without ``batches`` each reads one sequence, or one document."""
        group, names = self.groups
        own, step = group[self.stream.row], self.steps.batches
        if self.packing is not None:
            sizes, pieces = self.packing.last - self.packing.first, own[self.packing.item]
            own = majority_groups(
                self.packing.sequence, sizes, pieces, sequences=self.packing.sequences, groups=len(names)
            )
        return BatchOrder(1, "free", own) if step is None else BatchOrder(step.size, step.mode, own, names, step.seed)

    def read(self, number: int) -> StepReading:
        """Return what a step reads.

        Raises:
            SettingError: there is no such step.
        """
        if not len(self.batches):
            raise SettingError("There is nothing to read: train is empty", fix="keep more documents")
        chosen = self.batches.step(number)
        if self.packing is None:
            item, first, last = chosen, np.zeros(len(chosen), dtype=np.int64), self.tokens[self.stream.row[chosen]]
            sequence = np.arange(len(chosen))
        else:
            starts = self._starts
            counts = starts[chosen + 1] - starts[chosen]
            within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            piece = np.repeat(starts[chosen], counts) + within
            item, first, last = (self.packing.item[piece], self.packing.first[piece], self.packing.last[piece])
            sequence = np.repeat(np.arange(len(chosen)), counts)
        stream = self.stream
        rows = self.train[stream.row[item]]
        return StepReading(number, len(chosen), sequence, rows, stream.copy[item], stream.epoch[item], first, last)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        assert self.packing is not None
        return self.packing.starts()

    @cached_property
    def figures(self) -> RunFigures:
        """Return the numbers of the run."""
        split, packing, stream = self.parts.split, self.packing, self.stream
        own = self.facts.whole("n_tokens")[self.parts.rows]
        documents = np.bincount(split, minlength=len(SPLITS)).tolist()
        tokens = [int(own[split == number].sum()) for number in range(len(SPLITS))]
        sizes = self.tokens[stream.row]
        return RunFigures(
            documents=(documents[0], documents[1], documents[2]),
            tokens=(tokens[0], tokens[1], tokens[2]),
            read=int(sizes.sum()),
            again=int(sizes[(stream.copy > 0) | (stream.epoch > 0)].sum()),
            sequences=0 if packing is None else packing.sequences,
            padding=0.0 if packing is None else packing.padding,
            cut=0 if packing is None else packing.cut,
            lost=0 if packing is None else packing.lost,
            steps=len(self.batches),
            window=stream.window,
        )

    @cached_property
    def leaks(self) -> LeakCheck | None:
        """Return the verified twins that the split divides, None where no near-duplicates are measured for it."""
        if self.parts.twins is None:
            return None
        return check_leaks(self.parts.split, self.parts.twins, self.facts.ids.take(self.parts.rows))


def outline_run(scene: Scene, evidence: Evidence) -> RunOutline:
    """Return the run of training that the live recipe of a scene describes.

    Args:
        scene: with a recipe.
        evidence: holds the pairs that ``split`` keeps together.

    Raises:
        RecipeError: there is no recipe, or a step of training does not fit the documents.
    """
    outcome = scene.outcome
    if outcome is None:
        raise RecipeError("There is no recipe to train by", fix="open one, or add a step")
    steps, facts = TrainingSteps.of(outcome.recipe), scene.facts
    parts = _through(facts, outcome, steps.split, lambda: split_parts(outcome, facts, evidence, steps.split))
    train = parts.rows[parts.split == 0]
    tokens = facts.whole("n_tokens")[train] + (steps.pack is not None and steps.pack.separator != "none")
    times = outcome.copies[train]
    weight = None if outcome.weight is None or not _weighs(steps) else outcome.weight[train]
    position = None if outcome.position is None else outcome.position[train]
    ordered = steps.ordered(given=position is not None)
    step = steps.expand or ExpandCopies()
    stream = expand(
        facts.keys[train], times, weight=weight, position=position, ordered=ordered,
        epochs=step.epochs, window=step.window, seed=step.seed,
    )  # fmt: skip
    return RunOutline(facts, steps, parts, train, tokens, times, weight, ordered, stream)


def _weighs(steps: TrainingSteps) -> bool:
    return steps.expand is not None and steps.expand.weights


def _through(
    facts: Facts, outcome: Outcome, split: SplitDocuments | None, make: Callable[[], SplitParts]
) -> SplitParts:
    """Return the split that was made before for the same kept documents: their order does not matter to it."""
    key = ("split", facts.digest, outcome.kept.tobytes(), None if split is None else split.model_dump_json())
    return facts.memo.through(key, make, size=lambda parts: 30 * len(parts.rows) + outcome.kept.nbytes)


def split_parts(outcome: Outcome, facts: Facts, evidence: Evidence, split: SplitDocuments | None) -> SplitParts:
    """Return the kept documents by split; without a step all are train."""
    rows = np.flatnonzero(outcome.kept)
    if split is None:
        return SplitParts(rows, np.zeros(len(rows), dtype=np.int8))
    near, twins, codes = split.near, None, []
    if near is not None:
        first, pairs = evidence.array(near.measure, "first"), evidence.pairs(near.measure)
        twins = Twins.of(rows, first, pairs, level=split.similarity)
    for name in filter(None, [split.by, *("norm_group" for rule in split.together if rule == "same text")]):
        codes.append(_codes(facts, name)[rows])
    if "same prompt" in split.together:
        said = facts.numbers("prompt.bytes")[rows] > 0
        codes.append(np.where(said, _codes(facts, "prompt.norm_group")[rows], -1))
    sizes = facts.whole("n_tokens")[rows] if split.share_of == "tokens" else np.ones(len(rows), dtype=np.int64)
    keys, groups = facts.keys[rows], join_groups(len(rows), twins=twins, codes=codes)
    found = assign(keys, sizes, groups, validation=split.validation, test=split.test, seed=split.seed)
    divided = 0
    if twins is not None:
        by_chance = random_split(keys, validation=split.validation, test=split.test, seed=split.seed)
        divided = check_leaks(by_chance, twins, facts.ids.take(rows)).pairs
    return SplitParts(rows, found, twins, divided)


def _codes(facts: Facts, name: str) -> NDArray[np.int64]:
    """Return numbers of the values of a column, int64 (documents,), -1 where there is none."""
    if facts.info(name).numeric:
        return np.nan_to_num(facts.numbers(name), nan=-1).astype(np.int64)
    texts, codes = column_values(facts, name)
    return np.where(codes < len(texts), codes, -1)
