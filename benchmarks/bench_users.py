"""Many people on one server: ``python -m benchmarks.bench_users --home FOLDER --corpus NAME [--users 20]``

Each person is a session over the websocket, in a thread: opens every page, types cuts, saves a rule, searches, decides
in a review, at the pace of a person. Printed are median and 95th percentile of the time until the server is idle again,
and the most memory the server held. Only the server's work is measured; no browser draws anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock, Thread

import psutil
from dashboard import served
from session_client import Session

PAGES = ("", "map", "clusters", "duplicates", "quality", "recipe", "effect", "documents", "review")


class Person:
    """One person and the times of what they did."""

    def __init__(self, url: str, corpus: str, number: int, pause: float) -> None:
        self.session, self.number, self.pause = Session(url, query=f"corpus={corpus}"), number, pause
        self.times: dict[str, list[float]] = defaultdict(list)

    def note(self, name: str, seconds: float) -> None:
        """Remember a time, then look at the screen for a while."""
        self.times[name].append(seconds)
        time.sleep(self.pause * (0.5 + ((self.number * 7 + len(self.times[name]) * 3) % 10) / 10))

    def story(self) -> None:
        """Go through the pages once."""
        for page in PAGES:
            self.note(f"open {page or 'overview'}", self.session.open(page))
            if page == "quality":
                for value in (8, 9, 10, 12):
                    cut = value + self.number % 7
                    self.note("type a cut", self.session.type("number_input", "Drop below", cut))
                fresh = ("button", "Save as rule") in self.session.widgets
                self.note("save as rule", self.session.press("Save as rule" if fresh else "Change rule"))
            elif page == "documents":
                self.note("search", self.session.type("text_input", "Search", f"number {self.number}"))
            elif page == "review":
                self._review()

    def _review(self) -> None:
        if ("text_input", "Your name") in self.session.widgets:
            self.note("say a name", self.session.type("text_input", "Your name", f"Person {self.number}"))
        for _ in range(3):
            keep = next((label for kind, label in self.session.widgets if kind == "button" and "Keep" in label), None)
            if keep is not None:
                self.note("decide", self.session.press(keep))


def watch(process: psutil.Process, peak: list[float], done: Event) -> None:
    """Remember the most memory the server ever held."""
    while not done.wait(0.5):
        peak[0] = max(peak[0], process.memory_info().rss / 1e9)


def table(times: dict[str, list[float]]) -> str:
    """Return the times as a table, and all of them together."""
    lines = ["| interaction | times | median ms | p95 ms |", "|---|---|---|---|"]
    for name, spent in (*times.items(), ("all", [one for each in times.values() for one in each])):
        ranked = sorted(spent)
        high = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
        lines.append(f"| {name} | {len(ranked)} | {1000 * statistics.median(ranked):.0f} | {1000 * high:.0f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, let everybody work at once, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=os.environ.get("TAMIS_BENCH_HOME"))
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between clicks, on average")
    parser.add_argument("--processors", type=int, default=2, help="processors of the server")
    chosen = parser.parse_args(arguments)
    if chosen.home is None:
        print("no workspace: give --home with an analysed corpus")
        return 0
    processors = sorted(os.sched_getaffinity(0))
    with served(chosen.home, chosen.home) as dashboard:
        server = next(child for child in psutil.Process().children() if "serve" in child.cmdline())
        for thread in server.threads():
            os.sched_setaffinity(thread.id, processors[: chosen.processors])
        os.sched_setaffinity(0, processors[chosen.processors :] or processors)
        peak, done = [0.0], Event()
        Thread(target=watch, args=(server, peak, done), daemon=True).start()
        first = Person(dashboard.url, chosen.corpus, 0, 0.0)
        begun = time.perf_counter()
        first.session.open("")
        print(f"the first page of a fresh server: {time.perf_counter() - begun:.1f} s")
        times: dict[str, list[float]] = defaultdict(list)
        lock, wrong = Lock(), []

        def live(number: int) -> None:
            try:
                person = Person(dashboard.url, chosen.corpus, number, chosen.pause)
                person.session.open("")
                for _ in range(chosen.rounds):
                    person.story()
                with lock:
                    for name, spent in person.times.items():
                        times[name] += spent
            except (KeyError, OSError, TimeoutError) as error:
                wrong.append(f"{number}: {type(error).__name__} {error}")

        people = [Thread(target=live, args=(number,)) for number in range(1, chosen.users + 1)]
        for person in people:
            person.start()
        for person in people:
            person.join()
        done.set()
    print(
        f"corpus {chosen.corpus}, {chosen.users} people at once, a click every {chosen.pause:.0f} s each, server on "
        f"{chosen.processors} processors, memory at most {peak[0]:.2f} GB"
    )
    print(table(times))
    for line in wrong:
        print("failed", line)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
