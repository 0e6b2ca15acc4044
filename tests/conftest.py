"""Fixtures that many tests share. Models are distilled once and kept, by content, for later runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from main_module import keep_main
from playwright.sync_api import Browser, Page

# Test processes run beside each other: none takes every processor, and none waits by spinning. Numba reads this when it
# is imported.
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from shared_corpus import SharedCorpus


# No test is timed: what is compiled when it is first called would be.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a failed test of the browser once more: on a loaded machine a page can answer later than any limit."""
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session", autouse=True)
def models(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return the model cache that all workspaces of the tests share, kept for later runs, also by the processes."""
    folder = Path(request.config.cache.mkdir("models"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAMIS_MODELS", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Keep the module ``__main__`` in every test."""
    with keep_main():
        yield


@pytest.fixture(scope="session")
def docstring_corpus(models: Path, tmp_path_factory: pytest.TempPathFactory) -> SharedCorpus:
    """Return analysed docstrings that all test processes share; a test copies the workspace and changes the copy."""
    from shared_corpus import analysed_docstrings

    return analysed_docstrings(tmp_path_factory)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Return an empty workspace that is also the default one."""
    home = tmp_path / "tamis-home"
    monkeypatch.setenv("TAMIS_HOME", str(home))
    yield Workspace(home)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium for the tests of a file."""
    from dashboard import browser

    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Return a page of a browser session of its own."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()
