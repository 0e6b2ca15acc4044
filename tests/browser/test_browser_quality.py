"""What people click on the Quality page: cuts, handles, bars, groups, samples with marked places."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from dashboard import Dashboard, served, settle, visit
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("quality") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def number(text: str) -> int:
    """Return the first number of a text, thin spaces removed."""
    found = re.search(r"\d+", text.replace("\u202f", "").replace(",", ""))
    assert found, text
    return int(found.group())


def test_a_typed_cut_says_what_it_drops_and_the_rule_drops_just_that(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "quality")
    page.get_by_role("spinbutton", name="Drop below").fill("25")
    page.keyboard.press("Enter")
    said = page.get_by_text("of what the recipe keeps now")
    expect(said).to_be_visible(timeout=30_000)
    # The handle says the cut itself, not the edge of the bin beside it.
    expect(page.get_by_test_id("stSlider").first).to_contain_text("25")
    found = re.search(r"\(([\d\u202f]+),", said.inner_text())
    assert found
    expect(page.get_by_text("Would be dropped by this cut")).to_be_visible()
    page.get_by_role("button", name="Save as rule").click()
    page.get_by_test_id("funnel").wait_for(timeout=30_000)
    first, last = (number(text) for text in page.locator("[data-testid=funnel] .count").all_inner_texts())
    assert first - last == number(found.group(1)) > 0
    expect(page.get_by_text("Dropped by step n-tokens")).to_be_visible(timeout=30_000)


def test_a_second_cut_on_a_signal_changes_the_first(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "quality")
    counts = []
    for field, value, button in (("Drop below", "25", "Save as rule"), ("Drop above", "200", "Change rule")):
        page.get_by_role("spinbutton", name=field).fill(value)
        page.keyboard.press("Enter")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("button", name="Change rule")).to_be_disabled(timeout=30_000)
        settle(page)
        counts.append([number(text) for text in page.locator("[data-testid=funnel] .count").all_inner_texts()])
    assert [len(each) for each in counts] == [2, 2] and counts[1][-1] < counts[0][-1]
    expect(page.get_by_text(re.compile(r"n.tokens ≥ 25 and ≤ 200"))).to_be_visible()


def test_a_handle_under_the_bars_moves_the_cut(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "quality")
    handle = page.get_by_role("slider").first
    handle.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("of what the recipe keeps now")).to_be_visible(timeout=30_000)
    low = page.get_by_role("spinbutton", name="Drop below")
    expect(low).to_have_value(re.compile(r"^(?!0*\.?0*$)[0-9.]+$"), timeout=30_000)


def test_a_clicked_bar_selects_its_documents(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "quality")
    bars = page.locator(".js-plotly-plot").first.locator(".bars .point path")
    expect(bars.first).to_be_visible(timeout=30_000)
    box = bars.nth(12).bounding_box()
    assert box is not None
    place = (box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)
    page.mouse.move(*place)
    expect(page.locator(".hoverlayer .hovertext").first).to_be_visible(timeout=10_000)
    page.mouse.click(*place)
    expect(page.get_by_role("button", name="Keep only")).to_be_visible(timeout=30_000)


def test_the_places_a_signal_comes_from_are_marked(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "quality")
    page.get_by_role("radio", name="Stop words").click()
    expect(page.locator(".tamis-card mark").first).to_be_visible(timeout=30_000)
    marked = {text.lower() for text in page.locator(".tamis-card mark").all_inner_texts()}
    assert marked & {"the", "to", "of", "and", "be", "with", "that", "have"}


def test_an_issue_on_the_overview_selects_its_documents(dashboard: Dashboard, page: Page) -> None:
    page.goto(dashboard.url)
    settle(page)
    page.get_by_role("button", name="Select", exact=True).first.click()
    expect(page.get_by_role("button", name="Keep only")).to_be_visible(timeout=30_000)
