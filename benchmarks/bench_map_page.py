"""How long the map takes to draw and to answer, at several sizes: ``bench_map_page.py [--documents 100000 1000000]``

Writes a corpus of tiny documents with given coordinates, analyses it as far as the map, opens it in Chromium (drawn in
software), and times what people do there: open, open again, zoom, hide a legend entry, hover, lasso to count, drop.
Times of drawing end when the picture can be read back.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from clicks import outline
from dashboard import browser, served
from mapped_corpus import SERVER, analysed, write_mapped
from playwright.sync_api import Locator, Page, expect

REPEATS = 5
SHOWN = """(root) => new Promise((done) => {
  const gl = root.querySelector("canvas.gl").getContext("webgl2");
  const wait = () => {
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    root.dataset.drawn === "part" ? setTimeout(wait, 5) : done();
  };
  requestAnimationFrame(() => requestAnimationFrame(wait));
})"""


CHANGED = """(root, before) => new Promise((done) => {
  const wait = () => { root.dataset.ready === before ? requestAnimationFrame(wait) : done(); };
  wait();
})"""
SELECTED = """(before) => {
  const found = document.querySelector("[data-testid=stSidebar]").innerText.match(/\\d[^\\n]* of [^\\n]*\\d selected/);
  return found && found[0] !== before ? found[0] : false;
}"""
FUNNEL = """() => document.querySelector("[data-testid=funnel] .count") !== null"""


def let_go(page: Page) -> None:
    """Let the mouse go and wait until the count of the selection is there."""
    before = page.evaluate(SELECTED, "")
    page.mouse.up()
    page.wait_for_function(SELECTED, arg=before or "", polling="raf", timeout=60_000)


def drop(page: Page) -> None:
    """Press Drop and wait until the funnel is there."""
    page.get_by_role("button", name="Drop", exact=True).click()
    page.wait_for_function(FUNNEL, polling="raf", timeout=60_000)


def redrawn(page: Page, act: Callable[[Page], None]) -> tuple[float, float]:
    """Do what changes selection or recipe; return the seconds until its figures, and until the whole picture."""
    area = page.locator(".tamis-map[data-ready]")
    before = area.get_attribute("data-ready")
    begun = time.perf_counter()
    act(page)
    figures = time.perf_counter() - begun
    area.evaluate(CHANGED, before)
    area.evaluate(SHOWN)
    return figures, time.perf_counter() - begun


def memory(process: psutil.Process, *, named: str) -> float:
    """Return what the processes below one with a word in their command line hold, GB; shared pages count once each."""
    found = 0
    for child in process.children(recursive=True):
        try:
            if named in " ".join(child.cmdline()):
                found += child.memory_full_info().pss
        except psutil.Error:
            continue
    return found / 1e9


def timed(name: str, act: Callable[[], object], repeats: int = 1) -> None:
    """Do something a few times and print the median and the longest time."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    more = f", at most {max(times):.2f} s" if repeats > 1 else ""
    print(f"  {name}: {statistics.median(times):.2f} s{more}", flush=True)


def opened(page: Page, url: str) -> Locator:
    """Open the map and return it once everything is drawn."""
    page.goto(url)
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=300_000)
    area.evaluate(SHOWN)
    return area


def pressed(area: Locator, name: str) -> None:
    """Press a button of the map and wait for the whole picture."""
    area.get_by_role("button", name=name).first.click()
    area.evaluate(SHOWN)


def hovered(page: Page, area: Locator, place: tuple[float, float]) -> None:
    """Move the pointer and wait for the text."""
    page.mouse.move(5, 5)
    expect(area.locator(".tip")).to_be_hidden()
    page.mouse.move(*place)
    expect(area.locator(".tip")).to_be_visible(timeout=30_000)


def measure(documents: int, root: Path) -> None:
    """Print the times of one size."""
    begun = time.perf_counter()
    corpus, home = write_mapped(root / f"corpus-{documents}", documents), root / f"home-{documents}"
    analysed(corpus, home, "mapped")
    print(f"{documents:,} documents (written and analysed in {time.perf_counter() - begun:.0f} s)", flush=True)
    me = psutil.Process()
    with served(home, corpus, program=SERVER) as dashboard, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        url = f"{dashboard.url}/map?corpus=mapped"
        timed("open the first time, facts not in memory", lambda: opened(page, url))
        timed("open to drawn", lambda: opened(page, url))
        area = page.locator(".tamis-map[data-ready]")
        timed("zoom by button to whole picture", lambda: pressed(area, "Closer"), REPEATS)
        area.get_by_role("button", name="Fit").click()
        area.evaluate(SHOWN)
        timed("hide or show a legend entry", lambda: pressed(area, "source 1"), 2 * (REPEATS // 2))
        box = area.bounding_box()
        assert box is not None
        place = (box["x"] + 0.3 * box["width"], box["y"] + 0.55 * box["height"])
        timed("hover to text", lambda: hovered(page, area, place), REPEATS)
        again: dict[str, list[tuple[float, float]]] = {"lasso let go": [], "drop": []}
        for number in range(REPEATS):
            outline(page, radius=130 + 8 * number)
            again["lasso let go"].append(redrawn(page, let_go))
            again["drop"].append(redrawn(page, drop))
            page.get_by_role("button", name="Undo").click()
            page.wait_for_function(SELECTED, arg="", polling="raf", timeout=60_000)
            area.evaluate(SHOWN)
        for name, spent in again.items():
            for what, times in zip(("figures", "whole picture"), zip(*spent, strict=True), strict=True):
                first, *later = times
                print(f"  {name} to {what}: {statistics.median(later):.2f} s, the first time {first:.2f} s")
        print(f"  memory: server {memory(me, named='serve'):.2f} GB, browser {memory(me, named='chrom'):.2f} GB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    chosen = parser.parse_args(arguments)
    for documents in chosen.documents:
        with tempfile.TemporaryDirectory() as folder:
            measure(documents, Path(folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
