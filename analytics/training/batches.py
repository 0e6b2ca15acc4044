"""Global batches: which sequences each step of training reads, and which of them each rank and worker.

Full batches of a mixture are a controlled rounding: with ``n`` sequences of a group in ``k`` full batches, each batch
has ``floor(n / k)`` or one more of them, and every sequence comes exactly once. Which batches get the one more follows
from a walk around a circle, so any step is computed alone in logarithmic time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tamis.data.errors import SettingError
from tamis.data.hashing import key64, mix_keys

Mode = Literal["free", "mixture", "homogeneous"]
_GOLDEN = 0.6180339887498949
"""Steps of this part of a circle lie evenly on it (three-distance theorem)."""


@dataclass(frozen=True, eq=False)
class BatchOrder:
    """The batches of a run.

    Attributes:
        size: sequences of a full batch.
        mode: see the operator ``batches``.
        group: int32 (n,), group of each sequence, in training order; all 0 if there are no groups.
        names: of the groups.
        seed: of the keyed hashes.
    """

    size: int
    mode: Mode
    group: NDArray[np.int32]
    names: tuple[str, ...] = ("",)
    seed: int = 0

    def __len__(self) -> int:
        """Return the number of steps: full batches, then one that is smaller if sequences are left."""
        return -(-len(self.group) // self.size)

    @property
    def full(self) -> int:
        """Return the number of full batches."""
        return len(self.group) // self.size

    @cached_property
    def _members(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the sequences by group in training order, int64 (n,), and where each group begins, (groups + 1,)."""
        counts = np.bincount(self.group, minlength=len(self.names))
        return np.argsort(self.group, kind="stable"), np.concatenate([[0], np.cumsum(counts)])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the sequences of each group, int64 (groups,)."""
        return np.diff(self._members[1])

    @cached_property
    def _rest(self) -> NDArray[np.int64]:
        """Return how many sequences of each group the last batch of a mixture has, int64 (groups,)."""
        left = len(self.group) - self.full * self.size
        exact = self.counts * left
        whole, beyond = np.divmod(exact, max(len(self.group), 1))
        more = np.lexsort((np.arange(len(whole)), -beyond))[: left - int(whole.sum())]
        whole[more] += 1
        return whole

    @cached_property
    def _circle(self) -> tuple[int, int]:
        """Return the step around the circle of full batches and where it starts."""
        k = max(self.full, 1)
        stride = max(int(k * _GOLDEN), 1)
        while gcd(stride, k) != 1:
            stride += 1
        return stride, int(mix_keys(key64(["batches"]), seed=self.seed, salt="batches")[0] % np.uint64(k))

    @cached_property
    def _arcs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return for each group the least per batch, and begin and length of the arc of batches with one more."""
        base, more = np.divmod(self.counts - self._rest, max(self.full, 1))
        return base, (np.cumsum(more) - more) % max(self.full, 1), more

    def _before(self, step: int) -> NDArray[np.int64]:
        """Return how many sequences of each group the first ``step`` full batches have, int64 (groups,)."""
        k, (stride, start) = max(self.full, 1), self._circle
        base, begin, more = self._arcs
        found = [
            _floor_sum(step, k, stride, start - int(b)) - _floor_sum(step, k, stride, start - int(b) - int(m))
            for b, m in zip(begin, more, strict=True)
        ]
        return base * step + np.array(found, dtype=np.int64)

    def step(self, number: int) -> NDArray[np.int64]:
        """Return the sequences of one step, int64 (size,) or fewer in the last, without making the others.

        Raises:
            SettingError: there is no such step.
        """
        if not 0 <= number < len(self):
            raise SettingError("Training has no such step", value=number, allowed=f"0 to {len(self) - 1}")
        first, last = number * self.size, min((number + 1) * self.size, len(self.group))
        if self.mode == "free":
            return np.arange(first, last)
        if self.mode == "homogeneous":
            return self._homogeneous[first:last]
        members, starts = self._members
        before = self._before(min(number, self.full))
        after = self._before(number + 1) if number < self.full else self.counts
        rows = [members[s + b : s + a] for s, b, a in zip(starts[:-1], before, after, strict=True)]
        return np.concatenate(rows)[_interleaved(after - before)]

    def order(self) -> NDArray[np.int64]:
        """Return all sequences in the order in which steps read them, int64 (n,): a permutation."""
        if self.mode == "free":
            return np.arange(len(self.group))
        if self.mode == "homogeneous":
            return self._homogeneous
        k, (stride, start) = self.full, self._circle
        base, begin, more = self._arcs
        at = (np.arange(k, dtype=np.int64) * stride + start) % max(k, 1)
        members, starts = self._members
        steps, places = np.empty(len(members), dtype=np.int64), np.empty(len(members))
        for group, (b, m) in enumerate(zip(begin, more, strict=True)):
            held = np.append(base[group] + ((at - b) % max(k, 1) < m), self._rest[group])
            own = slice(starts[group], starts[group + 1])
            steps[own] = np.repeat(np.arange(k + 1), held)
            within = np.arange(len(steps[own])) - np.repeat(np.cumsum(held) - held, held)
            places[own] = (within + 0.5) / np.repeat(held, held)
        return members[np.lexsort((np.repeat(np.arange(len(self.names)), self.counts), places, steps))]

    @cached_property
    def _homogeneous(self) -> NDArray[np.int64]:
        """Return the order of batches of one group each, spread evenly; what is left over comes last, int64 (n,)."""
        members, starts = self._members
        batches, times, groups, rest = [], [], [], []
        for group in range(len(self.names)):
            own = members[starts[group] : starts[group + 1]]
            count = len(own) // self.size
            batches.append(own[: count * self.size].reshape(count, self.size))
            times.append((np.arange(count) + 0.5) / max(count, 1))
            groups.append(np.full(count, group))
            rest.append(own[count * self.size :])
        order = np.lexsort((np.concatenate(groups), np.concatenate(times)))
        return np.concatenate([np.concatenate(batches)[order].reshape(-1), np.sort(np.concatenate(rest))])

    @property
    def mixed(self) -> int:
        """Return how many batches have sequences of several groups although they should not."""
        if self.mode != "homogeneous":
            return 0
        alone = int((self.counts // self.size).sum())
        order = self._homogeneous[alone * self.size :]
        return sum(
            len(set(self.group[order[at : at + self.size]].tolist())) > 1 for at in range(0, len(order), self.size)
        )

    def slice(self, number: int, *, rank: int, ranks: int) -> NDArray[np.int64]:
        """Return the sequences that one of several ranks reads in a step: disjoint, and together the step.

        Raises:
            SettingError: there is no such step or rank.
        """
        _check_place("rank", rank, ranks)
        rows = self.step(number)
        return rows[rank * len(rows) // ranks : (rank + 1) * len(rows) // ranks]

    def steps_of(self, *, worker: int, workers: int, first: int = 0) -> range:
        """Return the steps that one of several loader workers of a rank reads, from step ``first`` on.

        Raises:
            SettingError: there is no such worker.
        """
        _check_place("worker", worker, workers)
        return range(first + (worker - first) % workers, len(self), workers)


def _check_place(what: str, place: int, places: int) -> None:
    if not 0 <= place < places:
        raise SettingError(f"There is no such {what}", value=place, allowed=f"0 to {places - 1}")


def _floor_sum(n: int, m: int, a: int, b: int) -> int:
    """Return the sum of floor((a * i + b) / m) for i from 0 to n - 1; Euclid's algorithm, as in lattice counting."""
    total = 0
    while n > 0:
        more, b = divmod(b, m)
        total += more * n
        more, a = divmod(a, m)
        total += more * n * (n - 1) // 2
        top = a * n + b
        if top < m:
            return total
        n, b, m, a = top // m, top % m, a, m
    return total


def _interleaved(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order that spreads groups evenly over a batch, int64 (sum,), for sequences listed by group."""
    group = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.lexsort((group, (within + 0.5) / counts[group]))


def difficulty_groups(values: NDArray[np.float64], *, bins: int) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return the part of each value, int32 (n,), and the names of the parts: equal parts by rank.

    Equal values are in the same part, that of the first of them; NaN is in a part of its own.
    """
    known = np.flatnonzero(~np.isnan(values))
    ranked = np.sort(values[known])
    part = np.zeros(len(values), dtype=np.int32)
    part[known] = np.searchsorted(ranked, values[known]) * bins // max(len(known), 1)
    names = [f"part {number + 1} of {bins}" for number in range(bins)]
    if len(known) < len(values):
        part[np.isnan(values)] = bins
        names.append("no value")
    return part, tuple(names)


def majority_groups(
    sequence: NDArray[np.int64], tokens: NDArray[np.int64], group: NDArray[np.int32], *, sequences: int, groups: int
) -> NDArray[np.int32]:
    """Return the group with most tokens of each sequence, int32 (sequences,); the lowest number among equals.

    Args:
        sequence: int64 (pieces,), ascending.
        tokens: int64 (pieces,), of each piece.
        group: int32 (pieces,), of its document.
        sequences, groups: how many there are.
    """
    cells, place = np.unique(sequence * groups + group, return_inverse=True)
    sums = np.bincount(place, weights=tokens, minlength=len(cells))
    order = np.lexsort((cells % groups, -sums, cells // groups))
    first = np.unique(cells[order] // groups, return_index=True)
    out = np.zeros(sequences, dtype=np.int32)
    out[first[0]] = (cells[order][first[1]] % groups).astype(np.int32)
    return out
