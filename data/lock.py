"""Locks between processes: a file with the owner's pid, refreshed by a heartbeat, taken over once the owner is dead."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tamis.data.errors import LockedError
from tamis.data.parquet import write_error

HEARTBEAT_SECONDS = 2.0
STALE_SECONDS = 60.0


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        pid: process id on ``machine``.
        started: the process's start time (see ``process_started``), so that a reused pid is not mistaken for it.
        machine: host name and, where the system has them, process-id namespace.
        token: unique per acquisition.
    """

    pid: int
    started: float
    machine: str
    token: str

    @classmethod
    def current(cls) -> Owner:
        """Return this process as an owner with a fresh token."""
        return cls(os.getpid(), process_started(os.getpid()) or 0.0, machine(), uuid.uuid4().hex)


def machine() -> str:
    """Return the name of the scope in which process ids are unique."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()}:{namespace.stat().st_ino if namespace.exists() else 0}"


def process_started(pid: int) -> float | None:
    """Return the start time of a live process, None if it does not exist or is a zombie.

    Seconds since boot if the system provides them (setting the clock does not change them), else seconds since the
    epoch.
    """
    if Path("/proc/self/stat").is_file():
        try:
            # The name in parentheses may hold any character; state and start time are the 1st and 20th field after it.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def alive(pid: int, started: float, where: str, *, heartbeat_age: float) -> bool:
    """Return whether the process is alive; for another machine its heartbeat decides."""
    if where != machine():
        return heartbeat_age < STALE_SECONDS
    now = process_started(pid)
    return now is not None and abs(now - started) < 1.0


def read_owner(path: Path) -> Owner | None:
    """Return the owner in a lock file, None if the file is missing or incomplete."""
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_held(path: Path) -> bool:
    """Return whether a live process holds the lock at ``path``."""
    owner = read_owner(path)
    if owner is None:
        return False
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return alive(owner.pid, owner.started, owner.machine, heartbeat_age=age)


def clear_dead(path: Path) -> None:
    """Remove the lock at ``path`` if its process is dead; a lock that is held stays."""
    if not path.exists() or is_held(path):
        return
    # If the folder is not writable the lock stays; it blocks no other process.
    with contextlib.suppress(OSError), _guard(path):
        if not is_held(path):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _guard(path: Path) -> Iterator[None]:
    """Serialise checking and taking a lock; the kernel frees the guard if its holder dies."""
    handle = os.open(path.with_name(".guard"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Lock:
    """A lock held while the context is open.

    Args:
        path: the lock file.
        what: what is locked, for the message.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        self.path, self.what = path, what
        self._owner: Owner | None = None
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            LockedError: a live process holds it.
            StoreError: the lock file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _guard(self.path):
                if is_held(self.path):
                    held = read_owner(self.path)
                    raise LockedError(
                        f"{self.what} is being written by process {held.pid if held else 'unknown'}",
                        fix="wait for it to end, or stop that process",
                    )
                self._owner = Owner.current()
                self._write(self._owner)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._stop.clear()
        self._beat = threading.Thread(target=self._keep_fresh, name=f"heartbeat {self.path.name}", daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._beat is not None:
            self._beat.join()
        if self.path.parent.is_dir():
            with _guard(self.path):
                if self.is_mine():
                    self.path.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        """Return whether this process still owns the lock."""
        return self._owner is not None and read_owner(self.path) == self._owner

    def _write(self, owner: Owner) -> None:
        # A plain rename without fsync: a lock does not outlive the machine.
        temporary = self.path.with_name(f".{self.path.name}.{owner.token}.tmp")
        temporary.write_text(json.dumps(asdict(owner)))
        temporary.replace(self.path)

    def _keep_fresh(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path)
