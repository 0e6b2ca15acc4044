"""Unfinished analyses as pages see them: what is done so far, renewed in the background as steps finish.

A page never waits for a renewal: it shows what is there, all of it exact, until the newer state is loaded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from tamis.app.dashboard.open_corpus import Opened
from tamis.data.errors import TamisError

LOOK_SECONDS = 1.0
"""Seconds between two looks at what is done."""

REST = 4.0
"""A renewal that took a second is followed by at least so many seconds without one."""

Load = Callable[[], Opened]


@dataclass(frozen=True)
class DoneSoFar:
    """What is done of an analysis at one moment.

    Attributes:
        parts: names the set of finished steps; empty while the documents have no ids.
        complete: whether every step is done.
        working: whether a job works on it, so that more will follow.
    """

    parts: str
    complete: bool
    working: bool


@dataclass
class _Growth:
    """One analysis: the unfinished states that pages may show, the latest last, and when it was looked at."""

    ready: dict[str, Opened] = field(default_factory=dict)
    complete: bool = False
    looked: float = float("-inf")
    rests_until: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)
    renewal: threading.Thread | None = None


class Growing:
    """The unfinished analyses that this process has open.

    Args:
        clock: returns monotonic seconds.
        changed: called after a newer state is ready, with the lock of no analysis held.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, changed: Callable[[], None] = lambda: None):
        self._clock, self._changed = clock, changed
        self._lock = threading.Lock()
        self._known: dict[Hashable, _Growth] = {}

    def parts(self, name: Hashable, find: Callable[[], DoneSoFar], load: Load) -> str:
        """Return the name of the latest unfinished state that can be shown, empty while there is none.

        The first state of an analysis that nothing works on is loaded at once, everything else in the background.

        Args:
            name: of the corpus with its files and steps.
            find: looks at what is done; quick.
            load: opens what is done.
        """
        growth = self._of(name)
        with growth.lock:
            due = self._clock() - growth.looked >= LOOK_SECONDS and not _alive(growth.renewal)
            if due and not growth.complete:
                growth.looked = self._clock()
                self._look(growth, find, load)
            return next(reversed(growth.ready), "")

    def opened(self, name: Hashable, parts: str) -> Opened | None:
        """Return a state, the latest one in place of one that is no longer kept; None without any.

        A complete analysis is kept, under no name, only if it was seen unfinished.
        """
        growth = self._of(name)
        with growth.lock:
            return growth.ready.get(parts) or next(reversed(growth.ready.values()), None)

    def complete(self, name: Hashable) -> bool:
        """Return whether every step is done and loaded, as far as ``parts`` has seen."""
        growth = self._of(name)
        with growth.lock:
            return growth.complete

    def wait(self, name: Hashable) -> None:
        """Return when no renewal runs; for tests and scripts."""
        renewal = self._of(name).renewal
        if renewal is not None:
            renewal.join()

    def _of(self, name: Hashable) -> _Growth:
        with self._lock:
            return self._known.setdefault(name, _Growth())

    def _look(self, growth: _Growth, find: Callable[[], DoneSoFar], load: Load) -> None:
        found = find()
        if found.complete and not growth.ready:
            growth.complete = True
        elif not found.parts or found.parts in growth.ready or self._clock() < growth.rests_until:
            return
        elif not growth.ready and not found.working:
            growth.ready = {found.parts: load()}
        else:
            growth.renewal = threading.Thread(target=self._renew, args=(growth, found, load), daemon=True)
            growth.renewal.start()

    def _renew(self, growth: _Growth, found: DoneSoFar, load: Load) -> None:
        begun = self._clock()
        try:
            opened = load()
        except TamisError:
            # The page that needs it says why, when it opens the corpus itself.
            return
        finally:
            growth.rests_until = self._clock() + REST * (self._clock() - begun)
        with growth.lock:
            # Pages that run now may still ask for the state before.
            kept = list(growth.ready.items())[-1:]
            growth.complete = found.complete
            growth.ready = {"": opened} if found.complete else {**dict(kept), found.parts: opened}
        self._changed()


def _alive(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.is_alive()
