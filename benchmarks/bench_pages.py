"""How long the pages take to answer: ``python -m benchmarks.bench_pages --home FOLDER --corpus NAME [--users N]``

Serves an analysed corpus of a workspace and goes through the pages in Chromium as people would: signals, cuts, groups,
a lasso, searches, documents, reviews. The time of an interaction is how long the browser sees the server's script run,
with transfer. With several users each clicks at a pace of a person, all at once, in a browser session of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

import psutil
from dashboard import browser, served, settle
from playwright.sync_api import Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

BUDGET = 0.3
PATIENCE = 120_000
"""Milliseconds to wait for the server."""
WATCH = """(() => {
  window.runs = [];
  let asked = null, since = null;
  const ask = () => { if (asked === null) asked = performance.now(); };
  const begin = () => { if (since === null) since = asked ?? performance.now(); asked = null; };
  const end = () => { if (since !== null) window.runs.push(performance.now() - since); since = null; };
  // The server leaves some questions unanswered, such as one of a part of the page that is gone.
  window.isBusy = () => since !== null || (asked !== null && performance.now() - asked < PATIENCE);
  // Numbers and values of the fields of a protobuf message; 0 stands for values that are not numbers.
  const fields = (data) => {
    const bytes = new Uint8Array(data), found = {};
    let at = 0;
    const varint = () => { let value = 0, scale = 1, byte;
      do { byte = bytes[at++]; value += (byte & 127) * scale; scale *= 128; } while (byte & 128); return value; };
    while (at < bytes.length) {
      const tag = varint(), number = Math.floor(tag / 8), kind = tag % 8;
      if (kind === 0) found[number] = varint();
      else { const size = kind === 2 ? varint() : kind === 1 ? 8 : 4; found[number] = 0; at += size; }
    }
    return found;
  };
  const Own = window.WebSocket;
  window.WebSocket = class extends Own {
    constructor(...all) { super(...all); this.addEventListener("message", ({data}) => this.told(data)); }
    told(data) {
      if (!(data instanceof ArrayBuffer)) return;
      const {[NEW_SESSION]: begun, [FINISHED]: status} = fields(data);
      if (begun !== undefined) begin();
      if (status !== undefined && status !== EARLY) end();
    }
    send(data) { if (data instanceof Uint8Array && RERUN in fields(data)) ask(); super.send(data); }
  };
})()"""
"""Watches the messages between page and server: a run lasts from the message that asks for it to its last answer."""


def _watch() -> str:
    """Return the script with the numbers of the fields that tell when the server works."""
    numbers = {
        "NEW_SESSION": ForwardMsg.DESCRIPTOR.fields_by_name["new_session"].number,
        "FINISHED": ForwardMsg.DESCRIPTOR.fields_by_name["script_finished"].number,
        "EARLY": ForwardMsg.FINISHED_EARLY_FOR_RERUN,
        "RERUN": BackMsg.DESCRIPTOR.fields_by_name["rerun_script"].number,
        "PATIENCE": 3000,
    }
    return f"{''.join(f'const {name} = {number}; ' for name, number in numbers.items())}{WATCH}"


class Clock:
    """Times what the server does for one action, with transfer, on a page that is still to be opened.

    Args:
        page: the browser's page.
        process: the server; its processor time is measured beside.
    """

    def __init__(self, page: Page, process: psutil.Process | None = None) -> None:
        self.page, self.process = page, process
        self.times, self.cpu = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
        page.add_init_script(_watch())

    def time(self, name: str, act: Callable[[], object], *, pause: float = 0.0) -> None:
        """Do something, wait until the server is idle, and remember how long it worked."""
        self.page.evaluate("() => { window.runs = []; }")
        before = self._spent()
        act()
        self.page.wait_for_timeout(150)
        self.page.wait_for_function("() => !window.isBusy()", timeout=PATIENCE)
        self.page.wait_for_timeout(150)
        self.page.wait_for_function("() => !window.isBusy()", timeout=PATIENCE)
        spent = self.page.evaluate("() => window.runs.reduce((a, b) => a + b, 0)")
        self.times[name].append(float(spent) / 1000)
        self.cpu[name].append(self._spent() - before)
        if pause:
            time.sleep(pause)

    def _spent(self) -> float:
        """Return the seconds of processor time that the server has spent."""
        return 0.0 if self.process is None else sum(self.process.cpu_times()[:2])


def visit(clock: Clock, name: str, pause: float) -> None:
    """Open a page by its link."""
    clock.time(f"open {name}", lambda: clock.page.get_by_role("link", name=name).first.click(), pause=pause)


def story(clock: Clock, number: int, pause: float) -> None:
    """Go through the pages once."""
    page = clock.page
    visit(clock, "Quality", pause)
    for title in ("Stop words", "Mean word length", "Duplicate lines", "Tokens"):
        clock.time(
            "choose a signal", lambda title=title: page.get_by_role("radio", name=title).first.click(), pause=pause
        )
    for value in (8 + number % 5, 15 + number % 5):
        cut = page.get_by_role("spinbutton", name="Drop below")
        clock.time("type a cut", lambda cut=cut, value=value: (cut.fill(str(value)), cut.press("Enter")), pause=pause)
    for _ in range(2):
        handle = page.get_by_role("slider").first
        clock.time("move a handle", lambda handle=handle: handle.press("ArrowRight"), pause=pause)
    clock.time("look by group", lambda: page.get_by_role("tab", name="By source").click(), pause=pause)
    clock.time("back to samples", lambda: page.get_by_role("tab", name="Samples").click(), pause=pause)
    clock.time(
        "curve of the other side", lambda: page.get_by_role("radio", name="drop above").first.click(), pause=pause
    )
    clock.time("save as rule", lambda: page.get_by_role("button", name="Save as rule").click(), pause=pause)
    for name in ("Overview", "Clusters", "Recipe"):
        visit(clock, name, pause)
    visit(clock, "Documents", pause)
    search = page.get_by_role("textbox", name="Search", exact=True)
    clock.time("search", lambda: (search.fill("number"), search.press("Enter")), pause=pause)
    visit(clock, "Review", pause)
    if page.get_by_label("Your name").count():
        name = page.get_by_label("Your name")
        clock.time("say a name", lambda: (name.fill(f"Person {number}"), name.press("Enter")), pause=pause)
    for key in "kdk":
        clock.time("decide", lambda key=key: page.keyboard.press(key), pause=pause)
    clock.time("undo", lambda: page.get_by_role("button", name="Undo").click(), pause=pause)


def user(url: str, corpus: str, number: int, rounds: int, pause: float, found: multiprocessing.Queue) -> None:
    """Be one person, in a process of its own."""
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        clock = Clock(page)
        page.goto(f"{url}/quality?corpus={corpus}", timeout=300_000)
        settle(page)
        page.get_by_role("spinbutton", name="Drop below").wait_for(timeout=300_000)
        try:
            for _ in range(rounds):
                story(clock, number, pause)
        finally:
            found.put(dict(clock.times))


def watch(process: psutil.Process, peak: list[float], done: Event) -> None:
    """Remember the most memory the server ever held."""
    while not done.wait(0.5):
        peak[0] = max(peak[0], process.memory_info().rss / 1e9)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print median and 95th percentile of each interaction, and how many are over the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=os.environ.get("TAMIS_BENCH_HOME"))
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=None, help="seconds between clicks; 0 for one user, else 2")
    chosen = parser.parse_args(arguments)
    if chosen.home is None:
        print("no workspace: give --home with an analysed corpus")
        return 0
    pause = chosen.pause if chosen.pause is not None else (0.0 if chosen.users == 1 else 2.0)
    times: dict[str, list[float]] = defaultdict(list)
    with served(chosen.home, chosen.home) as dashboard:
        server = next(child for child in psutil.Process().children() if "serve" in child.cmdline())
        peak, done = [0.0], Event()
        Thread(target=watch, args=(server, peak, done), daemon=True).start()
        found = multiprocessing.Queue()
        people = [
            multiprocessing.Process(
                target=user, args=(dashboard.url, chosen.corpus, number, chosen.rounds, pause, found)
            )
            for number in range(chosen.users)
        ]
        for person in people:
            person.start()
        for _ in people:
            for name, spent in found.get(timeout=1800).items():
                times[name] += spent
        for person in people:
            person.join()
        done.set()
    print(f"corpus {chosen.corpus}, {chosen.users} at once, server memory at most {peak[0]:.2f} GB")
    print("| interaction | times | median ms | p95 ms |\n|---|---|---|---|")
    over = 0
    for name, spent in times.items():
        ranked = sorted(spent)
        high = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
        over += statistics.median(ranked) > BUDGET
        print(f"| {name} | {len(ranked)} | {1000 * statistics.median(ranked):.0f} | {1000 * high:.0f} |")
    everything = sorted(value for spent in times.values() for value in spent)
    print(
        f"all: median {1000 * statistics.median(everything):.0f} ms, "
        f"p95 {1000 * everything[int(0.95 * len(everything))]:.0f} ms; {over} over {1000 * BUDGET:.0f} ms"
    )
    return int(over > 0 and chosen.users == 1)


if __name__ == "__main__":
    raise SystemExit(main())
