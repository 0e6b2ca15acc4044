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
from tamis.analytics.training.expand import Stream
from tamis.analytics.training.run_outline import RunOutline

PARTS = 180
"""Parts of the progress in a picture, at most: as many as a screen can tell apart."""
LEAST_PARTS = 20
DOCUMENTS_PER_PART = 100
"""Fewer documents in a part show their chance rather than the run."""
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


def try_boundary(run: RunOutline, phases: Phases, operator: Curriculum) -> tuple[Stream, Boundary | None]:
    """Return the stream of a run with another boundary of its curriculum, and where the boundary then is.

    Copies stand next to each other here: the window of ``expand`` moves them apart when the run is made. Without
    copies and for one epoch the stream is exact.

    Args:
        run: the run.
        phases: of its curriculum.
        operator: the curriculum with another boundary.
    """
    ordered = phases.rows[operator.arranged(phases.easy, phases.by_chance)]
    train = ordered[run.in_train[ordered]]
    rows, copies, epochs = [], [], []
    for epoch in range(run.ordered):
        times = (run.times(epoch) if epoch else run.first_times)[train]
        row = np.repeat(train, times)
        rows.append(row)
        copies.append(np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times))
        epochs.append(np.full(len(row), epoch))
    rest = run.stream.epoch >= run.ordered
    stream = Stream(
        np.concatenate([*rows, run.stream.row[rest]]),
        np.concatenate([*copies, run.stream.copy[rest]]).astype(np.int16),
        np.concatenate([*epochs, run.stream.epoch[rest]]).astype(np.int16),
        run.stream.window,
    )
    return stream, _boundary(run, phases, operator, ordered)


def find_boundary(run: RunOutline, phases: Phases, operator: Curriculum) -> Boundary | None:
    """Return where the boundary of a curriculum is in a run; None if it has none, or the run does not follow it."""
    return _boundary(run, phases, operator, phases.rows[operator.arranged(phases.easy, phases.by_chance)])


def _boundary(run: RunOutline, phases: Phases, operator: Curriculum, ordered: NDArray[np.int64]) -> Boundary | None:
    """Return the boundary of a curriculum that gives an order, as facts rows."""
    m = len(ordered)
    if not phases.field or not run.ordered or not m:
        return None
    whole = max(float(run.moves[run.stream.row].sum()), 1.0)
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


def draw(run: RunOutline, groups: PictureGroups, stream: Stream | None = None) -> RunPicture:
    """Return the picture of a run.

    Progress counts tokens where documents are packed, else documents. Where ``batches`` composes by groups, each group
    is spread over the whole run in its own order, as the batches read it.

    Args:
        run: the run.
        groups: what is stacked.
        stream: another stream of the run; its own by default.
    """
    stream = run.stream if stream is None else stream
    parts = min(max(len(stream) // DOCUMENTS_PER_PART, LEAST_PARTS), PARTS)
    tokens = run.sizes[stream.row]
    low, high = progress(run.moves[stream.row], run.group[stream.row] if len(run.groups) > 1 else None)
    code = groups.code[stream.row]
    spread = spread_tokens(low, high, tokens, code, parts=parts, groups=len(groups.labels))
    later = ((stream.copy > 0) | (stream.epoch > 0)).astype(np.uint8)
    again = np.zeros(parts)
    if later.any():
        again = spread_tokens(low, high, tokens, later, parts=parts, groups=2)[:, 1]
    epoch, epochs = np.zeros(parts, dtype=np.int64), int(stream.epoch.max(initial=0)) + 1
    if epochs > 1:
        epoch = spread_tokens(low, high, tokens, stream.epoch, parts=parts, groups=epochs).argmax(axis=1)
    return RunPicture(groups.labels, spread, again, epoch)


def progress(
    weight: NDArray[np.int64], group: NDArray[np.int32] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the progress at which each document of a stream begins and ends, float64 (m,) in [0, 1].

    Args:
        weight: int64 (m,), by how much each moves the progress on.
        group: int32 (m,), each group has a progress of its own; None for one progress.
    """
    if group is None:
        done = np.cumsum(weight)
        total = max(float(weight.sum()), 1.0)
        return (done - weight) / total, done / total
    order = np.argsort(group, kind="stable")
    totals = np.bincount(group, weights=weight)
    before = np.cumsum(totals) - totals
    ends = np.empty(len(weight))
    ends[order] = np.cumsum(weight[order])
    ends -= before[group]
    whole = np.maximum(totals, 1.0)[group]
    return (ends - weight) / whole, ends / whole


def spread_tokens(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    tokens: NDArray[np.int64],
    code: NDArray[np.integer],
    *,
    parts: int,
    groups: int,
) -> NDArray[np.float64]:
    """Return the tokens of each group in each part of the progress, float64 (parts, groups).

    Args:
        low, high: float64 (m,) in [0, 1], progress at which each document begins and ends.
        tokens: int64 (m,), of each.
        code: (m,), group of each.
        parts: equal parts of the progress.
        groups: how many.
    """
    first = np.minimum((low * parts).astype(np.int64), parts - 1)
    last = np.clip(np.ceil(high * parts).astype(np.int64) - 1, first, parts - 1)
    cell, whole = first * groups + code, tokens.astype(np.float64)
    across = np.flatnonzero(last > first)
    whole[across] = 0.0
    found = np.bincount(cell, weights=whole, minlength=parts * groups).astype(np.float64, copy=False)
    if len(across):
        times = last[across] - first[across] + 1
        item = np.repeat(across, times)
        part = np.arange(len(item)) - np.repeat(np.cumsum(times) - times, times) + first[item]
        inside = np.minimum(high[item] * parts, part + 1) - np.maximum(low[item] * parts, part)
        held = tokens[item] * inside / ((high - low)[item] * parts)
        found += np.bincount(part * groups + code[item], weights=held, minlength=parts * groups)
    return found.reshape(parts, groups)
