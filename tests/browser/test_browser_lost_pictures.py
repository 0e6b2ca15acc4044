"""Pictures that are deleted or replaced while the dashboard runs: each place says what happened and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from accessibility import violations
from dashboard import Dashboard, served, settle
from drawn_pictures import GROUPS, SERVER, analyse_pictures, draw_picture
from PIL import Image, ImageEnhance
from playwright.sync_api import Locator, Page, expect

from tamis.analytics.recipe.recipe import Recipe
from tamis.data.picture_source import LOST

pytestmark = pytest.mark.browser
PICTURES, TWINS = 20, 2
GONE = f"This picture is lost: the file of its picture is missing. {LOST}."
OTHER = f"The file of this picture was changed since the analysis. {LOST}."
BROKEN = "(all) => all.filter((each) => each.complete && !each.naturalWidth && each.checkVisibility()).length"


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """Serve pictures that a table names, two of them with a copy."""
    draw, folder = np.random.default_rng(3), tmp_path / "corpus"
    folder.mkdir()
    for number in range(PICTURES):
        picture = draw_picture(number % len(GROUPS), draw, side=400)
        picture.save(folder / f"p{number:02d}.png")
        if number < TWINS:
            smaller = ImageEnhance.Brightness(picture.resize([7 * each // 8 for each in picture.size])).enhance(0.96)
            smaller.save(folder / f"t{number:02d}.jpg", quality=88)
    names = sorted(path.name for path in folder.iterdir())
    # Those that get lost lie in the middle of the map's height.
    numbers = np.arange(len(names))
    place = {"x": (numbers % 5).astype(np.float32), "y": ((numbers // 5 + 2) % 5).astype(np.float32)}
    table = folder / "rows.parquet"
    pq.write_table(pa.table({"image": names, "source": ["drawn"] * len(names), **place}), table)
    study = analyse_pictures(table, tmp_path / "home", "drawn")
    study.measure(Recipe().with_operator("image_near_dedup"))
    with served(tmp_path / "home", table, program=SERVER) as running:
        yield running


def spoil(folder: Path) -> None:
    """Delete the first picture and put another one in place of the second."""
    (folder / "p00.png").unlink()
    Image.new("RGB", (60, 60), (250, 0, 0)).save(folder / "p01.png")


def show(page: Page, dashboard: Dashboard, name: str) -> Locator:
    page.goto(f"{dashboard.url}/{name}?corpus=drawn")
    settle(page)
    return page.get_by_test_id("stMain")


def test_a_lost_picture_is_a_sentence_on_every_page_and_nothing_is_broken(dashboard: Dashboard, page: Page) -> None:
    main = show(page, dashboard, "duplicates")
    expect(main.get_by_role("radio", name="Near", exact=True)).to_be_visible(timeout=60_000)
    spoil(dashboard.corpus.parent)
    main.get_by_role("radio", name="Near", exact=True).click()
    lost = page.locator(".tamis-beside .tamis-lost")
    expect(lost.first).to_be_visible(timeout=60_000)
    told: set[str] = set()
    for group in range(TWINS):
        expect(main.get_by_text(f"Group {group + 1} of {TWINS}")).to_be_visible(timeout=30_000)
        # The picture, and why the two cannot be compared.
        expect(lost).to_have_text([re.compile("corpus again")] * 2, timeout=30_000)
        one, other = lost.all_inner_texts()
        assert one == other
        told.add(one)
        assert page.locator("img").evaluate_all(BROKEN) == 0
        assert page.get_by_test_id("stException").count() == 0
        page.keyboard.press("j")
    assert told == {GONE, OTHER} and violations(page) == []

    show(page, dashboard, "documents")
    tiles = page.locator(".tamis-gallery li")
    expect(tiles).to_have_count(PICTURES + TWINS, timeout=60_000)
    for name, words in (("p00.png", GONE), ("p01.png", OTHER)):
        tiles.filter(has_text=name).get_by_role("button").first.click()
        expect(page.locator(".tamis-figure .tamis-lost")).to_have_text(words, timeout=30_000)
        assert page.locator(".tamis-figure img").is_hidden()
    assert violations(page) == []

    show(page, dashboard, "map")
    area = page.locator(".tamis-map[data-ready]")
    expect(area).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1_000)
    box = area.bounding_box()
    assert box is not None
    tip, seen = area.locator(".tip"), set()
    for across in range(2, 50, 2):
        for down in (47, 50, 53):
            page.mouse.move(box["x"] + across / 100 * box["width"], box["y"] + down / 100 * box["height"])
            page.wait_for_timeout(350)
            if tip.is_visible():
                # The server answers, then the picture is there or is not.
                expect(tip.locator("img")).to_have_js_property("complete", True, timeout=30_000)
                for words in tip.locator(".tamis-lost").all():
                    expect(words).to_contain_text("corpus again", timeout=30_000)
                    seen.add(words.inner_text())
                assert tip.locator("img").evaluate_all(BROKEN) == 0
        if seen == {GONE, OTHER}:
            return
    raise AssertionError(f"the map said {seen}")
