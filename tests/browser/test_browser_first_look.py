"""A corpus is seen before it is analysed: pages show what is there, say what is missing, and fill in by themselves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from accessibility import violations
from dashboard import PROGRAM, Dashboard, free_port, served, settle, wait_for
from docstrings import docstrings, write_corpus
from playwright.sync_api import Page, expect

from tamis.data.job import Job
from tamis.data.jobs import asked_first, list_jobs
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser
SLOW = 60_000
LONG = 300_000
WAITS = "This page fills in by itself"


def until(holds: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Return once something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never did"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), docstrings(("json", "email")))


@pytest.fixture
def opened(corpus: Path, tmp_path: Path, models: Path) -> Iterator[Dashboard]:
    """Yield a dashboard that ``tamis open`` has just begun to serve, from a workspace that knows nothing."""
    port = free_port()
    command = [sys.executable, "-c", PROGRAM, "open", str(corpus), "--name", "corpus", "--tier", "fast"]
    environment = {**os.environ, "TAMIS_HOME": str(tmp_path)}
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield Dashboard(f"http://127.0.0.1:{port}", tmp_path, corpus)
        finally:
            for job in list_jobs(Workspace(tmp_path).jobs):
                if job.active:
                    os.kill(job.pid, signal.SIGKILL)
            server.terminate()
            server.wait(timeout=20)


def held(dashboard: Dashboard) -> Job:
    """Return the analysis of a dashboard once it has begun, its process held."""
    jobs = Workspace(dashboard.home).jobs
    until(lambda: any(job.pid for job in list_jobs(jobs)))
    (job,) = list_jobs(jobs)
    os.kill(job.pid, signal.SIGSTOP)
    return job


def go(page: Page, name: str) -> None:
    """Open a page by its link."""
    page.get_by_role("link", name=name).first.click()
    settle(page)


def test_pages_fill_in_without_a_reload_and_keep_what_is_typed(opened: Dashboard, page: Page) -> None:
    job = held(opened)
    page.goto(f"{opened.url}/?corpus=corpus")
    main, rail = page.get_by_test_id("stMain"), page.get_by_test_id("stSidebar")
    expect(main).to_contain_text("Median length", timeout=SLOW)
    expect(main).to_contain_text("Length of the texts")
    expect(rail).to_contain_text(re.compile(r"0 of \d+ steps"))
    assert violations(page) == []

    go(page, "Documents")
    field = page.get_by_role("textbox", name="Search by words")
    field.fill("message")
    field.press("Enter")
    expect(page.locator(".tamis-card mark").first).to_have_text("message", ignore_case=True, timeout=SLOW)
    expect(main).to_contain_text("rows with these words, all rows searched")

    go(page, "Map")
    expect(main).to_contain_text(WAITS, timeout=SLOW)
    until(lambda: "map" in asked_first(job.folder))
    page.evaluate("() => { window.same = true; }")
    os.kill(job.pid, signal.SIGCONT)

    search = page.get_by_role("textbox", name="Search", exact=True)
    expect(search).to_be_visible(timeout=LONG)
    search.fill("typed while pages fill in")
    expect(page.locator("canvas").first).to_be_visible(timeout=LONG)
    expect(main).not_to_contain_text(WAITS)
    expect(rail.get_by_text(re.compile(r"of \d+ steps"))).to_have_count(0, timeout=LONG)
    expect(search).to_have_value("typed while pages fill in")
    go(page, "Overview")
    expect(main).to_contain_text("Quality at a glance", timeout=SLOW)
    expect(main.get_by_text("not yet", exact=True)).to_have_count(0)
    assert page.evaluate("() => window.same") is True, "the page was never loaded again"


def test_a_killed_analysis_serves_what_it_has_done(opened: Dashboard, page: Page) -> None:
    store = Workspace(opened.home).store
    until(lambda: {"columns", "exact"} <= {artifact.manifest.step for artifact in store.artifacts()})
    (job,) = list_jobs(Workspace(opened.home).jobs)
    os.kill(job.pid, signal.SIGKILL)
    until(lambda: not job.reload().active)
    with served(opened.home, opened.corpus) as dashboard:
        page.goto(f"{dashboard.url}/?corpus=corpus")
        main = page.get_by_test_id("stMain")
        expect(main).to_contain_text("What stands out", timeout=SLOW)
        expect(page.get_by_role("button", name="Start the analysis")).to_be_visible()
        go(page, "Duplicates")
        expect(main).to_contain_text("Would be dropped", timeout=SLOW)
        go(page, "Effect")
        expect(main).to_contain_text("not there yet, and no analysis runs", timeout=SLOW)
