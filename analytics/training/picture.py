"""A run of training as a picture: what share of the tokens each group has, from the first step to the last.

Progress is cut into equal parts; a document that lies across a border counts on both sides by its tokens there, so
nothing is rounded. Every figure is of all documents of the run. Time and memory are O(n), and a boundary of a
curriculum is tried without sorting anything again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.order import Curriculum
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Step
from tamis.analytics.study.groups import column_values
from tamis.analytics.training.expand import Stream, beside
from tamis.analytics.training.run_outline import RunOutline
from tamis.analytics.training.spread import PARTS, RunSpread

MOST_GROUPS = 10
"""Groups with a colour of their own; the others are one."""
OTHER, NOTHING = "other", "no value"


@dataclass(frozen=True, eq=False)
class PictureGroups:
    """The groups that a picture stacks.

    Attributes:
        column: the column they come from.
        code: uint8 (documents,), the group of each document.
        labels: of the groups: values, or ranges of a number; ``other`` and ``no value`` come last.
        ranges: whether they are ranges, which rise.
    """

    column: str
    code: NDArray[np.uint8]
    labels: tuple[str, ...]
    ranges: bool = False


@dataclass(frozen=True, eq=False)
class RunPicture:
    """The tokens of a run by progress.

    Attributes:
        labels: of the groups.
        tokens: float64 (parts, groups), tokens of each group in each part of the progress.
        again: float64 (parts,), tokens of later copies and epochs among them.
        epoch: int64 (parts,), the epoch that has most of them, from 0.
    """

    labels: tuple[str, ...]
    tokens: NDArray[np.float64]
    again: NDArray[np.float64]
    epoch: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return the share of each group in each part, float64 (parts, groups); rows sum to 1, or are 0."""
        return self.tokens / np.maximum(self.tokens.sum(axis=1, keepdims=True), 1e-300)

    @property
    def repeated(self) -> NDArray[np.float64]:
        """Return the share of later copies and epochs in each part, float64 (parts,)."""
        return self.again / np.maximum(self.tokens.sum(axis=1), 1e-300)


@dataclass(frozen=True, eq=False)
class Boundary:
    """Where a curriculum goes from its first phase to the next, or begins its last.

    Attributes:
        field: the parameter of the curriculum that moves it: ``warm_up`` or ``slices``.
        value: of the parameter.
        at: progress in [0, 1].
        shares: float64 (parts + 1,), share of the ordered documents that are read at each border of the progress.
        last: whether the parameter counts from the end.
    """

    field: str
    value: float
    at: float
    shares: NDArray[np.float64]
    last: bool = False


@dataclass(frozen=True, eq=False)
class Phases:
    """What a curriculum orders, sorted once.

    Attributes:
        step: the last step of the recipe that gives an order.
        operator: of the step.
        rows: int64 (m,), facts rows of the documents that reach it.
        easy: int64 (m,), places in ``rows`` from easy to hard.
        by_chance: int64 (m,), places in ``rows`` by keyed hash.
    """

    step: Step
    operator: Curriculum
    rows: NDArray[np.int64]
    easy: NDArray[np.int64]
    by_chance: NDArray[np.int64]

    @property
    def field(self) -> str:
        """Return the parameter that moves the boundary, empty if the order has none."""
        return {"warm-up then random": "warm_up", "best last": "warm_up", "interleaved": "slices"}.get(
            self.operator.order, ""
        )

    def tried(self, value: float) -> Curriculum:
        """Return the operator with another boundary, inside its bounds."""
        if self.field == "slices":
            return self.operator.model_copy(update={"slices": int(min(max(round(value), 2), 1000))})
        return self.operator.model_copy(update={"warm_up": float(min(max(value, 0.001), 0.999))})


def find_phases(facts: Facts, outcome: Outcome) -> Phases | None:
    """Return the phases of the last active curriculum of an outcome, None without one."""
    found = [step for step in outcome.steps if isinstance(step.operator, Curriculum)]
    if not found:
        return None
    step = found[-1]
    operator, rows = step.operator, outcome.traces[step.id].rows
    assert isinstance(operator, Curriculum)
    key = ("phases", facts.digest, operator.difficulty, operator.hard, operator.seed, rows.tobytes())

    def sort() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        by_chance = operator.shuffled(facts.keys[rows], rows)
        if operator.difficulty is None:
            return by_chance, by_chance
        return operator.rising(facts.numbers(operator.difficulty)[rows], rows), by_chance

    easy, by_chance = facts.memo.through(key, sort, size=lambda made: 2 * made[0].nbytes + rows.nbytes)
    return Phases(step, operator, rows, easy, by_chance)


def try_boundary(
    run: RunOutline, phases: Phases, operator: Curriculum, groups: PictureGroups
) -> tuple[RunPicture, Boundary | None]:
    """Return the picture of a run with another boundary of its curriculum, and where the boundary then is.

    Copies stand beside each other here: the window of ``expand`` moves them apart when the run is made. Without copies
    and for one epoch the picture is exact.

    Args:
        run: the run.
        phases: of its curriculum.
        operator: the curriculum with another boundary.
        groups: what is stacked.
    """
    ordered = phases.rows[operator.arranged(phases.easy, phases.by_chance)]
    train = ordered[run.in_train[ordered]]
    spreads: list[RunSpread] = []
    for epoch in range(run.ordered):
        times = run.times(epoch) if epoch else run.first_times
        row, copy = beside(train, times[train])
        stream = Stream(row, copy.astype(np.int16), np.full(len(row), epoch, dtype=np.int16))
        spreads.append(run.progress.spread(stream, spreads[-1].done if spreads else None))
    tokens = sum((_tokens(run, groups, spread) for spread in spreads), _shuffled(run, groups))
    return _pictured(groups, tokens, [*spreads, run.shuffled]), _boundary(run, phases, operator, ordered)


def _shuffled(run: RunOutline, groups: PictureGroups) -> NDArray[np.float64]:
    """Return the tokens that no boundary moves, summed once for groups."""
    found = run.shuffled_tokens.get(groups)
    if found is None:
        run.shuffled_tokens[groups] = found = _tokens(run, groups, run.shuffled)
    return found


def find_boundary(run: RunOutline, phases: Phases, operator: Curriculum) -> Boundary | None:
    """Return where the boundary of a curriculum is in a run; None if it has none, or the run does not follow it."""
    return _boundary(run, phases, operator, phases.rows[operator.arranged(phases.easy, phases.by_chance)])


def _boundary(run: RunOutline, phases: Phases, operator: Curriculum, ordered: NDArray[np.int64]) -> Boundary | None:
    """Return the boundary of a curriculum that gives an order, as facts rows."""
    m = len(ordered)
    if not phases.field or not run.ordered or not m:
        return None
    whole = max(float(run.totals.sum()), 1.0)
    passed = np.concatenate([[0.0], np.cumsum((run.moves * run.first_times)[ordered]) / whole])
    last = operator.order == "best last"
    head = m - operator.part(m) if last else operator.part(m)
    if phases.field == "slices":
        head = len(range(0, m, operator.slices))
    shares = np.searchsorted(passed, np.arange(PARTS + 1) / PARTS, side="left").clip(max=m) / m
    value = operator.slices if phases.field == "slices" else operator.warm_up
    return Boundary(phases.field, float(value), float(passed[head]), shares, last)


def group_documents(run: RunOutline, column: str, *, most: int = MOST_GROUPS, bands: int = 5) -> PictureGroups:
    """Return the groups of documents by a column: its largest values by tokens, or parts of equal size of a number.

    Raises:
        RecipeError: there is no such column.
    """
    info = run.facts.info(column)
    if info.numeric and info.role not in ("cluster", "duplicate"):
        return _bands(run, column, bands)
    texts, codes = column_values(run.facts, column)
    values = texts.to_pylist()
    own = codes[run.stream.row]
    counts = np.bincount(own, minlength=len(values) + 1)
    tally = np.bincount(own, weights=run.sizes[run.stream.row], minlength=len(values) + 1)[:-1]
    top = [place for place in np.argsort(-tally, kind="stable").tolist() if tally[place] > 0]
    rest = len(top) > most
    top = top[: most - 1] if rest else top
    lookup = np.full(len(values) + 1, len(top), dtype=np.uint8)
    lookup[top] = np.arange(len(top))
    lookup[-1] = len(top) + rest
    nothing = bool(counts[-1])
    labels = [*(str(values[place]) for place in top), *([OTHER] * rest), *([NOTHING] * nothing)]
    # Documents that are dropped, and so in no picture, may have any code.
    return PictureGroups(column, lookup[codes], tuple(labels) or (NOTHING,))


def _bands(run: RunOutline, column: str, bands: int) -> PictureGroups:
    values = run.facts.numbers(column)
    known = values[run.in_train]
    known = known[np.isfinite(known)]
    if not len(known):
        return PictureGroups(column, np.zeros(len(values), dtype=np.uint8), (NOTHING,))
    borders = np.unique(np.quantile(known, np.arange(1, bands) / bands))
    borders = borders[borders > known.min()]
    ends = [float(known.min()), *borders.tolist(), float(known.max())]
    labels = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(ends)]
    missing = np.isnan(values)
    code = np.searchsorted(borders, values, side="right")
    code[missing] = len(labels)
    nothing = bool(missing[run.in_train].any())
    return PictureGroups(column, code.astype(np.uint8), (*labels, *([NOTHING] * nothing)), ranges=True)


def draw(run: RunOutline, groups: PictureGroups) -> RunPicture:
    """Return the picture of a run.

    Progress counts tokens where documents are packed, else documents. Where ``batches`` composes by groups, each group
    is spread over the whole run in its own order, as the batches read it.

    Args:
        run: the run.
        groups: what is stacked.
    """
    return _pictured(groups, _tokens(run, groups, run.spread), [run.spread])


def _tokens(run: RunOutline, groups: PictureGroups, spread: RunSpread) -> NDArray[np.float64]:
    return spread.tokens(run.sizes, groups.code, len(groups.labels))


def _pictured(groups: PictureGroups, tokens: NDArray[np.float64], spreads: list[RunSpread]) -> RunPicture:
    """Return the picture of stretches that make up a run."""
    again = np.sum([spread.again for spread in spreads], axis=0)
    epochs = np.sum([spread.epochs for spread in spreads], axis=0)
    return RunPicture(groups.labels, tokens, again, epochs.argmax(axis=1))
