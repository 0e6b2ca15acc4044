"""Two people in Chromium: one proposes a recipe, the other asks for changes and approves; roles hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import open_row
from dashboard import Dashboard, served, settle
from playwright.sync_api import Browser, Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.review.proposals import proposals_of
from tamis.data.people import change_people
from tamis.data.reviews import ReviewStore


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve an analysed corpus in which Grace is owner and others review, until the tests of this file end."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("team") / "home")
    change_people(home, "grace", "owner")
    change_people(home, "vera", "viewer")
    change_people(home, "*", "reviewer")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def introduced(chromium: Browser, dashboard: Dashboard, name: str) -> Page:
    """Open the Recipe page under a name, in a browser of its own."""
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{dashboard.url}/recipe")
    settle(page)
    page.get_by_label("Who you are").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => document.cookie.includes('tamis_name={name}')")
    settle(page)
    return page


def team(page: Page) -> None:
    page.get_by_role("tab", name="Team").click()
    settle(page)


def cut(page: Page, least: str) -> None:
    """Add a rule on the Quality page, or change the one there is, and come back."""
    page.get_by_role("link", name="Quality").first.click()
    settle(page)
    page.get_by_role("spinbutton", name="Drop below").fill(least)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("^(Save as|Change) rule$")).and_(page.locator(":enabled")).click()
    expect(page.get_by_role("button", name="Change rule")).to_be_disabled(timeout=20_000)
    expect(page.locator(".tamis-step")).to_have_count(2)
    settle(page)
    page.get_by_role("link", name="Recipe").first.click()
    settle(page)
    team(page)


def propose(page: Page, name: str, why: str) -> None:
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="What is new").fill(why)
    page.get_by_role("button", name="Propose the live recipe").click()


def test_one_proposes_the_other_asks_for_changes_and_then_approves(dashboard: Dashboard, chromium: Browser) -> None:
    ada, grace = introduced(chromium, dashboard, "Ada"), introduced(chromium, dashboard, "Grace")
    team(grace)
    cut(ada, "20")
    propose(ada, "english", "a start")
    expect(ada.get_by_text("Version 1: proposed")).to_be_visible(timeout=20_000)
    expect(ada.get_by_role("button", name="Approve")).to_be_disabled()

    expect(grace.get_by_text("Version 1: proposed")).to_be_visible(timeout=20_000)
    settle(grace)
    grace.get_by_role("textbox", name="Why", exact=True).last.fill("also drop the very long ones")
    grace.keyboard.press("Tab")
    settle(grace)
    grace.get_by_role("button", name="Ask for changes").click()
    expect(ada.get_by_text("Version 1: changes asked")).to_be_visible(timeout=20_000)
    expect(ada.get_by_text("also drop the very long ones").first).to_be_visible()

    cut(ada, "25")
    propose(ada, "english", "stricter")
    expect(grace.get_by_text("Version 2: proposed")).to_be_visible(timeout=20_000)
    grace.get_by_role("button", name="Approve").click()
    expect(ada.get_by_text("Version 2: approved")).to_be_visible(timeout=60_000)
    expect(ada.get_by_text("unchanged since the approval")).to_be_visible()

    proposal = proposals_of(ReviewStore.of(dashboard.home).events(""))[0]
    assert [version.state for version in proposal.versions] == ["changes asked", "approved"]
    approval = proposal.newest.approval
    assert approval is not None and approval.who == "Grace"
    bundle = dashboard.home / "bundles" / approval.bundle
    assert json.loads((bundle / "recipe.lock.json").read_bytes())["recipe"] == proposal.newest.digest

    propose(ada, "stricter", "the same under another name")
    expect(ada.get_by_text("Version 1: proposed")).to_be_visible(timeout=20_000)

    _tamper(bundle)
    grace.reload()
    settle(grace)
    team(grace)
    expect(grace.get_by_text("is not what was approved")).to_be_visible(timeout=20_000)
    for page in (ada, grace):
        page.context.close()


def _tamper(bundle: Path) -> None:
    recipe = bundle / "recipe.yaml"
    recipe.chmod(0o644)
    recipe.write_text(recipe.read_text("utf-8") + "\n# changed\n", "utf-8")


def test_a_viewer_tries_rules_but_proposes_and_exports_nothing(dashboard: Dashboard, chromium: Browser) -> None:
    page = introduced(chromium, dashboard, "Vera")
    cut(page, "30")
    expect(page.get_by_role("button", name="Propose the live recipe")).to_be_disabled()
    page.get_by_role("tab", name=re.compile("Export")).click()
    expect(page.get_by_role("button", name="Export bundle")).to_be_disabled()
    page.get_by_role("link", name="Effect").first.click()
    settle(page)
    expect(page.get_by_role("button", name="Measure the effect")).to_be_disabled()
    page.context.close()


def test_a_tagged_selection_is_there_for_others_and_a_cap_keeps_that_many(
    dashboard: Dashboard, chromium: Browser
) -> None:
    rosa = introduced(chromium, dashboard, "Rosa")
    rosa.locator("body").press("/")
    search = rosa.get_by_role("textbox", name="Search")
    expect(search).to_be_focused(timeout=20_000)
    rosa.keyboard.type("server")
    rosa.keyboard.press("Enter")
    expect(rosa.get_by_text(" selected").first).to_be_visible(timeout=20_000)
    rosa.get_by_test_id("stPopover").filter(has_text="Tag").get_by_role("button").click()
    rosa.get_by_placeholder("A name that brings").fill("*servers* <b>")
    rosa.get_by_placeholder("A name that brings").press("Enter")
    expect(rosa.get_by_text("Tagged selections (1)")).to_be_visible(timeout=20_000)
    words = rosa.get_by_text(re.compile(r"^\d+ of .* selected$")).first.inner_text()

    hans = introduced(chromium, dashboard, "Hans")
    hans.get_by_text("Tagged selections (1)").click()
    hans.get_by_role("button", name="*servers* <b>", exact=True).click()
    expect(hans.get_by_text(words).first).to_be_visible(timeout=20_000)
    hans.get_by_test_id("stPopover").filter(has_text="Cap").get_by_role("button").click()
    hans.get_by_label("Keep at most").fill("5")
    hans.keyboard.press("Enter")
    gone = int(re.match(r"\d+", words.replace("\u202f", ""))[0]) - 5  # type: ignore[index]
    # What it drops is seen before it is added.
    expect(hans.get_by_text(f"drops {gone} of the")).to_be_visible(timeout=20_000)
    samples = hans.get_by_test_id("stPopoverBody").locator(".tamis-samples")
    assert [samples.nth(side).locator(".tamis-card").count() for side in (0, 1)] == [min(6, gone), 5]
    hans.get_by_role("button", name="Add the cap").click()
    expect(hans.get_by_test_id("funnel")).to_contain_text(f"−{gone} ", timeout=20_000)
    for page in (rosa, hans):
        page.context.close()


def test_a_note_on_a_document_is_there_for_others(dashboard: Dashboard, chromium: Browser) -> None:
    ada, vera = introduced(chromium, dashboard, "Ada"), introduced(chromium, dashboard, "Vera")
    ada.get_by_role("link", name="Documents").first.click()
    settle(ada)
    open_row(ada)
    note = ada.get_by_placeholder("Note on this document")
    note.fill("<i>odd</i> one")
    note.press("Enter")
    expect(ada.get_by_text("<i>odd</i> one").first).to_be_visible(timeout=20_000)
    link = ada.url
    vera.goto(link)
    settle(vera)
    expect(vera.get_by_text("<i>odd</i> one").first).to_be_visible(timeout=20_000)
    expect(vera.get_by_placeholder("Note on this document")).to_have_count(0)
    for page in (ada, vera):
        page.context.close()
