"""What people click on the pages Recipe and Effect: measure, attribute, propose, fit, compare, report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from accessibility import violations
from clicks import search
from dashboard import Dashboard, served, settle, visit
from playwright.sync_api import Browser, Page, expect
from shared_corpus import SharedCorpus
from training_corpus import byte_level_tokenizer

from tamis.data.jobs import list_jobs

pytestmark = pytest.mark.browser
JOB = 240_000


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve several hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("effect") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def cut(page: Page, dashboard: Dashboard, signal: str, value: str) -> None:
    """Add a rule on the Quality page."""
    visit(page, dashboard, "quality")
    page.get_by_role("radio", name=signal).first.click()
    settle(page)
    page.get_by_role("spinbutton", name="Drop below").fill(value)
    page.keyboard.press("Enter")
    expect(page.get_by_text("of what the recipe keeps now")).to_be_visible(timeout=30_000)
    settle(page)
    page.get_by_role("button", name="Save as rule").click()
    expect(page.get_by_role("button", name="Save as rule")).to_have_count(0, timeout=30_000)


def saved_target(page: Page, dashboard: Dashboard) -> None:
    """Select documents about messages, and save them as the target."""
    visit(page, dashboard, "documents")
    search(page, "message")
    expect(page.get_by_role("button", name="Keep only")).to_be_visible(timeout=30_000)
    visit(page, dashboard, "effect")
    page.get_by_placeholder("name of a new target").fill("messages")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save the selection as a target").click()
    expect(page.get_by_text(re.compile("Target messages"))).to_be_visible(timeout=30_000)


def test_a_recipe_is_measured_attributed_proposed_and_reported(
    dashboard: Dashboard, page: Page, chromium: Browser, tmp_path: Path
) -> None:
    cut(page, dashboard, "Tokens", "12")
    cut(page, dashboard, "Stop words", "1")
    saved_target(page, dashboard)
    page.get_by_role("button", name="Measure the effect").click()
    expect(page.get_by_text(re.compile(r"every training set got"))).to_be_visible(timeout=JOB)
    page.get_by_role("button", name="Measure each step").click()
    expect(page.get_by_text("Paired draws, intervals of two standard deviations.")).to_be_visible(timeout=JOB)
    page.get_by_role("tab", name="Propose a recipe").click()
    page.get_by_role("spinbutton", name="Recipes to try").fill("3")
    page.keyboard.press("Enter")
    settle(page)
    page.get_by_role("button", name="Propose a recipe").click()
    expect(page.get_by_role("button", name="Take this recipe")).to_be_visible(timeout=JOB)
    page.get_by_role("tab", name="Report").click()
    page.get_by_role("button", name="Write the report").click()
    expect(page.get_by_role("button", name="Download report.html")).to_be_visible(timeout=JOB)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report.html").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    opened(chromium, report)
    page.get_by_role("tab", name="Propose a recipe").click()
    page.get_by_role("button", name="Take this recipe").click()
    # A score where one is told from plain recipes, else a random draw up to the budget.
    spends = page.get_by_test_id("funnel").get_by_text(re.compile("classifier|dsir|moore|token-budget"))
    expect(spends.first).to_be_visible(timeout=60_000)


def test_transformers_that_read_a_tokenizer_prove_a_recipe_while_their_curves_grow(
    dashboard: Dashboard, page: Page, tmp_path: Path
) -> None:
    cut(page, dashboard, "Tokens", "14")
    saved_target(page, dashboard)
    page.get_by_role("radio", name="Proof with transformers").click()
    page.get_by_role("spinbutton", name="Megabytes each model reads").fill("0.04")
    page.keyboard.press("Tab")
    page.get_by_role("spinbutton", name="Seeds").fill("1")
    page.keyboard.press("Tab")
    page.get_by_text("Also train on 10% and 30%").click()
    expect(page.get_by_text(re.compile(r"^3 models, about \d+ s"))).to_be_visible(timeout=30_000)
    field = page.get_by_role("textbox", name="Tokenizer")
    field.fill(str(tmp_path / "nothing.json"))
    page.keyboard.press("Tab")
    expect(page.get_by_text("No such tokenizer")).to_be_visible(timeout=30_000)
    field.fill(str(byte_level_tokenizer(tmp_path / "small")))
    page.keyboard.press("Tab")
    expect(page.get_by_text("No such tokenizer")).to_have_count(0, timeout=30_000)
    page.get_by_role("spinbutton", name="Million tokens each model reads").fill("0.04")
    page.keyboard.press("Tab")
    vocabulary = re.compile(r"^3 models, \d+k parameters with the vocabulary, about \d+ s")
    expect(page.get_by_text(vocabulary)).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Train the models").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("target bits per byte, fewer are better")).to_be_visible(timeout=JOB)
    expect(page.get_by_text("Speed-up over random")).to_be_visible(timeout=JOB)
    expect(page.get_by_text(re.compile(r"^Against everything: "))).to_be_visible()
    expect(page.get_by_text(re.compile(r"tokens of small/tokenizer\.json"))).to_be_visible()
    assert violations(page) == []
    page.reload()
    settle(page)
    expect(page.get_by_role("textbox", name="Tokenizer")).to_have_value(re.compile(r"small"), timeout=30_000)
    expect(page.get_by_text("Share that equals all")).to_be_visible(timeout=30_000)


def opened(chromium: Browser, report: Path) -> None:
    """Open a report in a browser that reaches nothing else, and look for its parts."""
    context = chromium.new_context(offline=True)
    page = context.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("request", lambda request: failed.append(request.url) if request.url.startswith("http") else None)
    page.goto(report.as_uri())
    for part in ("Recipe", "Does it help", "Provenance"):
        expect(page.get_by_role("heading", name=re.compile(part)).first).to_be_visible()
    assert page.locator("svg, img").count() > 0 and not failed
    context.close()


def test_a_budget_per_concept_is_set_by_sliders_and_compared_with_the_recipe_before(
    dashboard: Dashboard, page: Page
) -> None:
    cut(page, dashboard, "Tokens", "10")
    page.get_by_role("link", name="Recipe").first.click()
    settle(page)
    page.get_by_text("Give every concept a budget").click()
    page.get_by_role("button", name="Measure the complexity of the concepts").click()
    expect(page.get_by_role("button", name="Add the budget")).to_be_visible(timeout=JOB)
    expect(page.get_by_text("Would be dropped", exact=True)).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Add the budget").click()
    expect(page.get_by_test_id("funnel").get_by_text("cluster-budget")).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("before the last edit", exact=True).click()
    expect(page.get_by_text(re.compile("added  cluster-budget"))).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("treated alike"))).to_be_visible(timeout=30_000)


def test_a_mixture_is_fitted_to_a_target_changed_by_a_slider_and_added(dashboard: Dashboard, page: Page) -> None:
    saved_target(page, dashboard)
    page.get_by_role("link", name="Recipe").first.click()
    settle(page)
    page.get_by_text("Find the best mixture for a target").click()
    page.get_by_role("button", name="Fit the mixture").click()
    expect(page.get_by_role("button", name="Add the mixture")).to_be_visible(timeout=JOB)
    chosen, fitted = (
        page.locator(".tamis-stats div").filter(has_text=f"{n}, predicted").locator("b") for n in ("chosen", "fitted")
    )
    expect(chosen).to_have_text(fitted.inner_text())
    best = float(fitted.inner_text())
    slider = page.get_by_role("slider", name="email")
    slider.press("Home")
    expect(chosen).not_to_have_text(fitted.inner_text(), timeout=30_000)
    settle(page)
    assert float(chosen.inner_text()) > best
    page.get_by_role("button", name="Add the mixture").click()
    expect(page.get_by_test_id("funnel").get_by_text("mixture", exact=True)).to_be_visible(timeout=60_000)


def test_rule_sets_say_what_they_would_keep(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "recipe")
    page.get_by_text("Add a published rule set").click()
    page.get_by_text("Say what each would keep on its own").click()
    expect(page.get_by_text(re.compile(r"keeps [\d.]+% of documents")).first).to_be_visible(timeout=60_000)


def test_a_rule_that_needs_a_long_measurement_waits_for_it_in_the_background(dashboard: Dashboard, page: Page) -> None:
    visit(page, dashboard, "recipe")
    page.get_by_role("combobox", name="Rule").click()
    page.get_by_role("option", name=re.compile(r"· semantic_dedup$")).click()
    settle(page)
    page.get_by_role("button", name="Add to the recipe").click()
    expect(page.get_by_text("The change is made when this is measured:")).to_be_visible(timeout=30_000)
    other = page.context.new_page()
    other.goto(f"{dashboard.url}/jobs")
    expect(other.get_by_text(re.compile("Measuring .* on corpus")).first).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("funnel").get_by_text("semantic-dedup")).to_be_visible(timeout=JOB)
    # The job is listed as ended without a reload.
    jobs = len(list_jobs(dashboard.home / "jobs"))
    ended = other.get_by_role("heading", name=re.compile("^Ended"))
    expect(ended).to_contain_text(f"of {jobs}; times in", timeout=60_000)
    expect(page.get_by_text("The change is made when this is measured:")).to_have_count(0)
