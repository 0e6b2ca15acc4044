"""Find, read, pick and drop in Chromium: each journey in the clicks it is meant to take, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from accessibility import violations
from clicks import SLOW, ClickCounter, funnel, number, open_row, search, summon
from dashboard import Dashboard, served, settle
from playwright.sync_api import Browser, Locator, Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.app.dashboard.session import SharedView
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a copy of the analysed docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("find") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def at(page: Page, dashboard: Dashboard, name: str = "", view: SharedView | None = None) -> None:
    stored = f"&view={Workspace(dashboard.home).put_value(view.to_value())}" if view else ""
    page.goto(f"{dashboard.url}/{name}?corpus=corpus{stored}")
    settle(page)


def button(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("button", name=name, exact=isinstance(name, str))


def rail(page: Page) -> Locator:
    return page.get_by_test_id("stSidebar")


def test_the_reader_follows_to_the_twin_back_and_closes(dashboard: Dashboard, page: Page) -> None:
    rule = OPERATORS.build("near_dedup", {"threshold": 0.7, "n": 2})
    at(page, dashboard, "documents", SharedView(recipe=Recipe().with_operator(rule), settings=(("which", "dropped"),)))
    expect(page.locator(".tamis-table tbody tr").first).to_contain_text("1 near-dedup", timeout=60_000)
    open_row(page)
    why = page.get_by_test_id("why")
    button(page, "Read the twin").click()
    expect(why).to_contain_text("Kept", timeout=SLOW)
    button(page, "Back").click()
    expect(why).to_contain_text("Dropped by step 1", timeout=SLOW)
    button(page, "Close").click()
    expect(why).to_have_count(0, timeout=SLOW)
    open_row(page, 1)
    # Other rows in the table leave the document that is read.
    shown = page.locator(".st-key-reader .tamis-text").first
    read = shown.inner_text()
    page.get_by_role("radio", name="kept").or_(page.get_by_role("button", name="kept", exact=True)).first.click()
    expect(page.locator(".tamis-table tbody tr").first).to_contain_text("no step", timeout=SLOW)
    settle(page)
    assert shown.inner_text() == read
    page.get_by_text("Nearest documents").click()
    before = why.inner_text()
    button(page, "Read").first.click()
    expect(button(page, "Back")).to_be_enabled(timeout=SLOW)
    assert before
    page.locator("body").press("Escape")
    expect(why).to_have_count(0, timeout=SLOW)


def test_picked_rows_of_two_pages_become_a_rule_and_headers_order_all_rows(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "documents")
    table = page.locator(".tamis-table")
    tokens = table.get_by_role("button", name="Tokens")
    tokens.click()
    expect(table.locator("th[aria-sort=ascending]")).to_contain_text("Tokens", timeout=SLOW)
    table.get_by_role("button", name="Tokens").click()
    expect(table.locator("th[aria-sort=descending]")).to_contain_text("Tokens", timeout=SLOW)
    expect(table.locator("tbody tr").first).to_contain_text(str(_most_tokens(dashboard)), timeout=SLOW)
    settle(page)
    ids = [table.locator("tbody tr").nth(place).get_attribute("data-id") for place in (0, 2)]
    table.locator("tbody tr").nth(0).get_by_role("checkbox").check()
    table.locator("tbody tr").nth(2).get_by_role("checkbox").check()
    expect(button(page, "Select the 2 picked")).to_be_visible(timeout=SLOW)
    table.locator(".opener").nth(5).focus()
    page.keyboard.press("PageDown")
    expect(page.get_by_text(re.compile("^51 to 100 of "))).to_be_visible(timeout=SLOW)
    settle(page)
    table.locator(".opener").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    ids.append(table.locator("tbody tr").nth(1).get_attribute("data-id"))
    person = ClickCounter(page)
    person.click(button(page, "Select the 3 picked"))
    expect(rail(page)).to_contain_text("3 listed documents", timeout=SLOW)
    expect(page.get_by_text("1 to 3 of 3 documents, exact")).to_be_visible(timeout=SLOW)
    settle(page)
    shown = [row.get_attribute("data-id") for row in table.locator("tbody tr").all()]
    assert sorted(shown) == sorted(ids)
    assert violations(page) == []
    person.click(button(page, "Drop"))
    total, kept = funnel(page)
    assert total - kept == 3 and person.clicks == 2
    expect(page.get_by_text(re.compile(r"^1 to 50 of .* documents, exact"))).to_be_visible(timeout=SLOW)


def _most_tokens(dashboard: Dashboard) -> int:
    workspace = Workspace(dashboard.home)
    study = Study.open(open_corpus(dashboard.corpus, probes=workspace.probes), workspace)
    return int(study.facts.whole("n_tokens").max())


def test_words_are_marked_where_they_stand_and_said_as_words(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "documents")
    search(page, "event loop.")
    expect(rail(page)).to_contain_text("whose text has the words “event loop.”", timeout=SLOW)
    rows = page.locator(".tamis-table tbody tr")
    marks = [row.locator("mark").first.inner_text() for row in rows.all()[:8]]
    assert len(marks) > 3 and {re.sub(r"\s+", " ", mark).lower() for mark in marks} == {"event loop."}
    open_row(page)
    expect(page.locator(".st-key-reader .tamis-text mark").first).to_have_text(
        re.compile(r"event\s+loop\.", re.IGNORECASE), timeout=SLOW
    )
    first = number(rail(page).get_by_text(re.compile(r"\d.* selected$")).inner_text())
    # Another reading of the same text takes the place of the first; any joins with or, not leaves out.
    page.get_by_role("combobox", name="Joins the conditions").click()
    page.get_by_role("option", name="any of", exact=True).click()
    search(page, "coroutine")
    expect(rail(page)).to_contain_text("“event loop.” or whose text has the words “coroutine”", timeout=SLOW)
    more = number(rail(page).get_by_text(re.compile(r"\d.* selected$")).inner_text())
    assert more > first
    button(page, "Close").click()
    button(page, "Clear").click()
    expect(page.get_by_text(re.compile(r"^1 to 50 of "))).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("textbox", name="Search", exact=True)).to_have_value("coroutine")


def test_names_lead_where_they_say_and_wrong_ones_are_told_at_the_field(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "quality")
    search(page, "documents")
    expect(page).to_have_url(re.compile("/documents"), timeout=SLOW)
    search(page, "asyncio", kind="Source")
    expect(rail(page)).to_contain_text("with source", timeout=SLOW)
    search(page, "asynciu", kind="Source")
    expect(page.get_by_role("alert")).to_contain_text("did you mean", timeout=SLOW)
    search(page, "alpha = beta", kind="Auto")
    expect(page.get_by_role("alert")).to_contain_text("No column alpha", timeout=SLOW)
    expect(button(page, "The words “alpha = beta”")).to_be_visible(timeout=SLOW)
    search(page, "undo", kind="Action")
    expect(rail(page)).to_contain_text("nothing selected", timeout=SLOW)
    assert violations(page) == []


def test_names_are_suggested_while_one_types_and_taken_by_keys_or_a_click(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "documents")
    summon(page, "/")
    field = page.get_by_role("textbox", name="Search", exact=True)
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    page.keyboard.type("asyn")
    expect(options.filter(has_text="source")).to_contain_text("asyncio", timeout=SLOW)
    assert violations(page) == []
    # Escape closes the list first; without a choice Enter sends what is typed.
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    page.keyboard.type("c")
    expect(options.first).to_be_visible()
    page.keyboard.press("Enter")
    expect(rail(page)).to_contain_text("whose text has the words “async”", timeout=SLOW)
    settle(page)

    # A source is selected with two keys; a column completes the condition under way.
    field.press("End")
    page.keyboard.type("i")
    expect(options.first).to_contain_text("asyncio")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(rail(page)).to_contain_text("with source asyncio", timeout=SLOW)
    expect(field).to_have_value("asyncio")
    settle(page)
    field.fill("")
    page.keyboard.type("n_words > 20 and n_tok")
    options.filter(has_text="n_tokens").first.click()
    expect(field).to_have_value("n_words > 20 and n_tokens ")
    page.keyboard.type("< 900")
    page.keyboard.press("Enter")
    expect(rail(page)).to_contain_text("n_words > 20 and n_tokens < 900", timeout=SLOW)
    settle(page)
    field.fill("")
    page.keyboard.type("qual")
    options.filter(has_text="page").first.click()
    expect(page).to_have_url(re.compile("/quality"), timeout=SLOW)


def test_escape_closes_a_list_before_it_clears_the_selection(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "quality")
    search(page, "event loop", kind="Words")
    expect(rail(page)).to_contain_text("“event loop”", timeout=SLOW)
    page.get_by_role("combobox", name="All signals").click()
    expect(page.get_by_role("listbox")).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0, timeout=SLOW)
    page.keyboard.press("Escape")  # Leaves the field.
    settle(page)
    expect(rail(page)).to_contain_text("“event loop”")
    page.keyboard.press("Escape")
    expect(rail(page)).to_contain_text("nothing selected", timeout=SLOW)


def test_on_a_phone_the_bar_is_whole_and_a_document_is_a_sheet(dashboard: Dashboard, chromium: Browser) -> None:
    page = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(f"{dashboard.url}/documents?corpus=corpus")
    field = page.get_by_role("textbox", name="Search", exact=True)
    expect(field).to_be_visible(timeout=60_000)
    page.locator(".tamis-table tbody tr").nth(2).click(timeout=SLOW)
    sheet = page.locator(".st-key-reader")
    expect(sheet).to_be_visible(timeout=SLOW)
    page.wait_for_timeout(500)
    box, wide = sheet.bounding_box(), field.bounding_box()
    assert box is not None and wide is not None
    assert box["y"] + box["height"] <= 845 and box["width"] >= 380 and wide["width"] > 280
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    button(page, "Close").click()
    expect(sheet).to_have_count(0, timeout=SLOW)
    page.context.close()
