"""When a person sees what of a corpus: ``python -m benchmarks.bench_first_look PATH [--tier fast]``

Opens a file or folder in a fresh workspace with ``tamis open`` and looks at it in Chromium from the first moment on.
Printed is, in seconds after the command, when the browser shows each thing; then how long the server's script ran for
the pages that were opened while the analysis ran. A page counts as filled once it shows its own content instead of the
time that is left.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from dashboard import PROGRAM, browser, free_port, wait_for
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as NotSeen

from benchmarks.bench_pages import Clock
from tamis.data.jobs import list_jobs
from tamis.data.workspace import Workspace

PAGES = ("Overview", "Documents", "Duplicates", "Quality", "Map", "Clusters", "Recipe", "Review", "Effect")
WAITS = "This page fills in by itself"
LONGEST = 3 * 3600.0
WORDS = "library"


class Story:
    """What was seen, and when.

    Args:
        begun: moment of the command, of ``time.monotonic``.
    """

    def __init__(self, begun: float) -> None:
        self.begun, self.seen = begun, dict[str, float]()

    def note(self, what: str) -> None:
        """Remember that something is seen now, the first time only."""
        if what not in self.seen:
            self.seen[what] = time.monotonic() - self.begun
            print(f"  {self.seen[what]:7.1f} s  {what}", flush=True)


def first_moments(page: Page, url: str, story: Story) -> None:
    """Look at Overview and search on Documents, as soon as that is possible."""
    page.goto(url, timeout=60_000)
    page.locator(".tamis-stats").first.wait_for(timeout=120_000)
    story.note("Overview with counts")
    page.locator(".tamis-lengths").first.wait_for(timeout=120_000)
    story.note("Overview with lengths and sources")
    page.get_by_role("link", name="Documents").first.click()
    page.locator(".tamis-card, .tamis-table tr").first.wait_for(timeout=120_000)
    story.note("Documents listed")
    field = page.get_by_role("textbox", name="Search").first
    field.fill(WORDS)
    field.press("Enter")
    page.locator("mark").first.wait_for(timeout=120_000)
    story.note("Documents found by words")


def is_filled(page: Page, name: str) -> bool:
    """Return whether the page that is open shows its own content."""
    if page.get_by_text(WAITS).count():
        return False
    return page.locator(".tamis-issue").count() > 0 if name == "Overview" else True


def rounds(page: Page, home: Path, story: Story, times: dict[str, list[float]]) -> None:
    """Go from page to page until the analysis is complete."""
    clock = Clock(page)
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        running = any(job.active for job in list_jobs(Workspace(home).jobs))
        for name in PAGES:
            link = page.get_by_role("link", name=name, exact=True).first
            try:
                clock.time(name, lambda link=link: link.click(timeout=5_000), pause=0.5)
            except NotSeen:
                continue
            if is_filled(page, name):
                story.note(f"{name} filled")
            if name == "Map" and page.get_by_text("A sample of").count():
                story.note("Map of a sample")
            if running:
                times[name].append(clock.times[name][-1])
        if not running:
            break
    story.note("all steps done")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print when each thing is seen, and the times of the pages while the analysis ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--tier", default="")
    parser.add_argument("--only-first", action="store_true", help="stop after the first moments")
    chosen = parser.parse_args(arguments)
    if chosen.path is None:
        print("no corpus: give a file or folder")
        return 0
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        home, port = Path(folder), free_port()
        tier = ["--tier", chosen.tier] if chosen.tier else []
        command = [sys.executable, "-c", PROGRAM, "open", str(chosen.path), "--name", "corpus", "--port", str(port)]
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        environment = {**os.environ, "TAMIS_HOME": str(home)}
        story = Story(time.monotonic())
        with (home / "server.log").open("wb") as log:
            server = subprocess.Popen([*command, *tier], env=environment, stdout=log, stderr=log)
            try:
                wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
                story.note("server answers")
                first_moments(page, f"http://127.0.0.1:{port}/?corpus=corpus", story)
                if not chosen.only_first:
                    rounds(page, home, story, times)
            finally:
                for job in list_jobs(Workspace(home).jobs):
                    job.cancel().wait(seconds=60)
                server.terminate()
                server.wait(timeout=20)
                print((home / "server.log").read_text("utf-8")[-3000:], file=sys.stderr)
    print("| page, while the analysis ran | times | median ms | most ms |\n|---|---|---|---|")
    for name, spent in times.items():
        print(f"| {name} | {len(spent)} | {1000 * statistics.median(spent):.0f} | {1000 * max(spent):.0f} |")
    every = [value for spent in times.values() for value in spent]
    if every:
        print(f"all: median {1000 * statistics.median(every):.0f} ms, most {1000 * max(every):.0f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
