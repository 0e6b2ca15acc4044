"""A working day on a large corpus, timed: ``python -m benchmarks.bench_day --home FOLDER --corpus NAME``

Serves a copy of an analysed workspace and does the twelve tasks of ``day_tasks.py`` in Chromium. The time of an
interaction is how long the browser sees the server's script run, with transfer. What takes a job before it can be used,
the similar pairs of a corpus, is measured before; so is a saved recipe to compare with.

With ``--former TREE``, a checkout of another commit, every page is opened on both builds in turn, in one run: the tree
is served by its own code on a workspace of its own, which shares the artifacts that have the same keys and gets the
others from the tree's own analysis.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from dashboard import browser, served, settle
from playwright.sync_api import Browser, Page

from benchmarks.bench_pages import Clock, visit
from benchmarks.day_tasks import TASKS, Day, spend_day
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.app.dashboard.open_corpus import corpus_of
from tamis.data.saved import save_entry
from tamis.data.workspace import CorpusEntry, Workspace

GOALS = {"median": 0.25, "p95": 0.5}
"""Seconds."""

NOISE = 1.1
"""Times a former page that a page may take: two builds that are equal differ by less in most runs."""

LEAST = 0.02
"""Seconds below which a difference is not told from the pace of the browser."""

PAGES = ("Overview", "Map", "Clusters", "Duplicates", "Quality", "Recipe", "Effect", "Review", "Documents", "Jobs")
FORMER_PROGRAM = "from tamis.app.cli import main; main()"
SLOWEST = 12


@dataclass(frozen=True)
class Figures:
    """Median and 95th percentile of some times, in seconds."""

    times: int
    median: float
    p95: float

    @classmethod
    def of(cls, spent: Sequence[float]) -> Figures:
        """Return the figures; the percentile is the smallest time that at least 95% do not exceed.

        Args:
            spent: seconds, at least one.
        """
        ranked = sorted(spent)
        return cls(len(ranked), statistics.median(ranked), ranked[-(-95 * len(ranked) // 100) - 1])


@dataclass
class Times:
    """Seconds of interactions, by name ``TASK: INTERACTION``.

    Attributes:
        wall: as the browser sees them.
        cpu: of processor time that the server spends meanwhile.
    """

    wall: dict[str, list[float]]
    cpu: dict[str, list[float]]

    @classmethod
    def of(cls, clocks: Iterable[Clock]) -> Times:
        """Join the times of several clocks."""
        found = cls(defaultdict(list), defaultdict(list))
        for clock in clocks:
            for mine, other in ((found.wall, clock.times), (found.cpu, clock.cpu)):
                for name, spent in other.items():
                    mine[name] += spent
        return found

    def by_task(self) -> Times:
        """Return the times by task."""
        found = Times(defaultdict(list), defaultdict(list))
        for mine, other in ((found.wall, self.wall), (found.cpu, self.cpu)):
            for name, spent in other.items():
                mine[name.split(":")[0]] += spent
        return found

    def row(self, name: str) -> str:
        """Return one row of a table, in milliseconds; all together for no name."""
        names = [name] if name else list(self.wall)
        wall, cpu = (Figures.of([each for one in names for each in kind[one]]) for kind in (self.wall, self.cpu))
        cells = (wall.median, wall.p95, cpu.median, cpu.p95)
        return f"| {name or 'all'} | {wall.times} | {' | '.join(f'{1000 * cell:.0f}' for cell in cells)} |"

    def slowest(self, n: int = SLOWEST) -> list[str]:
        """Return the interactions with the largest medians, the slowest first, ties by name."""
        return sorted(self.wall, key=lambda name: (-statistics.median(self.wall[name]), name))[:n]


def slower_pages(former: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the pages whose median is larger than that of the former build by more than noise.

    Args:
        former, now: seconds by page, of the same pages.
    """
    return [
        name
        for name, spent in former.items()
        if statistics.median(now[name]) > max(NOISE * statistics.median(spent), statistics.median(spent) + LEAST)
    ]


def link_workspace(home: Path, folder: Path) -> Path:
    """Make a workspace that shares the artifacts and models of another, which are never changed, and nothing else.

    Args:
        home: the workspace.
        folder: of the new one; must not exist.
    """
    folder.mkdir(parents=True)
    for part in ("store", "models"):
        shutil.copytree(home / part, folder / part, copy_function=os.link)
    return folder


def copy_workspace(home: Path, folder: Path) -> Path:
    """Make a copy of a workspace in which everything may be changed; artifacts and models are shared."""
    link_workspace(home, folder)
    for path in home.iterdir():
        if path.name in ("store", "models", "server.log"):
            continue
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
    return folder


def make_ready(home: Path, entry: CorpusEntry) -> None:
    """Compile the kernels, measure similar pairs, which take a job, and save last week's recipe."""
    workspace = Workspace(home)
    command = [sys.executable, "-m", "tamis.app.jobs.warm_up"]
    subprocess.run(command, env={**os.environ, "TAMIS_MODELS": str(workspace.models)}, check=True)
    study = Study.open(corpus_of(workspace, entry), workspace)
    study.measure(Recipe().with_operator("near_dedup"))
    weekly = Recipe(title="Weekly").with_operator("signal_range", signal="n_tokens", min=5)
    if not list((home / "saved").glob("*.json")):
        save_entry(workspace, "recipe", "weekly", weekly.to_dict(), who="Ann", at="2026-01-05T09:00:00+00:00")


def former_environment(tree: Path) -> dict[str, str]:
    """Return the variables with which Python runs another tree."""
    return {"PYTHONPATH": str(tree / ".typing")}


def analyse_former(tree: Path, home: Path, entry: CorpusEntry, tier: str) -> None:
    """Let another tree analyse a corpus in its workspace: what it has under the same key it takes."""
    command = [sys.executable, "-c", FORMER_PROGRAM, "analyze", entry.path, "--name", entry.name, "--tier", tier]
    environment = {**os.environ, **former_environment(tree), "TAMIS_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def server_of(url: str) -> psutil.Process:
    """Return the process that serves an address, a child of this one."""
    port = url.rsplit(":", 1)[1]
    return next(child for child in psutil.Process().children() if port in child.cmdline())


def enter(chromium: Browser, url: str, corpus: str) -> tuple[Page, Clock]:
    """Open the dashboard in a session of its own and wait for its first page; a person has a name."""
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    clock = Clock(page, server_of(url))
    page.goto(f"{url}/?corpus={corpus}", timeout=300_000)
    settle(page)
    page.get_by_role("button", name="Undo").wait_for(timeout=300_000)
    name = page.get_by_placeholder("Your name").first
    name.fill("Ada")
    name.press("Enter")
    page.wait_for_timeout(500)
    settle(page)
    return page, clock


def cut(page: Page) -> None:
    """Add a rule on the Quality page, so that pages show what a recipe does."""
    page.get_by_role("link", name="Quality").first.click()
    low = page.get_by_role("spinbutton", name="Drop below")
    low.wait_for(timeout=300_000)
    settle(page)
    low.fill("8")
    low.press("Enter")
    page.wait_for_timeout(500)
    settle(page)
    page.get_by_role("button", name="Save as rule").click()
    page.get_by_test_id("funnel").wait_for(timeout=300_000)
    settle(page)


def open_in_turn(clocks: Sequence[Clock], rounds: int) -> None:
    """Open every page on each build in turn; the first round, in which caches fill, is not kept."""
    for number in range(rounds + 1):
        for name in PAGES:
            for clock in clocks if number % 2 else reversed(clocks):
                visit(clock, name, 0.0)
        if number == 0:
            for clock in clocks:
                clock.times.clear()
                clock.cpu.clear()


def print_day(times: Times) -> bool:
    """Print the day's tables; return whether the goals are met."""
    head = "times | median ms | p95 ms | median CPU ms | p95 CPU ms |\n|---|---|---|---|---|---|"
    print(f"| task | {head}")
    tasks = times.by_task()
    for task in tasks.wall:
        print(tasks.row(task))
    print(times.row(""))
    print(f"\n| slowest interactions | {head}")
    for name in times.slowest():
        print(times.row(name))
    whole = Figures.of([value for spent in times.wall.values() for value in spent])
    met = whole.median <= GOALS["median"] and whole.p95 <= GOALS["p95"]
    print(f"\ngoals: median {GOALS['median']} s, p95 {GOALS['p95']} s; met: {met}", flush=True)
    return met


def print_pages(former: Clock, now: Clock) -> bool:
    """Print the pages of two builds side by side; return whether none is slower."""
    print("\n| page | former ms | now ms | ratio | former CPU ms | now CPU ms |\n|---|---|---|---|---|---|")
    for name in now.times:
        old, new = statistics.median(former.times[name]), statistics.median(now.times[name])
        cpu = [f"{1000 * statistics.median(clock.cpu[name]):.0f}" for clock in (former, now)]
        title = name.removeprefix("open ")
        print(f"| {title} | {1000 * old:.0f} | {1000 * new:.0f} | {new / old:.2f} | {' | '.join(cpu)} |")
    slow = slower_pages(former.times, now.times)
    print(f"slower: {', '.join(slow) if slow else 'none'}", flush=True)
    return not slow


def beside_former(stack: ExitStack, chromium: Browser, url: str, chosen: argparse.Namespace, folder: Path) -> bool:
    """Serve the former build and open every page on both; return whether no page is slower."""
    entry = Workspace(chosen.home).corpus(chosen.corpus)
    former = folder / "former"
    if not former.exists():
        analyse_former(chosen.former, link_workspace(chosen.home, former), entry, chosen.tier)
    there = stack.enter_context(
        served(former, former, program=FORMER_PROGRAM, environment=former_environment(chosen.former))
    )
    builds = [enter(chromium, address, chosen.corpus) for address in (there.url, url)]
    for page, _ in builds:
        cut(page)
    clocks = [clock for _, clock in builds]
    open_in_turn(clocks, chosen.rounds)
    return print_pages(*clocks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a workspace with an analysed corpus; it is not changed")
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--work", type=Path, help="folder for copies of the workspace; what is there is used again")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--group", default="Language", help="title of the category by which cuts differ")
    parser.add_argument("--former", type=Path, help="checkout of another commit")
    parser.add_argument("--tier", default="fast", help="of the corpus' embeddings")
    parser.add_argument("--rounds", type=int, default=6, help="how often each page is opened on both builds")
    chosen = parser.parse_args(arguments)
    if chosen.home is None or chosen.work is None:
        print("no workspace: give --home with an analysed corpus, and --work")
        return 0
    home = chosen.work / "now"
    if not home.exists():
        copy_workspace(chosen.home, home)
    entry = Workspace(home).corpus(chosen.corpus)
    make_ready(home, entry)
    with ExitStack() as stack:
        here, chromium = stack.enter_context(served(home, home)), stack.enter_context(browser())
        clocks = []
        for number in range(chosen.days):
            page, clock = enter(chromium, here.url, chosen.corpus)
            clocks.append(clock)
            try:
                spend_day(Day(page, clock, number, chosen.group))
            except Exception:
                page.screenshot(path=chosen.work / "stopped.png")
                raise
            page.context.close()
        met = True
        if clocks:
            print(f"{chosen.corpus}: {len(TASKS)} tasks, {chosen.days} days")
            met = print_day(Times.of(clocks))
        if chosen.former is not None:
            met = beside_former(stack, chromium, here.url, chosen, chosen.work) and met
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main())
