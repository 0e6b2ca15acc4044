"""A newcomer teaches a concept on the page Review: pasted examples, a classifier, its rule, what to label next."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from accessibility import violations
from dashboard import Dashboard, served, settle
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

pytestmark = pytest.mark.browser
JOB = 240_000
LIKE = "\n\n".join(f"Open the file {name} in the directory and return its path." for name in "abcdefghijkl")


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("teach") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def test_a_concept_is_taught_from_pasted_texts_becomes_a_rule_and_says_what_to_label(
    dashboard: Dashboard, page: Page
) -> None:
    page.goto(f"{dashboard.url}/review")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_text("decided by you")).to_be_visible(timeout=60_000)
    page.get_by_text("Teach a concept from your labels").click()
    page.get_by_label("Name of the concept").fill("files")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.get_by_role("button", name="Teach", exact=True)).to_be_disabled()
    page.get_by_label("Pasted examples").fill(LIKE)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("12 examples and 0 counterexamples")).to_be_visible(timeout=30_000)
    settle(page)
    page.get_by_role("combobox", name="Counterexamples").click()
    page.keyboard.type("Random")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_text("12 examples and 50 counterexamples")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Teach", exact=True).click()
    expect(page.get_by_text("Average precision", exact=True)).to_be_visible(timeout=JOB)
    expect(page.get_by_text("learnt from 12 examples and 50 counterexamples")).to_be_visible()
    settle(page)
    assert violations(page) == []
    page.get_by_role("button", name="Add as a rule").click()
    expect(page.get_by_test_id("funnel").get_by_text("embedding-classifier")).to_be_visible(timeout=60_000)
    settle(page)
    proposed = page.get_by_role("button", name=re.compile(r"^\S*\s*0\.\d\d · ")).first
    words = re.sub(r"^\D*0\.\d\d · ", "", proposed.inner_text())[:40]
    proposed.click()
    expect(page.get_by_text(re.compile(r"^0 of 10 decided by you"))).to_be_visible(timeout=60_000)
    shown = re.sub(r"\s+", " ", page.locator(".tamis-read").inner_text())
    assert words.strip() in shown
    expect(page.get_by_role("combobox", name="Queue")).to_have_value("The selection")
