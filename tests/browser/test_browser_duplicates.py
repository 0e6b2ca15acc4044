"""Duplicates in Chromium: a threshold that was seen, groups and pairs by keys, answers that Review counts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clicks import funnel, number
from dashboard import Dashboard, served, settle
from playwright.sync_api import Browser, Page, expect
from shared_corpus import SharedCorpus

from tamis.data.reviews import ReviewStore

pytestmark = pytest.mark.browser

DROPPED = ".tamis-stats > div:has-text('Would be dropped') b"


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("duplicates") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def said(page: Page) -> int:
    """Return how many documents the page says the rule would drop."""
    settle(page)
    return number(page.locator(DROPPED).inner_text())


def introduce(page: Page, name: str) -> None:
    """Say who reviews, and wait until the page no longer asks: until then its keys answer nothing."""
    page.get_by_placeholder("Your name").first.fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name", exact=True)).to_have_count(0, timeout=30_000)
    settle(page)


def test_keys_go_through_groups_and_pairs_and_the_list_names_what_is_shown(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/duplicates?corpus=corpus")
    settle(page)
    title = page.get_by_role("heading", name=re.compile(r"^Group \d+ of \d+"))
    expect(title).to_contain_text("Group 1 of")
    chosen = page.locator("[class*=st-key-dup_list] label:has(input:checked)")
    first = chosen.inner_text()
    for _ in range(20):
        page.locator("body").press("j")
        page.wait_for_timeout(1_200)
        if "Group 1 of" not in title.inner_text():
            break
    expect(title).to_contain_text("Group 2 of")
    expect(chosen).to_have_count(1)
    expect(chosen).not_to_have_text(first)
    page.locator("body").press("k")
    expect(title).to_contain_text("Group 1 of", timeout=20_000)
    expect(chosen).to_have_count(1)
    words = re.sub(r"^\d+\. ", "", chosen.inner_text()).split("\n")[0]
    kept = page.locator("[class*=st-key-dup_pair] .tamis-text").first.inner_text()
    assert " ".join(kept.split()).startswith(" ".join(words.split())[:40])


def test_an_answer_about_a_pair_goes_to_review_which_shows_the_twin_and_counts_it_for_the_rule(
    dashboard: Dashboard, chromium: Browser
) -> None:
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{dashboard.url}/duplicates?corpus=corpus")
    settle(page)
    introduce(page, "Ada")
    page.locator("body").press("s")
    expect(page.get_by_role("button", name="Pair before")).to_be_enabled(timeout=20_000)
    page.get_by_role("button", name="Add to the recipe").click()
    funnel(page)
    (event,) = ReviewStore.of(dashboard.home).events(kinds=["decision"])
    assert (event.subject_kind, event.value, event.reviewer) == ("pair", "drop", "Ada")

    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_text("decided by you")).to_be_visible(timeout=30_000)
    page.get_by_role("combobox", name="Queue").click()
    page.get_by_role("option", name="Dropped by a step").click()
    settle(page)
    expect(page.get_by_text("Same document?")).to_be_visible(timeout=30_000)
    expect(page.locator(".tamis-text")).to_have_count(2)
    page.get_by_text("Same document?").click()
    page.keyboard.press("n")
    expect(page.get_by_text(re.compile(r"^2 of \d+ decided by you"))).to_be_visible(timeout=20_000)
    page.get_by_role("tab", name="Rules").click()
    store = ReviewStore.of(dashboard.home).events(kinds=["decision"])
    assert [each.value for each in store] == ["drop", "keep"]
    assert all(each.subject_kind == "pair" for each in store)

    page.get_by_text("Blind", exact=True).click()
    page.get_by_role("button", name=re.compile("Next")).click()
    expect(page.get_by_text(re.compile("^The recipe:"))).to_be_visible(timeout=20_000)
    other = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    other.goto(page.url)
    settle(other)
    introduce(other, "Bo")
    expect(other.get_by_text(re.compile("^document 1 of"))).to_be_visible(timeout=20_000)
    expect(other.get_by_text(re.compile("^The recipe:"))).to_have_count(0)
    for each in (page, other):
        each.context.close()
