"""How the map of a corpus of pictures moves and answers: ``bench_image_map.py [--pictures 100000] [--side 72]``

Draws so many pictures, makes their thumbnails, opens the map in Chromium (drawn in software) and reports the times
between frames while a person drags and zooms, with the pictures on the map and without them at the same places; then
thumbnails, hovers, lassos and pages of the gallery: how long a person waits, and the processor time of the server.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from clicks import outline
from dashboard import browser, served, settle
from playwright.sync_api import Locator, Page, Request, expect

from benchmarks.bench_map_page import hovered, let_go, memory, opened

STEPS = 90
"""Moves of the mouse in a drag, about one for each frame of a screen."""
PULSE = """() => { const found = window.tamisFrames = []; let last = performance.now();
  const next = (now) => { found.push(now - last); last = now; window.tamisPulse = requestAnimationFrame(next); };
  window.tamisPulse = requestAnimationFrame(next); }"""
STOP = "() => { cancelAnimationFrame(window.tamisPulse); return window.tamisFrames.slice(2); }"
ASKED = """() => performance.getEntriesByType("resource").filter((each) => each.name.includes("/tamis/picture"))
  .map((each) => [each.name.includes("rows="), each.responseEnd - each.requestStart, each.transferSize])"""
LOADED = """() => [...document.querySelectorAll("*")].flatMap((each) => each.shadowRoot
  ? [...each.shadowRoot.querySelectorAll(".tamis-gallery img")] : []).slice(0, 24).every((each) => each.complete)"""
BATCH, BATCHES = 48, 60
"""Thumbnails in an answer for the map, and answers asked for one after another."""


class Server:
    """The served dashboard: what its process has spent."""

    def __init__(self) -> None:
        children = psutil.Process().children(recursive=True)
        self._process = next(each for each in children if "serve" in " ".join(each.cmdline()))

    def spent(self) -> float:
        """Return the processor time since it started, milliseconds."""
        times = self._process.cpu_times()
        return 1000 * (times.user + times.system)

    def times(self, name: str, act: Callable[[], object], repeats: int = 1) -> None:
        """Do something a few times; print how long it takes and what the server spends, the first time apart."""
        found = []
        for _ in range(repeats):
            begun, before = time.perf_counter(), self.spent()
            act()
            found.append((1000 * (time.perf_counter() - begun), self.spent() - before))
        for title, part in (("the first time", found[:1]), ("later", found[1:])):
            if part:
                whole, own = zip(*part, strict=True)
                print(f"  {name}, {title}: end to end {spread(whole)}; server {spread(own)}", flush=True)


def spread(times: Sequence[float]) -> str:
    """Return median, 95th percentile and longest of some milliseconds."""
    ranked = sorted(times)
    return (
        f"median {statistics.median(ranked):.0f}, 95% {ranked[int(0.95 * (len(ranked) - 1))]:.0f}, "
        f"longest {ranked[-1]:.0f} ms of {len(ranked)}"
    )


def dragged(page: Page, area: Locator) -> list[float]:
    """Drag the map in a round and return the times between frames, milliseconds."""
    box = area.bounding_box()
    assert box is not None
    x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.evaluate(PULSE)
    page.mouse.down()
    for step in range(STEPS):
        part = abs((step + STEPS // 4) % STEPS - STEPS / 2) / STEPS - 0.25
        page.mouse.move(x + 800 * part, y + 500 * part)
        page.wait_for_timeout(8)
    page.mouse.up()
    found: list[float] = page.evaluate(STOP)
    return found


def zoomed(page: Page, area: Locator) -> list[float]:
    """Turn the wheel in and out again and return the times between frames, milliseconds."""
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.evaluate(PULSE)
    for delta in [-60] * 20 + [60] * 20:
        page.mouse.wheel(0, delta)
        page.wait_for_timeout(16)
    found: list[float] = page.evaluate(STOP)
    return found


def settled(area: Locator) -> int:
    """Wait until every picture in view is there and return how many."""
    expect(area).to_have_attribute("data-awaited", "0", timeout=60_000)
    return int(area.get_attribute("data-pictures") or 0)


def found_place(page: Page, area: Locator) -> tuple[float, float]:
    """Return a place of the map with a document, the first of a grid."""
    box = area.bounding_box()
    assert box is not None
    for down in (0.5, 0.3, 0.7, 0.4, 0.6):
        for aside in (0.4, 0.3, 0.5, 0.2, 0.6):
            place = (box["x"] + aside * box["width"], box["y"] + down * box["height"])
            page.mouse.move(*place)
            page.wait_for_timeout(500)
            if area.locator(".tip").is_visible():
                return place
    raise AssertionError("no document lies under any place of the grid")


def nearer(page: Page, area: Locator, *, at_least: int = 40) -> int:
    """Come nearer to where the pointer is until enough pictures stand on the map; return how many do."""
    for _ in range(90):
        page.mouse.wheel(0, -60)
        page.wait_for_timeout(60)
        if int(area.get_attribute("data-pictures") or 0) + int(area.get_attribute("data-awaited") or 0) >= at_least:
            break
    return settled(area)


def moves(page: Page, area: Locator) -> None:
    """Print the times between frames with and without pictures, alternating."""
    found: dict[str, list[float]] = {}
    for _ in range(3):
        for name in ("with pictures", "without"):
            pressed = area.get_by_role("button", name="Pictures").get_attribute("aria-pressed") == "true"
            if pressed == (name == "without"):
                area.press("t")
            page.wait_for_timeout(400)
            found.setdefault(f"drag, {name}", []).extend(dragged(page, area))
            found.setdefault(f"wheel, {name}", []).extend(zoomed(page, area))
    area.press("t")
    for name, times in sorted(found.items()):
        print(f"  frames, {name}: {spread(times)}", flush=True)


def gallery(page: Page, url: str, server: Server) -> None:
    """Print how long a page of the gallery takes until its visible pictures are there."""
    page.goto(f"{url}/documents?corpus=drawn")
    first = page.locator(".tamis-gallery img").first
    expect(first).to_have_js_property("complete", True, timeout=120_000)
    settle(page)

    def turn() -> None:
        before = first.get_attribute("src") or ""
        page.get_by_role("button", name="Next", exact=True).click()
        expect(first).not_to_have_attribute("src", before, timeout=60_000)
        page.wait_for_function(LOADED, polling="raf", timeout=60_000)

    server.times("gallery, next page to its pictures in view", turn, 8)


def alone(asked: Request, pictures: int, server: Server) -> None:
    """Print how long the server takes for thumbnails of random documents when nothing else asks."""
    address, headers = asked.url.partition("?")[0], {"x-tamis-token": asked.headers["x-tamis-token"]}
    draw = random.Random(0)

    def ask() -> None:
        rows = "-".join(str(draw.randrange(pictures)) for _ in range(BATCH))
        with urllib.request.urlopen(urllib.request.Request(f"{address}?rows={rows}", headers=headers)) as answer:
            answer.read()

    server.times(f"{BATCH} thumbnails of random documents", ask, BATCHES)


def measure(pictures: int, side: int, root: Path) -> None:
    """Print the times of one size."""
    # Late: the support of the tests.
    from drawn_pictures import SERVER, analyse_pictures, write_pictures

    corpus, home = root / "corpus", root / "home"
    begun = time.perf_counter()
    if not home.is_dir():
        write_pictures(corpus, pictures, side=side)
        written = time.perf_counter() - begun
        analyse_pictures(corpus, home, "drawn")
        print(f"{pictures:,} pictures of {side} pixels: drawn in {written:.0f} s, "
              f"analysed in {time.perf_counter() - begun - written:.0f} s", flush=True)  # fmt: skip
    with served(home, corpus, program=SERVER) as dashboard, browser() as chromium:
        server = Server()
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        thumbs: list[Request] = []
        page.on("request", lambda each: thumbs.append(each) if "rows=" in each.url else None)
        url = f"{dashboard.url}/map?corpus=drawn"
        server.times("open to drawn", lambda: opened(page, url), 3)
        area = page.locator(".tamis-map[data-ready]")
        found_place(page, area)
        begun = time.perf_counter()
        shown = nearer(page, area)
        print(f"  {shown} pictures on the map after {time.perf_counter() - begun:.1f} s of zooming")
        moves(page, area)
        asked: list[Any] = page.evaluate(ASKED)
        batches = [spent for batch, spent, _ in asked if batch]
        print(f"  thumbnails for the map as the busy browser gets them, up to {BATCH}: {spread(batches)}")
        alone(thumbs[-1], pictures, server)
        place = found_place(page, area)
        server.times("hover to text and picture", lambda: hovered(page, area, place), 6)
        outline(page, radius=190)
        server.times("lasso let go to figures", lambda: let_go(page))
        sheet = page.locator(".tamis-sheet img").first
        expect(sheet).to_be_visible(timeout=30_000)
        gallery(page, dashboard.url, server)
        print(f"  memory: server {memory(psutil.Process(), named='serve'):.2f} GB, "
              f"browser {memory(psutil.Process(), named='chrom'):.2f} GB")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=72)
    parser.add_argument("--folder", type=Path, help="where corpus and workspace are, or stay for the next time")
    chosen = parser.parse_args(arguments)
    if chosen.folder is not None:
        measure(chosen.pictures, chosen.side, chosen.folder)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        measure(chosen.pictures, chosen.side, Path(folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
