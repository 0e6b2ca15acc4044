"""Checks of the installation and of a workspace; each finding says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs
from tamis.data.reviews import ReviewStore
from tamis.data.store import Orphan
from tamis.data.workspace import Workspace

State = Literal["ok", "warning", "failed"]
PACKAGE = "tamis"
LITTLE_DISK = 5_000_000_000
"""Bytes free below which an analysis of a large corpus may not fit."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked.
        state: ``failed`` needs action, ``warning`` may need it.
        said: what was found.
        fix: what to do, empty when nothing is needed.
    """

    check: str
    state: State
    said: str
    fix: str = ""


def examine(workspace: Workspace, *, checksums: bool = True) -> tuple[Finding, ...]:
    """Return the findings of all checks, in a fixed order.

    Args:
        workspace: the workspace to check.
        checksums: also read every stored byte and compare it with its checksum.
    """
    return (*_installation(), *_folder(workspace), *_store(workspace, checksums=checksums), *_records(workspace))


def repair(workspace: Workspace) -> tuple[Orphan, ...]:
    """Remove the locks of dead processes, damaged artifacts and kept parts without a record; return what was removed.

    Unfinished artifacts stay: the next analysis resumes them. It makes damaged ones again.
    """
    gone = tuple(orphan for orphan in workspace.store.orphans() if orphan.kind in ("lock", "damaged", "kept"))
    for orphan in gone:
        workspace.store.remove(orphan)
    return gone


def _installation() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding("Python", "ok" if good else "failed", python, "" if good else "install Python 3.11 or newer")
    wrong = []
    for line in requires(PACKAGE) or ():
        needed = Requirement(line)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            wrong.append(f"{needed.name} is missing")
            continue
        if not needed.specifier.contains(found, prereleases=True):
            wrong.append(f"{needed.name} {found}, needed {needed.specifier}")
    if wrong:
        yield Finding("Packages", "failed", "; ".join(wrong), "pip install --upgrade tamis, or make setup")
    else:
        yield Finding("Packages", "ok", "all required packages, in supported versions")
    yield Finding("Processors", "ok", f"{_processors()} may be used")


def _processors() -> int:
    """Return the number of processors this process may use, or of all if the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _folder(workspace: Workspace) -> Iterator[Finding]:
    root = workspace.root
    if not root.exists():
        yield Finding("Workspace", "ok", f"{root} does not exist yet; it is created when first needed")
        return
    if not os.access(root, os.W_OK | os.X_OK):
        yield Finding("Workspace", "failed", f"{root} cannot be written", "set TAMIS_HOME to a folder of yours")
    else:
        yield Finding("Workspace", "ok", str(root))
    free = shutil.disk_usage(root).free
    said = f"{free / 1e9:.1f} GB free"
    if free < LITTLE_DISK:
        yield Finding("Disk", "warning", said, "free some space: an analysis stops cleanly when the disk is full")
    else:
        yield Finding("Disk", "ok", said)


def _store(workspace: Workspace, *, checksums: bool) -> Iterator[Finding]:
    store = workspace.store
    artifacts = store.artifacts()
    yield Finding("Artifacts", "ok", f"{len(artifacts):,} complete")
    orphans = store.orphans()
    advice: dict[str, tuple[State, str]] = {
        "damaged": ("failed", "tamis doctor --fix removes them; the next analysis makes them again"),
        "partial": ("ok", "tamis analyze goes on from here"),
        "lock": ("warning", "tamis doctor --fix removes them"),
        "kept": ("ok", "tamis doctor --fix removes them"),
    }
    for kind, (state, fix) in advice.items():
        found = [orphan for orphan in orphans if orphan.kind == kind]
        if found:
            size = sum(orphan.bytes for orphan in found) / 1e6
            yield Finding(f"{kind.capitalize()} in the store", state, f"{len(found):,}, {size:.1f} MB", fix)
    if checksums:
        faults = store.verify()
        if faults:
            fix = "delete these folders below store/artifacts; the next analysis makes them again"
            yield Finding("Checksums", "failed", "; ".join(faults[:5]), fix)
        else:
            yield Finding("Checksums", "ok", "every stored byte is as it was written")


def _records(workspace: Workspace) -> Iterator[Finding]:
    if not workspace.root.exists():
        return
    gone = [name for name, entry in workspace.corpora().items() if not _is_there(entry.path)]
    if gone:
        yield Finding(
            "Corpora", "warning", f"files are missing: {', '.join(gone)}", "restore them, or open the corpora again"
        )
    else:
        yield Finding("Corpora", "ok", f"{len(workspace.corpora()):,} known")
    failed = [job for job in list_jobs(workspace.jobs) if job.state == "failed"]
    if failed:
        said = f"{len(failed):,} failed, the last: {failed[0].title}: {failed[0].message}"[:300]
        yield Finding("Jobs", "warning", said, "start it again; tamis jobs lists them")
    else:
        yield Finding("Jobs", "ok", "none failed")
    store = ReviewStore.of(workspace.root)
    try:
        yield Finding("Reviews", "ok", f"{store.newest():,} events")
    except TamisError as error:
        yield Finding("Reviews", "failed", error.what, error.fix or "")
    finally:
        store.close()


def _is_there(path: str) -> bool:
    return Path(path).exists() if not any(mark in path for mark in "*?[") else Path(path).parent.exists()
