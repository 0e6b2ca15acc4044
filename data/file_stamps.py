"""Whether the files of a corpus are still those that were opened: asked on every run of a page, so it costs little."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tamis.data.listing import CORPORA_FILE, LOCK_FILE, RUN_FILE, list_files, made_by_tamis

REST = 20.0
"""A look is followed by so many times its length without one: looking takes a twentieth of the time at most."""
MOST_REST = 5.0
"""Seconds without a look at most, however long one takes."""


def stamp_files(path: str) -> str:
    """Return a digest that changes with the names, sizes and times of change of the files of a corpus.

    Of a folder every file counts, also those that describe or caption others, but what is hidden or lies in a run,
    bundle or workspace of Tamis does not; the folder itself may be a run.

    Args:
        path: a file, a folder or a glob.

    Raises:
        CorpusError: there is no such file.
    """
    given = Path(path).expanduser().absolute()
    found = _walk(given) if given.is_dir() else ((str(file), file.stat()) for file in list_files(path).files)
    told = sha256()
    for name, stat in found:
        told.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return told.hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files below a folder with their stats, in the order of their names; links to folders are not followed.

    A tenth of the time that listing them as paths takes: pages ask this of tens of thousands of files.
    """
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                found = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
        except OSError:
            continue  # It went, or may not be read: so it has no files.
        if here != str(folder) and _is_made({entry.name for entry in found}, here):
            continue
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file():
                with suppress(OSError):
                    yield entry.path, entry.stat()


def _is_made(names: set[str], folder: str) -> bool:
    """Say whether a folder is a run, a bundle or a workspace; only files of some names can make it one."""
    return not names.isdisjoint((RUN_FILE, LOCK_FILE, CORPORA_FILE)) and made_by_tamis(Path(folder)) is not None


class FileStamps:
    """Stamps of the corpora that a process shows, none looked up again while the last look has just been.

    Args:
        look: returns the stamp of a path now.
        clock: returns monotonic seconds.
    """

    def __init__(
        self, look: Callable[[str], str] = stamp_files, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._clock = look, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, str]] = {}

    def of(self, path: str) -> str:
        """Return the stamp of the files of a path, at most ``MOST_REST`` seconds old; see ``stamp_files``."""
        with self._lock:
            until, stamp = self._known.get(path, (float("-inf"), ""))
        begun = self._clock()
        if begun < until:
            return stamp
        stamp = self._look(path)
        ended = self._clock()
        with self._lock:
            self._known[path] = (ended + min(REST * (ended - begun), MOST_REST), stamp)
        return stamp
