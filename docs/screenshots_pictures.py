"""Make the pictures of a corpus of pictures in docs/screenshots: the map, two near duplicates, the gallery.

Usage: ``python docs/screenshots_pictures.py FOLDER/pictures [--home FOLDER/home]`` after ``python -m
benchmarks.real_pictures FOLDER --each 250``: shown are its 2,000 pictures, from Debian and npm packages.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "docs")]

from dashboard import browser, served, settle, tamis  # noqa: E402
from screenshots import FOLDER, SIZE, Camera  # noqa: E402

NAME = "pictures"
"""Of the corpus in the workspace."""
SHOWN = 60
"""Pictures on the map, at least."""


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--home", type=Path, help="a workspace that has analysed it")
    parser.add_argument("--out", type=Path, default=FOLDER)
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        home = chosen.home or Path(folder)
        if chosen.home is None:
            tamis("analyze", str(chosen.corpus), "--name", NAME, home=home)
        with served(home, chosen.corpus) as dashboard, browser() as chromium:
            for theme in ("light", "dark"):
                page = chromium.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
                camera = Camera(page, theme, chosen.out)
                page.goto(f"{dashboard.url}/map?corpus={NAME}")
                settle(page)
                nearer(page)
                camera.save("pictures-map")
                near_twins(page, dashboard.url)
                camera.save("pictures-duplicates")
                page.goto(f"{dashboard.url}/documents?corpus={NAME}")
                settle(page)
                page.locator(".tamis-gallery .opener").nth(5).click()
                page.locator(".tamis-figure img").wait_for(timeout=60_000)
                page.wait_for_timeout(1500)
                camera.save("pictures-gallery")
                page.close()


def nearer(page: Page) -> None:
    """Come nearer to the middle of the map until enough pictures stand on it."""
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=120_000)
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"])
    for _ in range(90):
        if sum(int(area.get_attribute(f"data-{name}") or 0) for name in ("pictures", "awaited")) > SHOWN:
            break
        page.mouse.wheel(0, -60)
        page.wait_for_timeout(80)
    page.locator('.tamis-map[data-ready][data-awaited="0"]').wait_for(timeout=120_000)
    page.wait_for_timeout(1500)


def near_twins(page: Page, url: str) -> None:
    """Open the near duplicates, the least similar first."""
    page.goto(f"{url}/duplicates?corpus={NAME}")
    settle(page)
    page.get_by_role("radio", name="Near", exact=True).click()
    page.get_by_text(re.compile("similarity")).first.wait_for(timeout=120_000)
    settle(page)
    page.get_by_role("combobox", name="Order").click()
    page.get_by_role("option", name="Least similar first").click()
    settle(page)
    page.wait_for_timeout(2500)


if __name__ == "__main__":
    main()
