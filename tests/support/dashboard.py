"""A running dashboard for browser tests: a small real corpus, analysed, served in a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tamis.data.demo import SourceTree, build_demo

PARTS = ("asyncio", "email", "json", "xml", "unittest", "logging", "importlib", "concurrent", "http", "urllib")
PROGRAM = "from tamis.app.cli.main import main; main()"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""What drives the pages, the quickest first: the shell draws no window, so a test takes about a sixth less time."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-unsafe-swiftshader"]


@dataclass(frozen=True)
class Dashboard:
    """A served dashboard.

    Attributes:
        url: its address.
        home: its workspace folder.
        corpus: folder of the corpus it shows.
    """

    url: str
    home: Path
    corpus: Path


def small_corpus(folder: Path, *, parts: Sequence[str] = PARTS) -> Path:
    """Build a corpus of real docstrings of the standard library, about two thousand, and return its folder."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path.relative_to(library).as_posix() for part in parts for path in (library / part).rglob("*.py"))
    trees = [
        SourceTree(part, "1", "PSF-2.0", "", library, tuple(file for file in files if file.startswith(f"{part}/")))
        for part in parts
    ]
    build_demo(folder, sources=trees, workers=1)
    return folder


def tamis(*arguments: str, home: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    environment = {**os.environ, "TAMIS_HOME": str(home)}
    return subprocess.run(command, env=environment, check=check, capture_output=True, text=True, timeout=600)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    home: Path, corpus: Path, *, program: str = PROGRAM, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Dashboard]:
    """Serve a workspace until the block ends.

    Args:
        home: the workspace.
        corpus: folder of its corpus.
        program: the Python text that runs the command line.
        environment: further variables of the server.
    """
    port = free_port()
    command = [sys.executable, "-c", program, "serve", "--port", str(port)]
    log = (home / "server.log").open("wb")
    variables = {**os.environ, "TAMIS_HOME": str(home), "PYTHONFAULTHANDLER": "1", **environment}
    process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=home)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield Dashboard(f"http://127.0.0.1:{port}", home, corpus)
        ended = process.poll()
        assert ended is None, f"the server ended with {ended}: {(home / 'server.log').read_text('utf-8')[-4000:]}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes], *, seconds: float = 90.0) -> None:
    """Return once the address answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer in {seconds} s")


def find_browser() -> str:
    """Return the path of the system's Chromium."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, "install Chromium: make chromium"
    return path


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield chromium
        chromium.close()


def settle(page: Page) -> None:
    """Wait until Streamlit has nothing left to do."""
    expect(page.get_by_test_id("stSidebar")).to_be_visible(timeout=60_000)
    page.wait_for_function(
        "() => document.querySelector('[data-test-script-state=\"notRunning\"]')"
        " && !document.querySelector('[data-testid=\"stStatusWidget\"]')"
        " && !document.querySelector('[data-stale=\"true\"]')",
        timeout=60_000,
    )


def visit(page: Page, dashboard: Dashboard, name: str) -> None:
    """Open a page of the dashboard by its link, keeping the session where there is one."""
    if not page.url.startswith(dashboard.url):
        page.goto(f"{dashboard.url}/{name}")
    else:
        page.get_by_role("link", name=name.capitalize()).first.click()
    settle(page)
