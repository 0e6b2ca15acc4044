"""Background jobs: each has its own process and a record that the command line and the dashboard read.

Folder of a job, named by its request, so that the same job never starts twice::

    request.json    kind, parameters, what it works on; never changed
    state.json      pid, state, progress; replaced atomically by the job's process
    cancel          present when a person asked it to stop
    first.json      names of steps that a person waits for; the job reads it between its steps
    log.txt         standard output and error of its process
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tamis.data.errors import Cancelled, JobError, LockedError, TamisError
from tamis.data.job import Job, Record, Request, State, read_job
from tamis.data.lock import HEARTBEAT_SECONDS, Lock, machine, process_started
from tamis.data.names import inside
from tamis.data.parquet import write_bytes
from tamis.data.progress import Progress, ProgressState, TrackedProgress

__all__ = ["Job", "Request", "ask_first", "asked_first", "find_job", "list_jobs", "read_job", "start", "work"]

_START_SECONDS = 20.0
MOST_ACTIVE = 8
"""Maximum number of active jobs in a workspace; another job cannot start before one ends."""


def start(
    jobs: Path,
    request: Request,
    *,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Job:
    """Start a job in its own process and session, or join it when it is already active.

    Args:
        jobs: the workspace's folder of jobs.
        request: what to do.
        command: arguments of ``python``; the job's folder is added at the end. The process must call ``work``.
        environment: variables added to those of this process.

    Raises:
        JobError: the process cannot be started, or too many jobs are active.
    """
    folder = inside(jobs, request.id, what="Job")
    _leave_room(jobs, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder):
        record = Record.read(folder)
        if record is not None and record.lives:
            return read_job(folder)
        for left in ("cancel", "first.json"):
            (folder / left).unlink(missing_ok=True)
        write_bytes(folder / "request.json", json.dumps(asdict(request)).encode())
        pid = _spawn([sys.executable, *command, str(folder)], folder, {**os.environ, **(environment or {})})
        now = time.time()
        Record("queued", pid, process_started(pid) or 0.0, machine(), now, now).write(folder)
    return read_job(folder)


def _leave_room(jobs: Path, folder: Path) -> None:
    """Refuse a new job while the maximum number is active; joining an active one is always possible."""
    active = [job for job in list_jobs(jobs) if job.active]
    if len(active) >= MOST_ACTIVE and all(job.id != folder.name for job in active):
        raise JobError(
            "Too many background jobs are active",
            value=len(active),
            allowed=f"{MOST_ACTIVE} at once",
            fix="wait for one to end, or stop one on the Jobs page or with tamis cancel",
        )


def ask_first(job: Job, steps: Sequence[str]) -> None:
    """Ask a job to run some of its steps, if they have not begun, before all others; the latest request comes first."""
    wanted = tuple(dict.fromkeys((*steps, *asked_first(job.folder))))
    if wanted != asked_first(job.folder):
        write_bytes(job.folder / "first.json", json.dumps(wanted).encode())


def asked_first(folder: Path) -> tuple[str, ...]:
    """Return the names of the steps that people asked the job of a folder to run first."""
    try:
        found = json.loads((folder / "first.json").read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def find_job(jobs: Path, name: str) -> Job:
    """Return a job by its id.

    Raises:
        JobError: there is none.
        SettingError: the id is not a possible name.
    """
    return read_job(inside(jobs, name, what="Job"))


def list_jobs(jobs: Path) -> tuple[Job, ...]:
    """Return all jobs, latest start first."""
    folders = [path.parent for path in jobs.glob("*/request.json")]
    return tuple(sorted(map(read_job, folders), key=lambda job: (-job.started, job.id)))


def work(folder: Path, run: Callable[[Request, Progress], Mapping[str, Any]]) -> State:
    """Run the job of ``folder`` in this process and keep its record; called by the process that ``start`` made.

    Args:
        folder: the job's folder.
        run: does the work and returns small JSON values to keep as the job's result.

    A ``TamisError`` becomes the job's message. Any other exception ends the process, and the job counts as failed.
    """
    with _exclusive(folder):
        request = Request(**json.loads((folder / "request.json").read_bytes()))
        now = time.time()
        book = _Book(folder, Record("running", os.getpid(), process_started(os.getpid()) or 0.0, machine(), now, now))
    progress = TrackedProgress(book.report, (folder / "cancel").exists)
    with book.beating():
        try:
            result = run(request, progress)
        except Cancelled:
            return book.end("cancelled", message="stopped; start it again to go on where it stopped")
        except TamisError as error:
            return book.end("failed", message=str(error))
        return book.end("done", result=result)


class _Book:
    """Writes the record of the running job on progress and at every heartbeat."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._lock = threading.Lock()
        self._write()

    def report(self, state: ProgressState) -> None:
        """Write new progress."""
        with self._lock:
            now = time.time()
            reported = self._record.reported if state == self._record.progress else now
            self._record = replace(self._record, progress=state, updated=now, reported=reported)
            self._write()

    def end(self, state: State, *, message: str = "", result: Mapping[str, Any] | None = None) -> State:
        """Write the end of the job."""
        with self._lock:
            done = replace(self._record.progress, fraction=1.0, eta=0.0) if state == "done" else self._record.progress
            self._record = replace(
                self._record,
                state=state,
                message=message,
                result=dict(result or {}),
                progress=done,
                updated=time.time(),
            )
            self._write()
        return state

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Update the record while the work does not report."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(HEARTBEAT_SECONDS):
                self.report(self._record.progress)

        thread = threading.Thread(target=beat, name="job heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _write(self) -> None:
        self._record.write(self._folder)


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Lock the job's folder while its process starts or takes over."""
    end = time.monotonic() + _START_SECONDS
    while True:
        lock = Lock(folder / "start.lock", what=f"Job {folder.name}")
        try:
            lock.__enter__()
            break
        except LockedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.__exit__()


def _spawn(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Start a process that outlives this one, and return its pid."""
    try:
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise JobError(f"The job's process cannot be started: {error}") from error
    # Collect the exit status, or a finished job would look alive as long as its parent lives.
    threading.Thread(target=process.wait, name=f"job {process.pid}", daemon=True).start()
    return process.pid
