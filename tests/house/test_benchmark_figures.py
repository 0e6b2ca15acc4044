"""The figures of the benchmarks of a day and of recall are what they say."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.bench_day import Figures, Times, copy_workspace, link_workspace, slower_pages
from benchmarks.bench_recall import nearest, recall
from benchmarks.day_tasks import TASKS

seconds = st.lists(st.floats(0, 10), min_size=1, max_size=60)


@given(seconds)
def test_at_most_five_in_a_hundred_times_exceed_the_percentile(spent: list[float]) -> None:
    found = Figures.of(spent)
    assert found.median == statistics.median(spent) and found.times == len(spent)
    assert sum(value > found.p95 for value in spent) <= 0.05 * len(spent)
    assert sum(value >= found.p95 for value in spent) > 0.05 * len(spent)


def test_a_page_is_slower_only_by_more_than_noise() -> None:
    former = {"open Map": [0.1, 0.2, 0.3], "open Jobs": [0.01], "open Recipe": [0.5]}
    now = {"open Map": [0.3, 0.21, 0.1], "open Jobs": [0.025], "open Recipe": [0.56]}
    assert slower_pages(former, now) == ["open Recipe"]


def test_times_are_joined_by_task_and_the_slowest_come_first() -> None:
    times = Times({"words: search": [0.3], "words: clear": [0.1], "why: back": [0.3]}, {})
    times.cpu.update({name: [2 * value for value in spent] for name, spent in times.wall.items()})
    assert times.slowest(2) == ["why: back", "words: search"]
    assert times.by_task().wall == {"words": [0.3, 0.1], "why": [0.3]}
    assert times.row("") == "| all | 3 | 300 | 300 | 600 | 600 |"


def test_there_are_twelve_tasks() -> None:
    assert len(TASKS) == 12


def test_a_copied_workspace_shares_artifacts_and_nothing_that_changes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("store/artifacts/a/part.npy", "models/m/model.json", "assets/x.json", "corpora.json"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
    linked, copied = link_workspace(home, tmp_path / "linked"), copy_workspace(home, tmp_path / "copied")
    assert sorted(path.name for path in linked.iterdir()) == ["models", "store"]
    for other in (linked, copied):
        assert (other / "store/artifacts/a/part.npy").samefile(home / "store/artifacts/a/part.npy")
    for name in ("assets/x.json", "corpora.json"):
        (copied / name).write_text("changed")
        assert (home / name).read_text() == "as it was"


def test_recall_counts_true_rows_only_once_and_no_row_for_none() -> None:
    truth = np.array([[1, 2, 3, 4]])
    assert recall(np.array([[4, 3, -1, -1]]), truth) == 0.5
    assert recall(np.array([[9, 1, 2, 3]]), truth) == 0.75


@given(st.lists(st.sampled_from([0.1, 0.2, 0.5, np.nan]), min_size=5, max_size=30))
def test_the_nearest_come_by_cosine_then_row(cosine: list[float]) -> None:
    values = np.array(cosine)
    absent = np.isnan(values)
    expected = sorted(range(len(values)), key=lambda row: (absent[row], -np.nan_to_num(values[row]), row))[:5]
    assert nearest(values, 5).tolist() == expected


@pytest.mark.browser
def test_the_clock_counts_how_long_the_server_works(tmp_path: Path) -> None:
    """A script that waits half a second, twice by asking for itself again, is timed at least that long."""
    from benchmarks.clock_trial import timed_waits

    once, twice, nothing = timed_waits(tmp_path)
    assert once >= 0.5 and twice >= 1.0 and nothing == 0.0
