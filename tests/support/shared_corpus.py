"""Analysed corpora that all test processes of one run share: made by the first that asks, changed by none."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from dashboard import small_corpus, tamis

PARTS = ("json", "xml", "logging", "email", "asyncio")


@dataclass(frozen=True)
class SharedCorpus:
    """An analysed corpus that nobody changes.

    Attributes:
        corpus: its folder.
        home: the workspace that holds its analysis, under the name ``corpus``; tests work on a copy.
    """

    corpus: Path
    home: Path

    def copy_home(self, folder: Path) -> Path:
        """Return a copy of the workspace that a test may change."""
        return Path(shutil.copytree(self.home, folder))


def analysed_docstrings(factory: pytest.TempPathFactory) -> SharedCorpus:
    """Return several hundred real docstrings, analysed with the fast embedding."""

    def make(folder: Path) -> None:
        corpus = small_corpus(folder / "corpus", parts=PARTS)
        tamis("analyze", str(corpus), "--name", "corpus", "--tier", "fast", home=folder / "home")

    folder = shared_folder(factory, "docstrings", make)
    return SharedCorpus(folder / "corpus", folder / "home")


def shared_folder(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of this name that the processes of this test run share, filled by the first that asks."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            make(folder)
            (folder / "whole").touch()
    return folder
