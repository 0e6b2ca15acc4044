"""Pictures are seen as pictures: on the map, in what a lasso selects, in the gallery, the reader and under Review."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from accessibility import violations
from clicks import funnel, go, lasso, number
from dashboard import Dashboard, served, settle
from drawn_pictures import BROKEN, SERVER, analyse_pictures, write_pictures
from playwright.sync_api import Browser, Locator, Page, expect

from tamis.analytics.recipe.recipe import Recipe

pytestmark = pytest.mark.browser
PICTURES, TWINS = 240, 4
WIDTHS = "(all) => all.map((each) => [each.alt, each.complete ? each.naturalWidth : 0])"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve drawn pictures, analysed as far as a given map, their near duplicates measured."""
    folder = tmp_path_factory.mktemp("pictures")
    corpus = write_pictures(folder / "corpus", PICTURES, twins=TWINS)
    study = analyse_pictures(corpus, folder / "home", "drawn")
    study.measure(Recipe().with_operator("image_near_dedup"))
    with served(folder / "home", corpus, program=SERVER) as running:
        yield running


def show(page: Page, dashboard: Dashboard, name: str) -> None:
    page.goto(f"{dashboard.url}/{name}?corpus=drawn")
    settle(page)


def seen(pictures: Locator) -> list[str]:
    """Return what pictures say in words, once all of them are there."""
    expect(pictures.first).to_be_visible(timeout=30_000)
    for place in range(pictures.count()):
        pictures.nth(place).scroll_into_view_if_needed()
        expect(pictures.nth(place)).to_have_js_property("complete", True, timeout=30_000)
    found = pictures.evaluate_all(WIDTHS)
    assert all(words and width > 0 for words, width in found), found
    return [str(words) for words, _ in found]


def width_of(page: Page) -> float:
    """Return how wide the large picture is."""
    box = page.locator(".tamis-figure img").bounding_box()
    assert box is not None
    return box["width"]


def test_a_lasso_on_the_map_selects_pictures_that_are_seen_and_exports_none_that_is_not(
    dashboard: Dashboard, page: Page
) -> None:
    show(page, dashboard, "map")
    area = page.locator(".tamis-map[data-ready]")
    expect(area).to_have_attribute("data-awaited", "0", timeout=30_000)
    drawn = int(area.get_attribute("data-pictures") or 0)
    assert drawn > 20 and f"{drawn} of them as pictures" in area.locator(".status").inner_text()
    area.press("t")
    expect(area).to_have_attribute("data-pictures", "0")
    area.press("t")
    expect(area).to_have_attribute("data-pictures", str(drawn))
    lasso(page, radius=190)
    selected = number(page.locator("[data-testid=stSidebar]").get_by_text(re.compile(r"\d selected$")).inner_text())
    sheet = page.locator(".tamis-sheet img")
    words = seen(sheet)
    assert 0 < len(words) == min(24, selected) and any("number" in each for each in words)
    assert violations(page) == []
    page.locator(".tamis-sheet button").first.click()
    expect(page.locator(".tamis-figure img")).to_be_visible(timeout=30_000)
    assert seen(page.locator(".tamis-figure img")) == words[:1]
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="Drop", exact=True).click()
    assert funnel(page) == [PICTURES + TWINS, PICTURES + TWINS - selected]
    go(page, "Documents")
    page.get_by_role("radio", name="dropped", exact=True).click()
    tiles = page.locator(".tamis-gallery li.dropped")
    expect(tiles).to_have_count(min(60, selected), timeout=30_000)
    assert "dropped by 1" in tiles.first.inner_text()


def test_the_gallery_is_used_by_keyboard_and_its_picture_is_read_beside_it(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "documents")
    tiles = page.locator(".tamis-gallery li")
    expect(tiles).to_have_count(60, timeout=30_000)
    tiles.first.get_by_role("button").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    opened = page.locator(".tamis-gallery li.open")
    expect(opened).to_have_count(1, timeout=30_000)
    words = seen(page.locator(".tamis-figure img"))
    assert words == [opened.locator("img").get_attribute("alt")]
    expect(page.get_by_role("button", name="Select the 1 picked")).to_be_visible()
    zoom = page.locator(".tamis-figure button")
    before = page.locator(".tamis-figure img").bounding_box()
    zoom.press("Enter")
    expect(zoom).to_have_attribute("aria-pressed", "true")
    after = page.locator(".tamis-figure img").bounding_box()
    assert before is not None and after is not None and after["width"] > 2 * before["width"]
    assert violations(page) == []
    for key, larger in (("+", True), ("-", False), ("-", False)):
        before = width_of(page)
        zoom.press(key)
        assert (width_of(page) > before) == larger
    zoom.press("+")
    zoom.press("ArrowRight")
    assert zoom.evaluate("at => at.scrollLeft") > 0
    zoom.press("Escape")
    expect(zoom).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    expect(page.locator(".tamis-figure")).to_have_count(0, timeout=30_000)
    page.locator(".tamis-gallery .opener").first.focus()
    page.keyboard.press("PageDown")
    expect(page.get_by_text(re.compile(r"^61 to 120 of "))).to_be_visible(timeout=30_000)
    page.get_by_role("radio", name="no documents").click()
    errors = len(BROKEN)
    expect(page.get_by_text(f"1 to {errors} of {errors} rows, exact", exact=False)).to_be_visible(timeout=30_000)


def test_near_duplicates_stand_side_by_side_with_their_difference_and_are_dropped_by_a_rule(
    dashboard: Dashboard, page: Page
) -> None:
    show(page, dashboard, "duplicates")
    main = page.get_by_test_id("stMain")
    assert main.get_by_role("radio", name="Contamination").count() == 0
    main.get_by_role("radio", name="Near", exact=True).click()
    expect(main.get_by_text(re.compile("^Group 1 of"))).to_be_visible(timeout=60_000)
    left, right, difference = seen(page.locator(".tamis-beside img"))
    assert "number" in left and right.startswith("copy of ") and "of the pixels differ visibly" in difference
    assert left.endswith(f"number {right.removeprefix('copy of ')}")
    groups = number(main.get_by_text(re.compile("^Group 1 of")).inner_text().split(" of ")[1])
    assert groups == TWINS
    page.keyboard.press("j")
    expect(main.get_by_text(re.compile("^Group 2 of"))).to_be_visible(timeout=30_000)
    assert violations(page) == []
    main.get_by_role("button", name="Add to the recipe").click()
    assert funnel(page) == [PICTURES + TWINS, PICTURES]
    go(page, "Documents")
    page.get_by_role("radio", name="dropped", exact=True).click()
    expect(page.locator(".tamis-gallery li.dropped")).to_have_count(TWINS, timeout=30_000)
    page.locator(".tamis-gallery .opener").first.click()
    assert len(seen(page.locator(".tamis-beside img"))) == 3, "the reader shows the kept twin and the difference"


def test_every_page_shows_pictures_and_nothing_that_only_texts_have_to_everybody(
    dashboard: Dashboard, chromium: Browser
) -> None:
    page = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark").new_page()
    show(page, dashboard, "")
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text("Cannot be read")).to_be_visible(timeout=30_000)
    expect(main.get_by_text("Not read, by reason")).to_be_visible()
    assert "stop words" not in main.inner_text() and len(seen(main.locator(".tamis-sheet img"))) == 24
    assert violations(page) == []
    go(page, "Quality")
    assert len(seen(page.locator(".tamis-sheet img"))) >= 14
    assert violations(page) == []
    go(page, "Review")
    page.get_by_label("Your name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_text("decided by you")).to_be_visible(timeout=30_000)
    first = seen(page.locator(".tamis-figure img"))
    page.keyboard.press("k")
    expect(page.get_by_text("1 of", exact=False).first).to_be_visible(timeout=30_000)
    expect(page.locator(".tamis-figure img")).not_to_have_attribute("alt", first[0], timeout=30_000)
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{dashboard.url}/documents?corpus=drawn")
    expect(page.locator(".tamis-gallery li").first).to_be_visible(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    same_row = "(all) => all.filter((each) => each.offsetTop === all[0].offsetTop).length"
    assert page.locator(".tamis-gallery li").evaluate_all(same_row) >= 2
    page.context.close()


def test_a_picture_is_reviewed_on_a_phone_without_scrolling(dashboard: Dashboard, chromium: Browser) -> None:
    for theme in ("light", "dark"):
        context = chromium.new_context(
            viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
            color_scheme=theme,  # type: ignore[arg-type]
        )  # fmt: skip
        page = context.new_page()
        page.goto(f"{dashboard.url}/review?corpus=drawn")
        expect(page.get_by_text("Who reviews?")).to_be_visible(timeout=60_000)
        page.get_by_label("Your name", exact=True).last.fill(f"Bo likes it {theme}")
        page.keyboard.press("Enter")
        expect(page.get_by_text("decided by you")).to_be_visible(timeout=30_000)
        first = seen(page.locator(".tamis-figure img"))
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        below = page.locator(".tamis-figure button").bounding_box()
        assert below is not None and below["y"] + below["height"] <= 844
        for name in ("Keep", "Drop", "Unsure"):
            box = page.get_by_role("button", name=re.compile(name)).bounding_box()
            assert box is not None and box["height"] >= 44 and box["width"] >= 90 and box["x"] + box["width"] <= 390
        assert page.evaluate("document.documentElement.scrollWidth") <= 390 and violations(page) == []
        page.get_by_role("button", name=re.compile("Keep")).tap()
        expect(page.get_by_text("1 of", exact=False).first).to_be_visible(timeout=30_000)
        expect(page.locator(".tamis-figure img")).not_to_have_attribute("alt", first[0], timeout=30_000)
        context.close()
