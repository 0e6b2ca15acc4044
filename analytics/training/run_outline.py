"""The run of training as the facts of a corpus foresee it: splits, stream, sequences and steps, without reading a text.

Token counts are those of the facts, so sequences are an estimate until ``tamis prepare`` makes the tokens; splits and
the order of documents are those that it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Evidence, TrainingOperator
from tamis.analytics.operators.training import ComposeBatches, ExpandCopies, PackSequences, SplitDocuments
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.scene import Scene
from tamis.analytics.training.batches import BatchOrder, majority_groups
from tamis.analytics.training.data import SPLITS
from tamis.analytics.training.expand import Stream, times_in_epoch
from tamis.analytics.training.packing import Packing, Window, pack
from tamis.analytics.training.plan import batch_groups, divide, stream_of
from tamis.analytics.training.splits import LeakCheck, VerifiedTwins, check_leaks, random_split
from tamis.analytics.training.spread import RunProgress, RunSpread, count_parts
from tamis.data.errors import RecipeError
from tamis.data.hashing import uniform

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
        outcome: of the recipe.
        rows: int64 (kept,), facts rows of the kept documents, ascending.
        split: int8 (kept,), the split of each, as the place in ``SPLITS``.
        twins: verified twins among them; None where the split does not look for any.
        stream: the train documents in training order; ``row`` is the facts row.
        sizes: int64 (documents,), tokens of each by the facts, with the separator where ``pack`` adds one.
        group: int32 (documents,), group of each that batches are composed by.
        groups: names of the groups.
    """

    facts: Facts
    outcome: Outcome
    rows: NDArray[np.int64]
    split: NDArray[np.int8]
    twins: VerifiedTwins | None
    stream: Stream
    sizes: NDArray[np.int64]
    group: NDArray[np.int32]
    groups: tuple[str, ...]

    @cached_property
    def steps(self) -> TrainingSteps:
        """Return the steps of training of the recipe."""
        return TrainingSteps.of(self.outcome.recipe)

    @property
    def ordered(self) -> int:
        """Return how many epochs, from the first, follow an order that the recipe gives."""
        return self.steps.ordered(given=self.outcome.position is not None)

    @cached_property
    def in_train(self) -> NDArray[np.bool_]:
        """Return which documents are in train, bool (documents,)."""
        found = np.zeros(self.facts.n, dtype=np.bool_)
        found[self.rows[self.split == 0]] = True
        return found

    @cached_property
    def first_times(self) -> NDArray[np.int64]:
        """Return how often each document comes in the first epoch, int64 (documents,); 0 if it is not in train."""
        return self.times(0)

    def times(self, epoch: int) -> NDArray[np.int64]:
        """Return how often each document comes in an epoch, int64 (documents,); 0 if it is not in train."""
        step, train = self.steps.expand, np.flatnonzero(self.in_train)
        weighs = step is not None and step.weights and self.outcome.weight is not None
        weight = self.outcome.weight[train] if weighs and self.outcome.weight is not None else None
        drawn = uniform(self.facts.keys[train], seed=0 if step is None else step.seed, salt="expand weight")
        found = np.zeros(self.facts.n, dtype=np.int64)
        found[train] = times_in_epoch(self.outcome.copies[train], weight, drawn, epoch)
        return found

    @cached_property
    def moves(self) -> NDArray[np.int64]:
        """Return by how much each document moves the run on, int64 (documents,): by its tokens where documents are
        packed, else by 1."""
        return self.sizes if self.steps.pack else np.ones(self.facts.n, dtype=np.int64)

    @cached_property
    def totals(self) -> NDArray[np.int64]:
        """Return by how much the documents of each group move the run on in all, int64 (groups,)."""
        return self._moved(np.bincount(self.stream.row, minlength=self.facts.n))

    def _moved(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return by how much documents that come so many times, int64 (documents,), move each group on."""
        found = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(found, self.group, self.moves * times)
        return found

    @cached_property
    def progress(self) -> RunProgress:
        """Return what moves the run on."""
        epochs = int(self.stream.epoch.max(initial=0)) + 1
        return RunProgress(self.sizes, self.moves, self.group, self.totals, count_parts(len(self.stream)), epochs)

    @cached_property
    def spread(self) -> RunSpread:
        """Return where every item of the stream lies in the progress of the run."""
        return self.progress.spread(self.stream)

    @cached_property
    def shuffled(self) -> RunSpread:
        """Return where the items lie that follow no order of the recipe, as if all others came before them."""
        stream = self.stream
        rest = stream.epoch >= self.ordered
        row = stream.row[rest]
        times = np.bincount(row, minlength=self.facts.n)
        before = self.totals - self._moved(times)
        return self.progress.spread(Stream(row, stream.copy[rest], stream.epoch[rest]), before)

    @cached_property
    def shuffled_tokens(self) -> WeakKeyDictionary[object, NDArray[np.float64]]:
        """Return the tokens of ``shuffled`` by part and code, float64 (parts, codes), of groups that were asked for."""
        return WeakKeyDictionary()

    @cached_property
    def packing(self) -> Packing | None:
        """Return the sequences of the stream, None without ``pack``; documents count as cut between any two tokens."""
        if self.steps.pack is None:
            return None
        lengths, step = self.sizes[self.stream.row], self.steps.pack
        windows = (Window.plain(lengths[at : at + step.window]) for at in range(0, len(lengths), step.window))
        return pack(windows, length=step.length, method=step.method)

    @cached_property
    def batches(self) -> BatchOrder:
        """Return the steps; without ``batches`` each reads one sequence, or one document."""
        own, step, packing = self.group[self.stream.row], self.steps.batches, self.packing
        if packing is not None and len(self.groups) > 1:
            sizes, pieces = packing.last - packing.first, own[packing.item]
            own = majority_groups(packing.sequence, sizes, pieces, sequences=packing.sequences, groups=len(self.groups))
        elif packing is not None:
            own = np.zeros(packing.sequences, dtype=np.int32)
        return (
            BatchOrder(1, "free", own)
            if step is None
            else BatchOrder(step.size, step.mode, own, self.groups, step.seed)
        )

    def read(self, number: int) -> StepReading:
        """Return what a step reads.

        Raises:
            SettingError: there is no such step.
        """
        chosen, stream = self.batches.step(number), self.stream
        if self.packing is None:
            item, first, last = chosen, np.zeros(len(chosen), dtype=np.int64), self.sizes[stream.row[chosen]]
            sequence = np.arange(len(chosen))
        else:
            starts = self._starts
            counts = starts[chosen + 1] - starts[chosen]
            within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            piece = np.repeat(starts[chosen], counts) + within
            item, first, last = (self.packing.item[piece], self.packing.first[piece], self.packing.last[piece])
            sequence = np.repeat(np.arange(len(chosen)), counts)
        rows, copy, epoch = stream.row[item], stream.copy[item], stream.epoch[item]
        return StepReading(number, len(chosen), sequence, rows, copy, epoch, first, last)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        assert self.packing is not None
        return self.packing.starts()

    @cached_property
    def figures(self) -> RunFigures:
        """Return the numbers of the run."""
        packing, stream = self.packing, self.stream
        own = self.facts.whole("n_tokens")[self.rows]
        documents = np.bincount(self.split, minlength=len(SPLITS)).tolist()
        tokens = [int(own[self.split == number].sum()) for number in range(len(SPLITS))]
        sizes = self.sizes[stream.row]
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
        """Return the verified twins that the split divides, None where it does not look for near-duplicates."""
        if self.twins is None:
            return None
        return check_leaks(self.split, self.twins, self.facts.ids.take(self.rows))

    @cached_property
    def leaks_by_chance(self) -> int:
        """Return how many pairs of verified twins a split of the same shares by chance divides."""
        step = self.steps.split
        if self.twins is None or step is None:
            return 0
        keys = self.facts.keys[self.rows]
        split = random_split(keys, validation=step.validation, test=step.test, seed=step.seed)
        return check_leaks(split, self.twins, self.facts.ids.take(self.rows)).pairs


def outline_run(scene: Scene, evidence: Evidence) -> RunOutline:
    """Return the run of training that the live recipe of a scene describes, decided as ``TrainingPlan`` decides.

    Args:
        scene: with a recipe.
        evidence: holds the pairs that ``split`` keeps together.

    Raises:
        RecipeError: there is no recipe, it keeps nothing, a split is empty, or copies do not fit.
    """
    outcome, facts = scene.outcome, scene.facts
    if outcome is None:
        raise RecipeError("There is no recipe to train by", fix="open one, or add a step")
    rows = np.flatnonzero(outcome.kept)
    if not len(rows):
        raise RecipeError("The recipe keeps no document", fix="loosen a rule")
    steps = TrainingSteps.of(outcome.recipe)
    # The order of documents does not matter to their split, so a moved phase of a curriculum finds it again.
    split_by = None if steps.split is None else steps.split.model_dump_json()
    split, twins = facts.memo.through(
        ("split", facts.digest, outcome.copies.tobytes(), split_by),
        lambda: divide(facts, evidence, outcome, rows),
        size=lambda made: 40 * len(rows) + outcome.copies.nbytes,
    )
    stream = stream_of(facts, outcome, rows[split == 0], "train")
    sizes = facts.whole("n_tokens") + int(steps.pack is not None and steps.pack.separator != "none")
    kept, names = batch_groups(facts, evidence, outcome, rows)
    group = np.zeros(facts.n, dtype=np.int32)
    group[rows] = kept
    return RunOutline(facts, outcome, rows, split, twins, stream, sizes, group, names)
