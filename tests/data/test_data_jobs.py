"""Jobs run in processes of their own, are joined, stopped, and outlive whoever started them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamis.data import jobs
from tamis.data.errors import Cancelled, JobError, SettingError
from tamis.data.jobs import Job, Request, find_job, list_jobs, read_job, start
from tamis.data.progress import NullProgress, ProgressState, TrackedProgress, spread
from tamis.data.progress_display import step_lines

WORKER = """
import sys, time
from pathlib import Path
from tamis.data.errors import CorpusError
from tamis.data.jobs import work

def run(request, progress):
    what = request.params["what"]
    progress.plan({"first": 1.0, "second": 3.0})
    progress.step("first", 10)
    progress.advance(10)
    progress.step("second", 100)
    if what == "error":
        raise CorpusError("The file is bad", value="a.parquet")
    if what == "bug":
        raise ZeroDivisionError("a fault of the program")
    end = time.monotonic() + (30 if what == "silent" else 0)
    while time.monotonic() < end:
        progress.check()
        time.sleep(0.02)
    end = time.monotonic() + (30 if what == "long" else 0)
    while time.monotonic() < end:
        progress.advance(1)
        progress.check()
        time.sleep(0.02)
    return {"answer": 42}

raise SystemExit(0 if work(Path(sys.argv[1]), run) == "done" else 1)
"""
COMMAND = ("-c", WORKER)


def begin(folder: Path, what: str, **more: object) -> Job:
    """Start the job that does ``what``."""
    return start(folder, Request("try", {"what": what, **more}, title="A try"), command=COMMAND)


def until_running(job: Job) -> Job:
    """Return the job once its process reports its second step."""
    for _ in range(500):
        job = job.reload()
        if job.progress.step == "second":
            return job
        time.sleep(0.02)
    raise AssertionError(f"the job did not begin: {job} {job.log()}")


def test_job_runs_reports_and_leaves_its_result(tmp_path: Path) -> None:
    job = begin(tmp_path, "short").wait(seconds=60)
    assert (job.state, job.result, job.title) == ("done", {"answer": 42}, "A try")
    assert (job.progress.fraction, job.progress.step, job.progress.eta) == (1.0, "second", 0.0)
    assert list_jobs(tmp_path) == (job,)
    assert find_job(tmp_path, job.id) == job


def test_the_time_left_falls_while_a_job_reports_nothing(tmp_path: Path) -> None:
    progress = ProgressState(step="second", eta=60.0)
    job = Job("a", tmp_path, "try", {}, "A try", "running", progress=progress, started=1000.0, reported=1100.0)
    assert [job.time_left(1100.0 + passed) for passed in (0, 20, 60, 200)] == [60.0, 40.0, 0.0, 0.0]
    assert Job("a", tmp_path, "try", {}, "A try", "running").time_left(1100.0) is None


def test_a_heartbeat_is_no_progress(tmp_path: Path) -> None:
    job = until_running(begin(tmp_path, "silent"))
    later = job
    for _ in range(600):
        later = later.reload()
        if later.updated > job.updated:
            break
        time.sleep(0.05)
    job.cancel()
    assert later.updated > job.updated and later.reported == job.reported
    job.wait(seconds=60)


def test_second_start_joins_and_cancel_stops(tmp_path: Path) -> None:
    first = until_running(begin(tmp_path, "long"))
    assert first.state == "running"
    assert os.getsid(first.pid) == first.pid != os.getsid(0)
    second = begin(tmp_path, "long")
    assert (second.id, second.pid) == (first.id, first.pid)
    other = begin(tmp_path, "short")
    assert other.id != first.id
    stopping = second.cancel()
    assert stopping.cancelling or not stopping.active
    ended = first.wait(seconds=60)
    assert ended.state == "cancelled"
    assert "start it again" in ended.message
    assert not ended.cancelling
    assert {job.id for job in list_jobs(tmp_path)} == {first.id, other.id}
    again = until_running(begin(tmp_path, "long"))
    assert again.pid != first.pid
    assert again.cancel().wait(seconds=60).state == "cancelled"
    assert other.wait(seconds=60).state == "done"


@pytest.mark.parametrize(
    ("what", "message", "log"),
    [
        ("error", "The file is bad: got 'a.parquet'.", ""),
        ("bug", "its process ended unexpectedly; start it again to go on where it stopped", "ZeroDivisionError"),
    ],
)
def test_failure_is_told(tmp_path: Path, what: str, message: str, log: str) -> None:
    job = begin(tmp_path, what).wait(seconds=60)
    assert (job.state, job.message) == ("failed", message)
    assert log in job.log()


def test_killed_job_is_failed_and_can_be_started_again(tmp_path: Path) -> None:
    job = until_running(begin(tmp_path, "long"))
    os.kill(job.pid, signal.SIGKILL)
    ended = job.wait(seconds=20)
    assert ended.state == "failed"
    assert "ended unexpectedly" in ended.message
    again = until_running(begin(tmp_path, "long"))
    assert again.pid != job.pid
    assert again.cancel().wait(seconds=60).state == "cancelled"


def test_job_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from tamis.data.jobs import Request, start
job = start(Path({str(tmp_path)!r}), Request("try", {{"what": "long"}}), command=("-c", {WORKER!r}))
print(job.id)
"""
    name = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    job = until_running(find_job(tmp_path, name))
    assert job.state == "running"
    assert job.cancel().wait(seconds=60).state == "cancelled"


def test_no_more_than_so_many_jobs_go_on_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_ACTIVE", 1)
    job = until_running(begin(tmp_path, "long"))
    with pytest.raises(JobError, match="Too many background jobs"):
        begin(tmp_path, "short")
    assert begin(tmp_path, "long").id == job.id
    assert job.cancel().wait(seconds=60).state == "cancelled"
    assert begin(tmp_path, "short").wait(seconds=60).state == "done"


def test_unknown_and_impossible_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"no such job.*nobody"):
        find_job(tmp_path, "nobody")
    with pytest.raises(SettingError):
        find_job(tmp_path, "../other")
    with pytest.raises(SettingError):
        start(tmp_path, Request("a/b", {}), command=COMMAND)


def test_job_that_never_started_is_failed(tmp_path: Path) -> None:
    folder = tmp_path / "try-1"
    folder.mkdir()
    (folder / "request.json").write_text('{"kind": "try", "params": {}, "title": ""}')
    job = read_job(folder)
    assert (job.state, job.active) == ("failed", False)
    assert job.cancel().state == "failed"


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_counts_the_whole_plan_and_estimates_the_rest() -> None:
    seen: list[ProgressState] = []
    clock = Clock()
    progress = TrackedProgress(seen.append, interval=0.0, clock=clock)
    progress.plan({"ids": 10.0, "map": 30.0})
    progress.step("ids", 100)
    assert (seen[-1].fraction, seen[-1].eta) == (0.0, 40.0)
    clock.now = 5.0
    progress.advance(50)
    assert (seen[-1].done, seen[-1].fraction) == (50, 0.125)
    assert seen[-1].eta == pytest.approx(35.0)
    progress.step("map", 1000, "points")
    assert (seen[-1].done, seen[-1].unit, seen[-1].fraction) == (0, "points", 0.25)
    clock.now = 80.0
    progress.advance(500)
    assert seen[-1].fraction == pytest.approx(0.625)
    assert seen[-1].eta == pytest.approx(48.0)
    progress.advance(10_000)
    assert seen[-1].fraction == 1.0
    progress.check()


def test_one_badly_planned_step_does_not_spoil_the_estimate() -> None:
    seen: list[ProgressState] = []
    clock = Clock()
    progress = TrackedProgress(seen.append, interval=0.0, clock=clock)
    progress.plan({"model": 1.0, "map": 99.0})
    progress.step("model", 1)
    clock.now = 300.0
    progress.step("map", 99)
    assert seen[-1].eta == pytest.approx(4 * 99.0)
    progress = TrackedProgress(seen.append, interval=0.0, clock=clock)
    progress.step("without a plan", 100)
    assert seen[-1].eta is None
    clock.now = 310.0
    progress.advance(10)
    assert seen[-1].eta == pytest.approx(90.0)


def test_progress_reports_steps_at_once_and_the_rest_now_and_then() -> None:
    seen: list[ProgressState] = []
    clock = Clock()
    progress = TrackedProgress(seen.append, interval=1.0, clock=clock)
    progress.step("a", 10)
    for _ in range(10):
        progress.advance(1)
    assert len(seen) == 1
    clock.now = 1.5
    progress.advance(1)
    assert (len(seen), seen[-1].done, seen[-1].fraction) == (2, 11, 1.0)
    progress.step("b", 0)
    assert (seen[-1].step, seen[-1].fraction) == ("b", 0.0)


def test_units_are_spread_over_parts_and_none_is_lost() -> None:
    seen: list[ProgressState] = []
    progress = TrackedProgress(seen.append, interval=0.0, clock=Clock())
    progress.step("a", 10)
    assert list(spread("abc", 3, 10, progress)) == ["a", "b", "c"]
    assert [state.done for state in seen] == [0, 3, 6, 10]
    assert list(spread((), 0, 5, progress)) == [] and seen[-1].done == 15


def test_a_log_shows_a_step_when_it_begins_and_every_half_minute_after_that() -> None:
    clock, stream = Clock(), io.StringIO()
    with step_lines(stream) as progress:
        progress.clock = clock
        progress.step("near", 1_000, "pictures")
        for clock.now in (1.0, 29.0, 31.0, 40.0, 59.0, 62.0):
            progress.advance(150)
        progress.step("report", 1)
    assert stream.getvalue().splitlines() == [
        "tamis: near, 0% done",
        "tamis: near, 45% done, 450 of 1,000 pictures",
        "tamis: near, 90% done, 900 of 1,000 pictures",
        "tamis: report, 0% done",
    ]


def test_cancelled_progress_raises_at_the_next_check() -> None:
    stop: list[bool] = []
    progress = TrackedProgress(lambda state: None, lambda: bool(stop))
    progress.check()
    stop.append(True)
    with pytest.raises(Cancelled, match="go on where it stopped"):
        progress.check()


def test_null_progress_takes_everything() -> None:
    progress = NullProgress()
    progress.plan({})
    progress.step("a", 1)
    progress.advance(3)
    progress.check()
    assert not hasattr(progress, "state")
