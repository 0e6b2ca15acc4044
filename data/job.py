"""One background job as recorded: its request, its progress and its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tamis.data.errors import JobError
from tamis.data.hashing import digest
from tamis.data.lock import alive
from tamis.data.names import check_name
from tamis.data.parquet import write_bytes
from tamis.data.progress import ProgressState

State = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class Request:
    """What a job does.

    Attributes:
        kind: worker that runs it, for example ``analyze``.
        params: its parameters, JSON values; with ``kind`` they are its identity.
        title: title shown to people.
    """

    kind: str
    params: Mapping[str, Any]
    title: str = ""

    @property
    def id(self) -> str:
        """Return the job's name: kind and a digest of the parameters."""
        return f"{check_name(self.kind, what='Job kind')}-{digest({'kind': self.kind, 'params': self.params})[:16]}"


@dataclass(frozen=True)
class Job:
    """A job as recorded when it was read.

    Attributes:
        id: name of the job and of its folder.
        folder: folder of its record.
        kind, params, title: of its request.
        state: queued, running, done, failed or cancelled. A job whose process died is failed.
        progress: its progress.
        message: the error, or a sentence about the result.
        result: small JSON values that the job returned.
        pid: of its process, 0 before it started.
        started: seconds since the epoch, 0 before it started.
        updated: last sign of life, seconds since the epoch.
        reported: time of the last progress, seconds since the epoch.
        cancelling: whether a person asked it to stop.
    """

    id: str
    folder: Path
    kind: str
    params: Mapping[str, Any]
    title: str
    state: State
    progress: ProgressState = field(default_factory=ProgressState)
    message: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    pid: int = 0
    started: float = 0.0
    updated: float = 0.0
    reported: float = 0.0
    cancelling: bool = False

    @property
    def active(self) -> bool:
        """Return whether the job is queued or running."""
        return self.state in ACTIVE

    def time_left(self, now: float) -> float | None:
        """Return the estimated seconds to the end at a time (seconds since the epoch), 0 when the estimate is over.

        It falls while the work reports nothing; None while it is unknown.
        """
        eta = self.progress.eta
        return None if eta is None else max(0.0, eta - max(0.0, now - self.reported))

    def reload(self) -> Job:
        """Return the job as recorded now."""
        return read_job(self.folder)

    def cancel(self) -> Job:
        """Ask the job to stop at the next safe point; stored results stay."""
        if self.active:
            write_bytes(self.folder / "cancel", b"")
        return self.reload()

    def wait(self, *, seconds: float = 3600.0, poll: float = 0.1, seen: Callable[[Job], None] | None = None) -> Job:
        """Return the job once it is no longer active, or after ``seconds``.

        Args:
            seconds: longest time to wait.
            poll: seconds between two reads.
            seen: called with the job after every read.
        """
        end = time.monotonic() + seconds
        while True:
            job = self.reload()
            if seen is not None:
                seen(job)
            if not job.active or time.monotonic() > end:
                return job
            time.sleep(poll)

    def log(self, *, limit: int = 20_000) -> str:
        """Return the end of what its process printed."""
        path = self.folder / "log.txt"
        return path.read_bytes()[-limit:].decode("utf-8", "replace") if path.is_file() else ""


@dataclass(frozen=True)
class Record:
    """The content of state.json."""

    state: State
    pid: int
    process_started: float
    machine: str
    started: float
    updated: float
    progress: ProgressState = field(default_factory=ProgressState)
    message: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    reported: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Return the record, None when there is none."""
        path = folder / "state.json"
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise JobError(f"Cannot read {path}: {error}", fix="remove the job's folder") from error
        return cls(**{**value, "progress": ProgressState(**value["progress"])})

    @property
    def lives(self) -> bool:
        """Return whether the job runs in a live process."""
        age = time.time() - self.updated
        return self.state in ACTIVE and alive(self.pid, self.process_started, self.machine, heartbeat_age=age)

    def write(self, folder: Path) -> None:
        """Replace the record."""
        write_bytes(folder / "state.json", json.dumps(asdict(self)).encode())


def read_job(folder: Path) -> Job:
    """Return the job of a folder.

    Raises:
        JobError: there is none, or its record is damaged.
    """
    try:
        request = Request(**json.loads((folder / "request.json").read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise JobError("There is no such job", value=folder.name) from error
    job = Job(folder.name, folder, request.kind, request.params, request.title, "queued")
    record = Record.read(folder)
    if record is None:
        return replace(job, state="failed", message="it never started; start it again")
    lost = record.state in ACTIVE and not record.lives
    return replace(
        job,
        state="failed" if lost else record.state,
        progress=record.progress,
        message="its process ended unexpectedly; start it again to go on where it stopped" if lost else record.message,
        result=record.result,
        pid=record.pid,
        started=record.started,
        updated=record.updated,
        reported=record.reported or record.updated,
        cancelling=(folder / "cancel").exists() and record.state in ACTIVE and not lost,
    )
