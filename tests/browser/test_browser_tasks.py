"""Six tasks of a day's work in Chromium: each is done in no more presses of the mouse than it is meant to take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from accessibility import violations
from clicks import SLOW, ClickCounter, funnel, number, summon
from dashboard import Dashboard, served, settle, tamis
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.data.saved import save_entry
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser

SENTENCE = "Parse an XML document into a tree of elements"
DROPPED = ".tamis-stats > div:has-text('Would be dropped') b"
LAST_WEEK = Recipe(title="Weekly").with_operator("signal_range", signal="n_tokens", min=5)
NOW = Recipe(title="Weekly").with_operator("signal_range", signal="n_tokens", min=25)


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings, and a recipe saved last week."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("tasks") / "home")
    at = "2026-01-05T09:00:00+00:00"
    save_entry(Workspace(home), "recipe", "weekly", LAST_WEEK.to_dict(), who="Ann", at=at)
    with served(home, docstring_corpus.corpus) as running:
        yield running


def show(page: Page, dashboard: Dashboard, name: str = "", view: SharedView | None = None) -> None:
    """Open a page with a view, as a link does; the Overview has no name."""
    stored = f"&view={Workspace(dashboard.home).put_value(view.to_value())}" if view else ""
    page.goto(f"{dashboard.url}/{name}?corpus=corpus{stored}")
    settle(page)


def rank_by_meaning(page: Page, person: ClickCounter) -> int:
    """Search for what means the same as a sentence; return how many documents lie above the floor."""
    summon(page, "Control+k")
    page.keyboard.type(SENTENCE)
    page.keyboard.press("Enter")
    person.click(page.get_by_role("button", name=re.compile("The meaning of")))
    told = page.locator(".tamis-meaning")
    expect(told).to_contain_text("by cosine of fast vectors", timeout=SLOW)
    first = page.locator(".tamis-table tbody tr").first
    expect(first).to_contain_text(re.compile("xml|element", re.IGNORECASE), timeout=SLOW)
    return number(told.locator("b").inner_text())


def run(dashboard: Dashboard, page: Page, folder: Path) -> int:
    """Run the recipe of the page's address with the command line; return how many documents it keeps."""
    link = re.search("view=([^&]+)", page.url)
    assert link is not None
    recipe = SharedView.from_value(Workspace(dashboard.home).value(link[1])).recipe
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    tamis("run", str(folder / "recipe.yaml"), str(dashboard.corpus), "-o", str(folder / "out"), home=dashboard.home)
    rows = pq.read_table(folder / "out" / "selection.parquet").to_pylist()
    return sum(bool(row["copies"]) for row in rows)


def drop_what_means_the_same(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """Boilerplate is found by its meaning, read in the table and dropped; a run drops the same."""
    show(page, dashboard)
    found = rank_by_meaning(page, person)
    assert "nothing selected" in page.get_by_test_id("stSidebar").inner_text()
    person.click(page.get_by_role("button", name="Select those above"))
    rail = page.get_by_test_id("stSidebar")
    expect(rail).to_contain_text(f"like “{SENTENCE}” in meaning", timeout=SLOW)
    expect(page.get_by_text(f"1 to {min(found, 50)} of {found} documents, exact")).to_be_visible(timeout=SLOW)
    person.click(page.get_by_role("button", name="Drop", exact=True))
    total, kept = funnel(page)
    assert total - kept == found > 0
    assert run(dashboard, page, folder) == kept


def keep_what_is_like_a_sentence(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """What lies above the floor is selected and kept; a run keeps the same."""
    show(page, dashboard, "quality")
    found = rank_by_meaning(page, person)
    person.click(page.get_by_role("button", name="Select those above"))
    person.click(page.get_by_role("button", name="Keep only"))
    total, kept = funnel(page)
    assert 0 < kept == found < total
    assert run(dashboard, page, folder) == kept


def keep_one_of_each_near_duplicate(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """The threshold is set where its price is seen; later changes of it update the rule."""
    show(page, dashboard)
    person.click(page.get_by_role("link", name="Duplicates").first)
    near = page.get_by_role("radio", name="Near").or_(page.get_by_role("button", name="Near", exact=True))
    person.click(near.first)
    slider = page.get_by_role("slider", name="Jaccard")
    expect(slider).to_have_value("0.8", timeout=60_000)
    first = number(page.locator(DROPPED).inner_text())
    box = page.get_by_test_id("stSlider").bounding_box()
    assert box is not None
    person.press(box["x"] + 0.12 * box["width"], box["y"] + 0.75 * box["height"])
    expect(slider).not_to_have_value("0.8")
    expect(page.locator(DROPPED)).not_to_have_text(str(first), timeout=SLOW)
    settle(page)
    expected = number(page.locator(DROPPED).inner_text())
    assert expected > first > 0
    person.click(page.get_by_role("button", name="Add to the recipe"))
    total, kept = funnel(page)
    assert total - kept == expected
    expect(page.get_by_role("button", name="In the recipe")).to_be_disabled()
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.get_by_role("button", name="Update the rule")).to_be_enabled(timeout=SLOW)
    page.wait_for_timeout(1_500)
    settle(page)
    fewer = number(page.locator(DROPPED).inner_text())
    page.get_by_role("button", name="Update the rule").click()
    expect(page.get_by_role("button", name="In the recipe")).to_be_visible(timeout=SLOW)
    assert funnel(page) == [total, total - fewer]


def cut_every_source(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """One percentile makes a cut of its own for every source."""
    show(page, dashboard)
    person.click(page.get_by_role("link", name="Quality").first)
    person.click(page.get_by_role("tab", name="By source"))
    person.click(page.get_by_role("radio", name="Source"))
    low = page.get_by_role("radiogroup", name="Drop below its percentile")
    person.click(low.get_by_role("radio", name="25%"))
    said = page.get_by_text("documents that reach it")
    expect(said).to_be_visible(timeout=SLOW)
    expect(page.get_by_text(re.compile(r"^5 of 5 groups have a cut"))).to_be_visible()
    expect(page.get_by_text("Would be dropped", exact=True)).to_be_visible()
    gone = number(said.inner_text())
    person.click(page.get_by_role("button", name="Save as rule"))
    expect(page.get_by_test_id("funnel").get_by_text("percentile-band")).to_be_visible(timeout=SLOW)
    first, last = funnel(page)
    assert first - last == gone > 0


def say_why_an_id_was_dropped(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """An id in the command bar opens its document with one sentence of reason and its twin; the reader follows it."""
    rule = OPERATORS.build("near_dedup", {"threshold": 0.7, "n": 2})
    view = SharedView(recipe=Recipe().with_operator(rule), settings=(("which", "dropped"),))
    show(page, dashboard, "documents", view)
    expect(page.locator(".tamis-table tbody tr").first).to_contain_text("1 near-dedup", timeout=60_000)
    dropped = page.locator(".tamis-table tbody tr").first.get_attribute("data-id") or ""
    summon(page, "/")
    page.keyboard.type(dropped)
    page.keyboard.press("Enter")
    why = page.get_by_test_id("why")
    expect(why).to_contain_text(
        re.compile(r"^Dropped by step 1, near-duplicate: [01]\.\d\d similar to “.+”, cut 0\.70$"), timeout=SLOW
    )
    expect(page.get_by_text("Its kept twin")).to_be_visible(timeout=SLOW)
    settle(page)
    assert violations(page) == []


def see_what_is_lost_since_last_week(dashboard: Dashboard, page: Page, folder: Path, person: ClickCounter) -> None:
    """A saved recipe is compared with the live one, with documents of what is lost, which can be selected."""
    show(page, dashboard, "", SharedView(recipe=NOW))
    total, kept = funnel(page)
    person.click(page.get_by_role("link", name="Recipe").first)
    person.click(page.get_by_role("tab", name="Compare"))
    person.click(page.get_by_test_id("stRadio").get_by_text("weekly", exact=True))
    said = page.get_by_text("documents lost")
    expect(said).to_be_visible(timeout=SLOW)
    lost = number(said.inner_text())
    expect(page.get_by_test_id("stMain").locator(".tamis-samples .tamis-card")).to_have_count(6)
    assert 0 < lost < total - kept
    page.get_by_role("button", name=re.compile(r"^Select the .* lost$")).click()
    expect(page.get_by_test_id("stSidebar")).to_contain_text(
        re.compile(rf"^[\s\S]*{lost} of .* selected"), timeout=SLOW
    )


Task = Callable[[Dashboard, Page, Path, ClickCounter], None]
GOALS: dict[Task, int] = {
    drop_what_means_the_same: 3,
    keep_one_of_each_near_duplicate: 4,
    keep_what_is_like_a_sentence: 3,
    cut_every_source: 5,
    say_why_an_id_was_dropped: 2,
    see_what_is_lost_since_last_week: 3,
}
"""Presses of the mouse that each task may take."""


@pytest.mark.parametrize("task", GOALS, ids=lambda task: task.__name__)
def test_a_task_takes_no_more_clicks_than_its_goal(
    task: Task, dashboard: Dashboard, page: Page, tmp_path: Path
) -> None:
    person = ClickCounter(page)
    task(dashboard, page, tmp_path, person)
    assert person.clicks <= GOALS[task]
