"""People who review in Chromium all at once, on two servers of one workspace, one of which is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dashboard import ARGUMENTS, find_browser, free_port, wait_for
from playwright.async_api import Browser, Page, async_playwright, expect
from playwright.async_api import Error as BrowserError

from tamis.data.hashing import digest
from tamis.data.reviews import DECISIONS, ReviewStore

KEYS = "kdu"
DECIDED = re.compile(r"^(\d+) of \d+ decided by you")
PATIENCE = 120_000


@dataclass
class Server:
    """A server of a workspace that can be killed and started again on its port."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-c",
            "from tamis.app.cli.main import main; main()",
            "serve",
            "--port",
            str(self.port),
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "TAMIS_HOME": str(self.home)}
        self.process = subprocess.Popen(command, env=environment, cwd=self.home, **quiet)  # type: ignore[call-overload]
        assert self.process is not None
        wait_for(f"{self.url}/_stcore/health", self.process)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass
class Reviewer:
    """One person: what they pressed and saw counted.

    Attributes:
        name: under which decisions are stored.
        acknowledged: decisions that the page counted, in order.
        seconds: from the key to the count, of each.
        interrupted: how often a key was not counted in time, so that the page was opened again.
        shown: how many decisions the page counts at the end.
    """

    name: str
    acknowledged: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    interrupted: int = 0
    shown: int = 0


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        reviewers: everybody.
        lost: decisions that a page counted and the store does not hold.
        doubled: events beyond one for each person and document.
        stored: decision events in the store.
        seconds: wall time.
    """

    reviewers: tuple[Reviewer, ...]
    lost: int
    doubled: int
    stored: int
    seconds: float


def review_together(home: Path, *, people: int, decisions: int, corpus: str) -> Result:
    """Let people decide at once and kill one of the two servers halfway."""
    servers = [Server(home), Server(home)]
    team = tuple(Reviewer(f"Reviewer {number}") for number in range(people))
    begun = time.monotonic()
    try:
        for server in servers:
            server.start()
        with ThreadPoolExecutor(1) as thread:  # Tests run within an event loop of their own.
            thread.submit(lambda: asyncio.run(_all(servers, team, decisions, corpus))).result()
    finally:
        for server in servers:
            if server.process is not None:
                server.kill()
    return _compare(home, team, time.monotonic() - begun)


async def _all(servers: list[Server], team: tuple[Reviewer, ...], decisions: int, corpus: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        work = [
            _review(browser, servers[number % len(servers)], person, decisions, corpus)
            for number, person in enumerate(team)
        ]
        await asyncio.gather(_accident(servers[0], team, decisions), *work)
        await browser.close()


async def _accident(server: Server, team: tuple[Reviewer, ...], decisions: int) -> None:
    """Kill a server once half of the decisions are counted, and start it again."""
    while sum(len(person.acknowledged) for person in team) < len(team) * decisions // 2:
        await asyncio.sleep(0.05)
    server.kill()
    await asyncio.to_thread(server.start)


async def _review(browser: Browser, server: Server, person: Reviewer, decisions: int, corpus: str) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    name = person.name.replace(" ", "%20")
    await context.add_cookies([{"name": "tamis_name", "value": name, "url": server.url}])
    page = await context.new_page()
    await _open(page, server, corpus)
    while (before := await _decided(page)) < decisions:
        value = DECISIONS[int(digest([person.name, before])[:4], 16) % len(DECISIONS)]
        begun = time.monotonic()
        try:
            await page.keyboard.press(KEYS[DECISIONS.index(value)])
            await expect(page.get_by_text(re.compile(rf"^{before + 1} of \d+ decided by you"))).to_be_visible(
                timeout=10_000
            )
        except (AssertionError, BrowserError):
            person.interrupted += 1
            await _open(page, server, corpus)
            continue
        person.seconds.append(time.monotonic() - begun)
        person.acknowledged.append(value)
    person.shown = await _decided(page)
    await context.close()


async def _open(page: Page, server: Server, corpus: str) -> None:
    """Open the Review page, again and again while the server is away."""
    end = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            await page.goto(f"{server.url}/review?corpus={corpus}")
            await expect(page.get_by_text("decided by you")).to_be_visible(timeout=60_000)
            await page.wait_for_timeout(300)
            return
        except (AssertionError, BrowserError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)


async def _decided(page: Page) -> int:
    found = DECIDED.match(await page.get_by_text("decided by you").inner_text())
    assert found
    return int(found.group(1))


def _compare(home: Path, team: tuple[Reviewer, ...], seconds: float) -> Result:
    """Compare what pages counted with what the store holds."""
    events = ReviewStore.of(home).events(kinds=["decision"])
    lost = 0
    for person in team:
        values = iter([event.value for event in events if event.reviewer == person.name])
        lost += sum(value not in values for value in person.acknowledged)
    each = Counter((event.reviewer, event.subject) for event in events)
    lost += sum(max(0, person.shown - sum(who == person.name for who, _ in each)) for person in team)
    return Result(team, lost, sum(each.values()) - len(each), len(events), seconds)
