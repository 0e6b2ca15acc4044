"""Rules on the Recipe page in Chromium: tried before they are added, renamed, compared; and no state that locks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clicks import SLOW, funnel, number
from dashboard import Dashboard, served, settle, visit
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser
NOW = Recipe(title="Weekly").with_operator("signal_range", signal="n_tokens", min=25)


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("rules") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def show(page: Page, dashboard: Dashboard, recipe: Recipe, name: str = "recipe") -> None:
    """Open a page with a recipe, as a link does; the Overview has no name."""
    stored = Workspace(dashboard.home).put_value(SharedView((), recipe).to_value())
    page.goto(f"{dashboard.url}/{name}?corpus=corpus&view={stored}")
    settle(page)


def pick(page: Page, label: str, option: str) -> None:
    """Choose an entry of a list, which shows only some of many before one types."""
    entry = page.get_by_role("option", name=option, exact=True)
    for _ in range(20):  # A list that is opened while the form still unfolds is closed again.
        field = page.get_by_role("combobox", name=label, exact=True).last
        field.click()
        field.fill("")
        field.fill(option)
        page.wait_for_timeout(700)
        if entry.is_visible():
            break
    entry.click()


def test_a_rule_says_what_it_drops_before_it_is_added_and_drops_just_that(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "recipe")
    pick(page, "Signal", "Tokens · n_tokens")
    expect(page.get_by_text("To do: give min, max or both.")).to_be_visible(timeout=SLOW)
    low = page.get_by_role("spinbutton", name="Min", exact=True)
    low.fill("25")
    low.press("Tab")
    said = page.get_by_text("documents that reach it")
    expect(said).to_be_visible(timeout=SLOW)
    gone = number(said.inner_text())
    cards = page.locator(".tamis-samples")
    expect(cards).to_have_count(2)
    assert [cards.nth(side).locator(".tamis-card").count() for side in (0, 1)] == [6, 6]
    expect(page.get_by_text(re.compile("by keyed hash, seed 0"))).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("The recipe has no rules yet")
    page.get_by_role("button", name="Add to the recipe").click()
    total, kept = funnel(page)
    assert total - kept == gone > 0

    # A second cut on the signal changes the first one.
    settle(page)
    page.get_by_text("Add a rule from the catalogue").click()
    expect(page.get_by_text("To do: give min, max or both.")).to_be_visible(timeout=SLOW)
    settle(page)
    pick(page, "Signal", "Tokens · n_tokens")
    page.wait_for_timeout(300)
    settle(page)
    high = page.get_by_role("spinbutton", name="Max", exact=True)
    high.fill("200")
    high.press("Tab")
    page.get_by_role("button", name="Change step signal-range").click()
    expect(page.get_by_text(re.compile(r"n_tokens ≥ 25 and ≤ 200")).first).to_be_visible(timeout=SLOW)
    settle(page)
    assert funnel(page)[0] == total and len(funnel(page)) == 2 and funnel(page)[-1] < kept


def test_a_text_step_shows_texts_before_and_after_and_a_rule_set_both_sides_before_they_are_added(
    dashboard: Dashboard, page: Page
) -> None:
    visit(page, dashboard, "recipe")
    pick(page, "Rule", "Text: line-wise cleaning · c4_lines")
    expect(page.get_by_text(re.compile(r"drops nothing and changes \d+ of the documents looked at"))).to_be_visible(
        timeout=SLOW
    )
    cards = page.get_by_test_id("stMain").locator(".tamis-card .tamis-text")
    expect(cards).to_have_count(6)
    for place in range(0, 6, 2):
        assert len(cards.nth(place).inner_text()) > len(cards.nth(place + 1).inner_text())

    page.get_by_text("Add a published rule set").click()
    page.get_by_role("button", name="Look at Gopher quality").click()
    looked = page.locator(".st-key-rule_set_preview")
    said = looked.get_by_text("documents that reach it")
    expect(said).to_be_visible(timeout=SLOW)
    gone = number(said.inner_text())
    samples = looked.locator(".tamis-samples")
    assert [samples.nth(side).locator(".tamis-card").count() for side in (0, 1)] == [6, 6]
    expect(samples.first).to_contain_text("by gopher-quality-")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("The recipe has no rules yet")
    page.get_by_role("button", name="Add the 10 rules").click()
    counts = funnel(page)
    assert counts[0] - counts[-1] == gone > 0 and len(counts) == 11


def test_a_wrong_rule_is_told_at_its_field_aloud_and_keeps_what_was_typed(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "recipe")
    pick(page, "Rule", "Filter: SQL predicate · sql_predicate")
    field = page.get_by_role("textbox", name="Predicate")
    field.fill("tokens > 50")
    field.press("Tab")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("did you mean n_tokens?", timeout=SLOW)
    expect(field).to_have_value("tokens > 50")
    page.get_by_role("button", name="Add to the recipe").click()
    settle(page)
    expect(told).to_contain_text("did you mean n_tokens?")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("nothing selected")
    field.fill("n_tokens > 50")
    field.press("Tab")
    expect(told).to_have_count(0, timeout=SLOW)
    expect(page.get_by_text("documents that reach it")).to_be_visible(timeout=SLOW)


def test_a_step_gets_a_name_that_all_places_show(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, NOW)
    page.get_by_text("Edit", exact=True).first.click()
    name = page.get_by_role("textbox", name="Name", exact=True)
    name.fill("Short ones go")
    name.press("Tab")
    page.get_by_role("button", name="Apply").click()
    rail = page.get_by_test_id("stSidebar")
    expect(rail).to_contain_text("The step is called short-ones-go", timeout=SLOW)
    expect(page.get_by_test_id("funnel").locator(".name").last).to_have_text("short-ones-go")
    expect(page.get_by_test_id("stCode").first).to_contain_text("id: short-ones-go")


def test_the_funnel_opens_what_a_step_drops_and_a_reload_keeps_undo(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, NOW.with_operator("signal_range", signal="n_tokens", max=200), "")
    total, reached, kept = counts = funnel(page)
    page.get_by_role("button", name=re.compile(r"Step 2, signal-range-2: read the")).click()
    expect(page).to_have_url(re.compile("/documents"), timeout=SLOW)
    settle(page)
    # Those of this step alone, not those of the step before it.
    assert 0 < reached - kept != total - reached
    expect(page.get_by_test_id("stMain")).to_contain_text(f"of {reached - kept} documents, exact", timeout=SLOW)
    visit(page, dashboard, "recipe")
    page.get_by_test_id("stMain").get_by_role("button", name="Remove step").first.click()
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(2, timeout=SLOW)
    settle(page)
    page.reload()
    settle(page)
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_enabled(timeout=SLOW)
    undo.click()
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(3, timeout=SLOW)
    assert funnel(page) == counts


def test_escape_closes_an_open_list_before_it_clears_the_selection(dashboard: Dashboard, page: Page) -> None:
    page.goto(dashboard.url)
    settle(page)
    page.get_by_role("button", name="Select", exact=True).first.click()
    rail = page.get_by_test_id("stSidebar")
    expect(rail.get_by_role("button", name="Clear")).to_be_visible(timeout=SLOW)
    visit(page, dashboard, "duplicates")
    page.get_by_role("combobox", name="Keep the").click()
    expect(page.get_by_role("option").first).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0, timeout=SLOW)
    page.keyboard.press("Escape")  # Leaves the field.
    expect(rail).to_contain_text("selected")
    expect(rail.get_by_role("button", name="Clear")).to_be_visible()
    page.keyboard.press("Escape")
    expect(rail).to_contain_text("nothing selected", timeout=SLOW)


def test_a_recipe_that_cannot_run_leaves_clear_and_undo(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, Recipe().with_operator("sql_predicate", predicate="tokens > 50"), "")
    rail = page.get_by_test_id("stSidebar")
    expect(rail.get_by_role("alert")).to_contain_text("did you mean n_tokens?", timeout=SLOW)
    rail.get_by_role("button", name="Set the recipe aside").click()
    expect(rail).to_contain_text("nothing selected", timeout=SLOW)
    expect(rail.get_by_role("button", name="Undo")).to_be_enabled()


def test_a_recipe_is_saved_under_the_nearest_name_and_opened_again(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, NOW)
    kept = funnel(page)
    page.get_by_role("tab", name="Save and load").click()
    page.get_by_role("textbox", name="Save the recipe as").fill("short ones go")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved as short-ones-go. Names have no spaces.")).to_be_visible(timeout=SLOW)
    page.get_by_test_id("stMain").get_by_role("button", name=re.compile("^Remove step")).first.click()
    expect(page.get_by_test_id("funnel")).to_have_count(0, timeout=SLOW)
    settle(page)
    page.get_by_role("tab", name="Save and load").click()
    page.get_by_role("button", name="Open short-ones-go").click()
    expect(page.get_by_test_id("funnel")).to_be_visible(timeout=SLOW)
    assert funnel(page) == kept


def test_a_server_that_does_not_answer_says_what_to_do_until_it_is_back(dashboard: Dashboard, page: Page) -> None:
    page.goto(dashboard.url)
    settle(page)
    page.route("**/_stcore/health", lambda route: route.abort())
    told = page.get_by_role("alert").filter(has_text="tamis serve")
    expect(told).to_be_visible(timeout=SLOW)
    page.unroute("**/_stcore/health")
    expect(told).to_have_count(0, timeout=SLOW)
