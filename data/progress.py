"""Progress of long work: the running step, the share done, the time left, and cancellation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from tamis.data.errors import Cancelled

_PACE = 4.0
T = TypeVar("T")


class Progress(Protocol):
    """Receiver of the progress of a long computation. Call ``check`` between pieces of work: it raises ``Cancelled``.

    Example:
        >>> progress = TrackedProgress(lambda state: print(state.step, state.fraction))
        >>> progress.step("tokens", 10)
        tokens 0.0
    """

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Set the next steps, in order, with the estimated seconds of each."""

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        """Begin a step of ``total`` units."""

    def advance(self, n: int = 1) -> None:
        """Report ``n`` more units done."""

    def check(self) -> None:
        """Raise ``Cancelled`` if a person stopped the work."""


class NullProgress:
    """Progress that ignores all reports."""

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Ignore the plan."""

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        """Ignore the step."""

    def advance(self, n: int = 1) -> None:
        """Ignore the advance."""

    def check(self) -> None:
        """Do nothing: this work is never cancelled."""


def spread(parts: Iterable[T], count: int, units: int, progress: Progress) -> Iterator[T]:
    """Yield ``count`` parts; progress advances by ``units`` in all, evenly, after each of them or at once if none.

    Raises:
        Cancelled: a person stopped the work.
    """
    if not count:
        progress.advance(units)
    for k, part in enumerate(parts, 1):
        yield part
        progress.advance(units * k // count - units * (k - 1) // count)
        progress.check()


@dataclass(frozen=True)
class ProgressState:
    """The state of the work.

    Attributes:
        step: name of the running step, empty before the first.
        done: units of the step done.
        total: units of the step, 0 when unknown.
        unit: what is counted.
        fraction: share of all planned work done, in [0, 1].
        elapsed: seconds since the start.
        eta: estimated seconds to the end of all planned work, None while unknown.
    """

    step: str = ""
    done: int = 0
    total: int = 0
    unit: str = "documents"
    fraction: float = 0.0
    elapsed: float = 0.0
    eta: float | None = None


@dataclass
class TrackedProgress:
    """Progress that keeps a ``ProgressState`` and passes it to a listener, at most every ``interval`` seconds.

    Args:
        listen: called with the new state; a new step is always reported at once.
        cancelled: called by ``check``; True stops the work.
        interval: seconds between two reports within a step.
        clock: returns monotonic seconds.
    """

    listen: Callable[[ProgressState], None]
    cancelled: Callable[[], bool] = lambda: False
    interval: float = 0.2
    clock: Callable[[], float] = time.monotonic
    state: ProgressState = ProgressState()
    _planned: dict[str, float] = field(default_factory=dict)
    _finished: float = 0.0
    _started: float | None = None
    _reported: float = float("-inf")
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Set the estimated seconds of the next steps."""
        with self._lock:
            self._planned = {name: max(value, 1e-3) for name, value in seconds.items()}
            self._finished = 0.0
            self._started = self.clock()

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        """Begin a step; the step before it counts as finished."""
        with self._lock:
            if self.state.step != name:
                self._finished += self._planned.get(self.state.step, 0.0)
            self.state = ProgressState(step=name, total=total, unit=unit)
            self._report(force=True)

    def advance(self, n: int = 1) -> None:
        """Report ``n`` more units of the running step."""
        with self._lock:
            self.state = replace(self.state, done=self.state.done + n)
            self._report(force=False)

    def check(self) -> None:
        """Raise ``Cancelled`` when a person stopped the work."""
        if self.cancelled():
            raise Cancelled("The work was stopped", fix="start it again to go on where it stopped")

    def _report(self, *, force: bool) -> None:
        now = self.clock()
        if not force and now - self._reported < self.interval:
            return
        self._reported = now
        started = now if self._started is None else self._started
        self._started = started
        within = min(self.state.done / self.state.total, 1.0) if self.state.total else 0.0
        planned = sum(self._planned.values())
        if planned:
            fraction = min((self._finished + within * self._planned.get(self.state.step, 0.0)) / planned, 1.0)
        else:
            fraction = within
        elapsed = now - started
        self.state = replace(self.state, fraction=fraction, elapsed=elapsed, eta=_left(fraction, elapsed, planned))
        self.listen(self.state)


def _left(fraction: float, elapsed: float, planned: float) -> float | None:
    """Return the estimated seconds to the end, None while unknown.

    The plan gives the share of each step, the clock the speed of this machine. The speed is limited to a factor of four
    from the plan, so that one badly planned step does not distort the estimate of the others.
    """
    if not planned:
        return elapsed * (1.0 - fraction) / fraction if fraction > 0.02 and elapsed > 1.0 else None
    done = fraction * planned
    pace = min(max(elapsed / done, 1 / _PACE), _PACE) if done and elapsed > 1.0 else 1.0
    return planned * (1.0 - fraction) * pace
