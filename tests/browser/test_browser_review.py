"""Several people review at once in Chromium: nothing is lost, nothing doubled, everybody sees the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from dashboard import Dashboard, served, settle
from playwright.sync_api import Browser, Page, expect
from reviewing import review_together
from shared_corpus import SharedCorpus

from tamis.data.reviews import ReviewStore

pytestmark = pytest.mark.browser
TOKYO = "Asia/Tokyo"


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("review") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def introduced(chromium: Browser, dashboard: Dashboard, name: str, **size: int) -> Page:
    """Open the Review page under a name, in a session of its own."""
    viewport = {"width": 1440, "height": 900, **size}
    context = chromium.new_context(viewport=viewport, timezone_id=TOKYO)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{dashboard.url}/review")
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_text("decided by you")).to_be_visible(timeout=60_000)
    return page


def decided(page: Page) -> int:
    """Return how many documents the page says this person decided."""
    found = re.match(r"(\d+) of", page.get_by_text("decided by you").inner_text())
    assert found
    return int(found.group(1))


def press(page: Page, key: str) -> None:
    """Decide by key, and wait until the page counts it."""
    before = decided(page)
    page.keyboard.press(key)
    expect(page.get_by_text(re.compile(rf"^{before + 1} of \d+ decided by you"))).to_be_visible(timeout=20_000)


def test_two_people_decide_by_keys_and_see_each_other(dashboard: Dashboard, chromium: Browser) -> None:
    ada, grace = introduced(chromium, dashboard, "Ada"), introduced(chromium, dashboard, "Grace")
    texts = [page.locator(".tamis-read").inner_text() for page in (ada, grace)]
    assert texts[0] == texts[1]
    for keys in zip("kdku", "kddu", strict=True):
        for page, key in zip((ada, grace), keys, strict=True):
            press(page, key)
    expect(ada.get_by_text("two or more people decided: 4")).to_be_visible(timeout=20_000)
    ada.get_by_role("tab", name="History").click()
    ada.get_by_role("button", name=re.compile("Back")).click()
    expect(ada.get_by_text("document 4 of")).to_be_visible(timeout=20_000)
    settle(ada)
    expect(ada.get_by_placeholder("Note on this document")).to_have_count(1)
    ada.get_by_placeholder("Note on this document").fill("<b>why</b> *this*?")
    ada.keyboard.press("Enter")
    expect(ada.get_by_text("<b>why</b> *this*?").first).to_be_visible(timeout=20_000)
    # Times are those of the browser.
    (note,) = ReviewStore.of(dashboard.home).events(kinds=["note"])
    there = datetime.fromisoformat(note.at).astimezone(ZoneInfo(TOKYO)).strftime("%Y-%m-%d %H:%M")
    expect(ada.get_by_text(f"Ada, {there}: <b>why</b> *this*?")).to_be_visible()
    expect(ada.get_by_text(f"times in {TOKYO}")).to_be_visible(timeout=20_000)
    found = ReviewStore.of(dashboard.home).events(kinds=["decision"])
    assert [event.value for event in found if event.reviewer == "Ada"] == ["keep", "drop", "keep", "unsure"]
    assert [event.value for event in found if event.reviewer == "Grace"] == ["keep", "drop", "drop", "unsure"]
    assert all(event.context["blind"] for event in found)
    for page in (ada, grace):
        page.context.close()


def test_nothing_is_lost_or_doubled_when_a_server_is_killed_while_people_review(dashboard: Dashboard) -> None:
    found = review_together(dashboard.home, people=4, decisions=5, corpus="corpus")
    assert (found.lost, found.doubled) == (0, 0)
    assert [person.shown for person in found.reviewers] == [5] * 4
    events = ReviewStore.of(dashboard.home).events(kinds=["decision"])
    assert sum(event.reviewer.startswith("Reviewer ") for event in events) == 20


def test_what_people_would_drop_becomes_a_rule(dashboard: Dashboard, chromium: Browser) -> None:
    page = introduced(chromium, dashboard, "Rosa", width=1440)
    page.get_by_role("link", name="Quality").first.click()
    settle(page)
    page.get_by_role("spinbutton", name="Drop below").fill("20")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save as rule").click()
    page.get_by_test_id("funnel").wait_for()
    page.get_by_role("link", name="Review").first.click()
    settle(page)
    for key in "dd":
        press(page, key)
    page.get_by_role("tab", name="Rules").click()
    page.get_by_role("button", name=re.compile("^Drop these")).click()
    expect(page.get_by_test_id("funnel").get_by_text("id-list")).to_be_visible(timeout=30_000)
    page.context.close()


def test_a_phone_reads_and_decides_without_scrolling_sideways(dashboard: Dashboard, chromium: Browser) -> None:
    page = introduced(chromium, dashboard, "Phone", width=390, height=844)
    page.get_by_text("Only the text").click()
    expect(page.get_by_label("Queue")).to_have_count(0)
    box = page.get_by_role("button", name=re.compile("Keep")).bounding_box()
    assert box is not None and box["y"] + box["height"] < 844 and box["x"] + box["width"] < 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name=re.compile("Unsure")).click()
    expect(page.get_by_text(re.compile(r"^1 of \d+ decided by you"))).to_be_visible(timeout=20_000)
    page.context.close()
