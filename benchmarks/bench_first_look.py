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
from collections.abc import Mapping, Sequence
from pathlib import Path

from dashboard import PROGRAM, browser, free_port, wait_for
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as NotSeen

from benchmarks.bench_pages import Clock
from tamis.analytics.map.sample_map import find_displacement
from tamis.analytics.steps.pipeline import plan_steps
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.jobs import list_jobs
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PAGES = ("Overview", "Documents", "Duplicates", "Quality", "Map", "Clusters", "Recipe", "Review", "Effect")
WAITS = "This page fills in by itself"
SAMPLED = "Shown is a sample"
WORDS = "library"
Times = Mapping[str, Sequence[float]]


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


def go_round(page: Page, clock: Clock, story: Story) -> None:
    """Open every page once."""
    for name in PAGES:
        link = page.get_by_role("link", name=name, exact=True).first
        try:
            clock.time(name, lambda link=link: link.click(timeout=5_000), pause=0.5)
        except NotSeen:
            continue
        sampled = name == "Map" and page.get_by_text(SAMPLED).count() > 0
        if sampled:
            story.note("Map of a sample")
        elif is_filled(page, name):
            story.note(f"{name} filled")


def rounds(page: Page, home: Path, story: Story, seconds: float) -> tuple[Times, Times]:
    """Go from page to page until the analysis is complete; return the times while it ran and those afterwards."""
    during, after = Clock(page), Clock(page)
    end = time.monotonic() + seconds
    while any(job.active for job in list_jobs(Workspace(home).jobs)):
        if time.monotonic() > end:
            return during.times, {}
        go_round(page, during, story)
    story.note("all steps done")
    for _ in range(4):
        go_round(page, after, story)
    return during.times, {name: spent[1:] for name, spent in after.times.items()}


def say_displacement(home: Path) -> None:
    """Print how far the documents of the sample moved when the map of all replaced it."""
    workspace = Workspace(home)
    (entry,) = workspace.corpora().values()
    corpus = open_corpus(entry.path)
    plan = plan_steps(corpus, workspace, analysis_steps(corpus, workspace))
    made = {step.spec.name: artifact for step in plan if (artifact := workspace.store.find(step.key)) is not None}
    if {"documents", "map"} <= made.keys():
        print(find_displacement(corpus, workspace.store, made["documents"], made["map"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print when each thing is seen, and the times of the pages while the analysis ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--tier", default="")
    parser.add_argument("--seconds", type=float, default=10_800, help="stop the analysis after so many")
    parser.add_argument("--only-first", action="store_true", help="stop after the first moments")
    chosen = parser.parse_args(arguments)
    if chosen.path is None:
        print("no corpus: give a file or folder")
        return 0
    during: Times = {}
    after: Times = {}
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
                    during, after = rounds(page, home, story, chosen.seconds)
                    say_displacement(home)
            finally:
                for job in list_jobs(Workspace(home).jobs):
                    job.cancel().wait(seconds=60)
                server.terminate()
                server.wait(timeout=20)
                print((home / "server.log").read_text("utf-8")[-3000:], file=sys.stderr)
    print(
        "| page | while the analysis ran: times | median ms | most ms | afterwards: median ms |\n|---|---|---|---|---|"
    )
    for name, spent in during.items():
        rest = f"{1000 * statistics.median(after[name]):.0f}" if after.get(name) else ""
        print(f"| {name} | {len(spent)} | {1000 * statistics.median(spent):.0f} | {1000 * max(spent):.0f} | {rest} |")
    every = sorted(value for spent in during.values() for value in spent)
    if every:
        high = every[int(0.95 * (len(every) - 1))]
        middle = 1000 * statistics.median(every)
        print(f"all: median {middle:.0f} ms, p95 {1000 * high:.0f} ms, most {1000 * every[-1]:.0f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
