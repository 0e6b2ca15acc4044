"""Pages show what is done of an analysis and never wait for what is loaded next."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from tamis.app.dashboard.growing import LOOK_SECONDS, REST, DoneSoFar, Growing
from tamis.app.dashboard.open_corpus import Opened
from tamis.data.errors import CorpusError


class Analysis:
    """An analysis that goes on when a test says so.

    Attributes:
        now: moment of its clock.
        found: what is done.
        may_load: lets a load in the background end.
        loads: names of the states that were loaded.
    """

    def __init__(self) -> None:
        self.now, self.changes = 0.0, 0
        self.found = DoneSoFar("", complete=False, working=True)
        self.may_load = threading.Event()
        self.may_load.set()
        self.loads: list[str] = []
        self.growing = Growing(clock=lambda: self.now, changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def load(self) -> Opened:
        """Return a state; its name stands for it here."""
        parts = self.found.parts
        assert self.may_load.wait(10)
        self.loads.append(parts)
        return cast(Opened, f"state {parts}")

    def look(self, *, after: float = LOOK_SECONDS) -> str:
        """Return what a page that runs some seconds later shows."""
        self.now += after
        return self.growing.parts("corpus", lambda: self.found, self.load)

    def settle(self) -> None:
        """Wait until nothing loads."""
        self.growing.wait("corpus")


@pytest.fixture
def analysis() -> Analysis:
    return Analysis()


def test_nothing_is_shown_before_documents_have_ids(analysis: Analysis) -> None:
    assert analysis.look() == "" and not analysis.loads
    assert analysis.growing.opened("corpus", "") is None


def test_a_running_analysis_is_loaded_beside_the_pages(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("one", complete=False, working=True)
    analysis.may_load.clear()
    assert analysis.look() == "" and analysis.look() == ""
    analysis.may_load.set()
    analysis.settle()
    assert analysis.look() == "one" and analysis.loads == ["one"] and analysis.changes == 1
    assert analysis.growing.opened("corpus", "one") == "state one"


def test_pages_show_the_state_before_until_the_next_one_is_loaded(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("one", complete=False, working=True)
    analysis.look()
    analysis.settle()
    analysis.found = DoneSoFar("two", complete=False, working=True)
    analysis.may_load.clear()
    assert analysis.look(after=60) == "one" and analysis.look() == "one"
    analysis.may_load.set()
    analysis.settle()
    assert analysis.look() == "two"
    assert analysis.growing.opened("corpus", "one") == "state one", "a page that runs now may still ask for it"

    analysis.found = DoneSoFar("three", complete=False, working=True)
    analysis.look(after=60)
    analysis.settle()
    assert analysis.growing.opened("corpus", "one") == "state three", "older states leave memory"


def test_a_slow_load_is_followed_by_a_rest(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("one", complete=False, working=True)
    analysis.may_load.clear()
    analysis.look()
    analysis.now += 5
    analysis.may_load.set()
    analysis.settle()
    analysis.found = DoneSoFar("two", complete=False, working=True)
    analysis.look(after=5 * REST - 2 * LOOK_SECONDS)
    analysis.settle()
    assert analysis.loads == ["one"]
    analysis.look(after=3 * LOOK_SECONDS)
    analysis.settle()
    assert analysis.loads == ["one", "two"]


def test_what_a_killed_analysis_has_left_is_shown_at_once(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("half", complete=False, working=False)
    assert analysis.look() == "half" and not analysis.growing.complete("corpus")


def test_an_analysis_that_was_never_seen_unfinished_is_not_kept_here(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("all", complete=True, working=False)
    assert analysis.look() == "" and analysis.growing.complete("corpus") and not analysis.loads


def test_an_analysis_that_becomes_complete_is_loaded_before_pages_change(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("one", complete=False, working=True)
    analysis.look()
    analysis.settle()
    analysis.found = DoneSoFar("all", complete=True, working=False)
    analysis.may_load.clear()
    assert analysis.look(after=60) == "one" and not analysis.growing.complete("corpus")
    analysis.may_load.set()
    analysis.settle()
    assert analysis.look() == "" and analysis.growing.complete("corpus") and analysis.loads == ["one", "all"]
    assert analysis.growing.opened("corpus", "") == "state all"


def test_a_corpus_that_cannot_be_read_again_leaves_the_state_before(analysis: Analysis) -> None:
    analysis.found = DoneSoFar("one", complete=False, working=True)
    analysis.look()
    analysis.settle()
    analysis.found = DoneSoFar("two", complete=False, working=True)

    def fail() -> Opened:
        raise CorpusError("The file is gone")

    analysis.now += 60
    assert analysis.growing.parts("corpus", lambda: analysis.found, fail) == "one"
    analysis.settle()
    assert analysis.look() == "one"
