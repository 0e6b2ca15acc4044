"""Make the pictures in docs/screenshots: every page of the demo at 1440x900, light and dark.

Usage: ``python docs/screenshots.py [--home FOLDER] [--corpus NAME] [--out FOLDER]`` after ``make demo`` has analysed
the demo corpus; ``--narrow`` takes each page as a telephone of 390x844 shows it, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from clicks import open_row, search  # noqa: E402
from dashboard import browser, served, settle  # noqa: E402

from tamis.analytics.duplicates.evaluation_sets import save_evaluation  # noqa: E402
from tamis.data.open_corpus import open_corpus  # noqa: E402
from tamis.data.parquet import write_bytes  # noqa: E402
from tamis.data.workspace import Workspace  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
SIZE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
PAGES = (
    "overview",
    "map",
    "clusters",
    "duplicates",
    "quality",
    "recipe",
    "effect",
    "training",
    "review",
    "documents",
    "jobs",
)


@dataclass(frozen=True)
class Camera:
    """A page in one theme, and the folder for its pictures."""

    page: Page
    theme: str
    folder: Path

    def save(self, name: str) -> None:
        """Write a picture with few enough colours to be small."""
        path = self.folder / f"{name}-{self.theme}.png"
        self.page.mouse.move(5, 450)
        self.page.screenshot(path=path)
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(colors=192, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path.home() / ".tamis")
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--narrow", action="store_true")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    store_exam(chosen.home, chosen.corpus)
    with served(chosen.home, chosen.home) as dashboard, browser() as chromium:
        for theme in ("light", "dark"):
            size = NARROW if chosen.narrow else SIZE
            page = chromium.new_page(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
            camera = Camera(page, theme, chosen.out)
            if chosen.narrow:
                narrow(camera, dashboard.url, chosen.corpus)
            else:
                page.goto(f"{dashboard.url}/map?corpus={chosen.corpus}")
                settle(page)
                story(camera)
            page.close()


def narrow(camera: Camera, url: str, corpus: str) -> None:
    """Open each page by its address."""
    for name in PAGES:
        camera.page.goto(f"{url}/{name}?corpus={corpus}")
        camera.page.get_by_test_id("stMain").wait_for(timeout=60_000)
        camera.page.wait_for_timeout(6000)
        camera.save(f"narrow-{name}")


def story(camera: Camera) -> None:
    """Go through the pages as a person would: lasso, drop, cut, read."""
    page = camera.page
    page.locator(".tamis-map[data-ready]").wait_for(timeout=120_000)
    page.wait_for_timeout(1500)
    camera.save("map")
    lasso(page, 0.36, 0.5, 70)
    page.get_by_role("button", name="Drop", exact=True).click()
    page.get_by_test_id("funnel").wait_for()
    go(page, "Quality")
    page.get_by_role("spinbutton", name="Drop below").fill("20")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save as rule").wait_for()
    page.wait_for_timeout(1500)
    camera.save("quality")
    page.get_by_role("tab", name="By source").click()
    page.wait_for_timeout(2500)
    page.get_by_role("tab", name="By source").scroll_into_view_if_needed()
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(800)
    camera.save("quality-groups")
    page.get_by_role("tab", name="Samples").click()
    page.wait_for_timeout(800)
    page.get_by_role("button", name="Save as rule").click()
    page.wait_for_timeout(1500)
    for name in ("Overview", "Clusters", "Duplicates", "Recipe", "Effect", "Documents"):
        go(page, name)
        if name == "Effect":
            measured(page)
        if name == "Documents":
            meaning(page)
        camera.save(name.lower())
        if name == "Duplicates":
            contamination(camera)
    review(camera)
    team(camera)


def store_exam(home: Path, corpus: str) -> None:
    """Store an evaluation set made of some texts of the corpus."""
    workspace = Workspace(home)
    entry = workspace.corpus(corpus)
    opened = open_corpus(entry.path, roles=entry.roles, probes=workspace.probes, **entry.opening)
    texts = [text for batch in opened.document_texts(opened.shards()[0]) for text in batch.to_pylist()][::50][:40]
    rows = [{"question": text[: len(text) // 2], "answer": text[len(text) // 2 :]} for text in texts]
    write_bytes(home / "exam.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows).encode())
    save_evaluation(workspace, "exam", [home / "exam.jsonl"])


def contamination(camera: Camera) -> None:
    """Look for evaluation items; measure them where they are not measured yet."""
    page = camera.page
    page.get_by_text("Contamination", exact=True).click()
    settle(page)
    if page.get_by_role("button", name="Measure").count():
        page.get_by_role("button", name="Measure").click()
    page.get_by_text("Contaminated", exact=True).wait_for(timeout=300_000)
    page.wait_for_timeout(2500)
    camera.save("contamination")


def meaning(page: Page) -> None:
    """Look for a sentence by meaning and read the nearest document."""
    search(page, "The function is deprecated, use another one", kind="Meaning")
    page.get_by_role("button", name="Select those above").wait_for(timeout=60_000)
    page.wait_for_timeout(2500)
    open_row(page)
    page.wait_for_timeout(2500)


def measured(page: Page) -> None:
    """Measure the effect of the recipe where it has not been measured yet."""
    if page.get_by_role("button", name="Measure the effect").count():
        page.get_by_role("button", name="Measure the effect").click()
    page.get_by_text("every training set got").wait_for(timeout=300_000)
    page.wait_for_timeout(2000)


def review(camera: Camera) -> None:
    """Decide a few documents."""
    page = camera.page
    go(page, "Review")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    page.get_by_text("decided by you").wait_for()
    for key in "kdkku":
        page.keyboard.press(key)
        page.wait_for_timeout(1200)
    camera.save("review")
    go(page, "Jobs")
    camera.save("jobs")


def team(camera: Camera) -> None:
    """Propose the recipe, comment on it and approve it."""
    page = camera.page
    go(page, "Recipe")
    page.get_by_role("tab", name="Team").click()
    page.wait_for_timeout(1500)
    page.get_by_role("textbox", name="Name").fill(f"english-{camera.theme}")
    page.get_by_role("textbox", name="What is new").fill("short ones out")
    page.get_by_role("button", name="Propose the live recipe").click()
    page.get_by_text("Version 1: proposed").wait_for()
    page.get_by_placeholder("Comment").fill("Why 20 and not 30?")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Why 20 and not 30?").wait_for()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("unchanged since the approval").wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    camera.save("team")


def go(page: Page, name: str) -> None:
    """Open a page by its link."""
    page.get_by_role("link", name=name).first.click()
    settle(page)
    page.wait_for_timeout(2500)


def lasso(page: Page, x: float, y: float, radius: float) -> None:
    """Draw a circle on the map, its centre at shares of the map's width and height."""
    box = page.locator(".tamis-map").bounding_box()
    assert box is not None
    centre = (box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.locator(".tamis-map").get_by_role("button", name="Lasso").click()
    page.mouse.move(centre[0] + radius, centre[1])
    page.mouse.down()
    for step in range(1, 37):
        angle = 2 * math.pi * step / 36
        page.mouse.move(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
    page.mouse.up()
    page.get_by_role("button", name="Drop", exact=True).wait_for(timeout=60_000)


if __name__ == "__main__":
    main()
