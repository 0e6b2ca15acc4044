"""What people choose in Chromium is what they get: clusters, conditions, signals, columns; links that do not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from clicks import SLOW, open_row, search
from dashboard import Dashboard, served, settle, small_corpus, tamis
from docstrings import write_corpus
from playwright.sync_api import Page, expect
from test_browser import funnel, go, number, show

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser

ARABIC = "هذا نص عربي يقرأ من اليمين إلى اليسار، وفيه كلمة English في الوسط."
FIRST = re.compile("Words, a sentence")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve an analysed corpus, and one of prompts with answers that is only registered."""
    root = tmp_path_factory.mktemp("choices")
    (root / "home").mkdir()
    corpus = small_corpus(root / "corpus", parts=("asyncio", "email", "logging", "unittest"))
    prompts = pa.table(
        {
            "instruction": [f"Say {k % 5} in plain words." for k in range(60)],
            "answer": [f"{ARABIC} {k}\nA line in English." if k % 2 else f"Answer {k}. " * 20 for k in range(60)],
            "source": ["a book" if k % 3 else "a letter" for k in range(60)],
            "turns": [[1, 2]] * 60,
        }
    )
    tamis("analyze", str(corpus), "--name", "corpus", "--tier", "fast", home=root / "home")
    folder = write_corpus(root / "prompts", prompts)
    tamis("analyze", str(folder), "--name", "prompts", "--tier", "fast", "--plan", home=root / "home")
    with served(root / "home", corpus) as running:
        yield running


def condition(predicate: str) -> RowOperator:
    """Return a condition as a search makes it."""
    rule = OPERATORS.build("sql_predicate", {"predicate": predicate})
    assert isinstance(rule, RowOperator)
    return rule


def link(dashboard: Dashboard, view: SharedView) -> str:
    """Return the address of a view."""
    return f"{dashboard.url}/recipe?corpus=corpus&view={Workspace(dashboard.home).put_value(view.to_value())}"


def pick(page: Page, label: str, option: str) -> None:
    """Choose an entry of a list, which shows only some of many before one types."""
    page.get_by_role("combobox", name=label).fill(option)
    page.get_by_role("option", name=option, exact=True).click()


def test_a_dropped_cluster_is_edited_by_name_on_the_recipe_page(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "clusters")
    table = page.locator(".stDataFrame").first
    table.wait_for(timeout=SLOW)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 50)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_role("button", name="Drop", exact=True).click()
    total, kept = funnel(page)
    go(page, "Recipe")
    edit = page.get_by_text("Edit", exact=True).first
    expect(edit).to_be_visible(timeout=SLOW)
    settle(page)
    edit.click()
    chosen = page.get_by_test_id("stMultiSelect")
    names = chosen.get_by_text(re.compile(r"\w · \d+$"))
    expect(names).to_have_count(1, timeout=SLOW)
    option = page.get_by_role("option", name=re.compile(r"\w · \d+$")).first
    for _ in range(20):  # A list that is opened while the form still unfolds is closed again.
        page.wait_for_timeout(500)
        if option.is_visible():
            break
        chosen.get_by_role("combobox").fill("·")
    option.click()
    page.keyboard.press("Escape")  # While the list is open nothing else has a role.
    expect(names).to_have_count(2, timeout=SLOW)
    expect(page.get_by_text("Would be dropped", exact=True)).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text(re.compile(r"Drop clusters \d+, \d+")).first).to_be_visible(timeout=SLOW)
    settle(page)
    assert funnel(page)[-1] < kept < total


def test_a_condition_is_tried_before_it_is_selected(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "documents")
    field = page.get_by_placeholder(FIRST)
    for typed, said in (("tokens > 50", "No column tokens; did you mean n_tokens?"), ("lang > 50", "cannot be eval")):
        field.fill(typed)
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.get_by_role("alert").get_by_text(said)).to_be_visible(timeout=SLOW)
        expect(field).to_have_value(typed, timeout=SLOW)
        expect(page.get_by_test_id("stSidebar")).to_contain_text("nothing selected", timeout=SLOW)
    field.fill("n_tokens > 50")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("n_tokens > 50", timeout=SLOW)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=SLOW)
    expect(field).to_have_value("n_tokens > 50", timeout=SLOW)


def test_a_link_with_a_bad_condition_opens_without_it(dashboard: Dashboard, page: Page) -> None:
    page.goto(link(dashboard, SharedView((condition("tokens > 50"), condition("n_tokens > 50")))))
    settle(page)
    rail = page.get_by_test_id("stSidebar")
    expect(rail).to_contain_text("Removed from the selection: No column tokens; did you mean n_tokens?", timeout=SLOW)
    expect(rail.get_by_role("button", name="Clear")).to_be_visible(timeout=SLOW)
    rail.get_by_role("button", name="Clear").click()
    expect(rail).to_contain_text("nothing selected", timeout=SLOW)


def test_a_link_with_a_bad_recipe_can_be_mended_step_by_step(dashboard: Dashboard, page: Page) -> None:
    recipe = Recipe().with_operator(condition("tokens > 50")).with_operator(condition("n_tokens > 20"))
    page.goto(link(dashboard, SharedView((), recipe)))
    settle(page)
    expect(page.get_by_text("This did not work")).to_be_visible(timeout=SLOW)
    page.get_by_test_id("stMain").get_by_role("button", name="Remove step").first.click()
    total, kept = funnel(page)
    assert 0 < kept < total


def test_what_is_no_view_and_no_corpus_is_said(dashboard: Dashboard, page: Page) -> None:
    odd = Workspace(dashboard.home).put_value([1, 2])
    said = {"corpus=nowhere": "There is no corpus nowhere here.", f"view={odd}": "This is not a view"}
    for query, words in (*said.items(), ("view=zzz", "cannot be restored")):
        page.goto(f"{dashboard.url}/?{query}")
        settle(page)
        expect(page.get_by_test_id("stSidebar")).to_contain_text(words, timeout=SLOW)
        expect(page.get_by_text("What stands out")).to_be_visible(timeout=SLOW)


def test_the_signal_that_is_chosen_is_the_one_that_is_saved(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "quality")
    pick(page, "All signals", "NeMo: words with letters")
    settle(page)
    page.get_by_role("spinbutton", name="Drop below").fill("0.6")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save as rule").click()
    expect(page.locator("[data-testid=funnel] .name").last).to_contain_text("split-alpha-word-share", timeout=SLOW)


def test_the_text_column_is_chosen_before_the_analysis_which_plan_and_jobs_follow(
    dashboard: Dashboard, page: Page
) -> None:
    page.goto(f"{dashboard.url}/?corpus=prompts")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text("Text: column instruction, one of 4", timeout=60_000)
    settle(page)
    pick(page, "Text column", "answer")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(main).to_contain_text("Text: column answer, one of 4", timeout=SLOW)
    expect(page.get_by_role("combobox", name="Embedding")).to_have_value(re.compile("^fast, about"), timeout=SLOW)
    settle(page)
    jobs = page.context.new_page()
    jobs.goto(f"{dashboard.url}/jobs?corpus=corpus")
    ended = jobs.locator(".tamis-head").filter(has_text="Ended")
    expect(ended).to_contain_text("the latest 1 of 1; times in", timeout=SLOW)
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.get_by_role("button", name="Start the analysis")).to_have_count(0, timeout=SLOW)
    # The plan follows the analysis, here and on the page of jobs, which lists it as ended without a reload.
    expect(jobs.get_by_text("1 of 2 jobs")).to_be_visible(timeout=SLOW)
    expect(page.get_by_test_id("stSidebar")).to_contain_text(re.compile(r"[1-9]\d* of \d+ steps"), timeout=120_000)
    expect(ended).to_contain_text("the latest 2 of 2", timeout=300_000)
    expect(page.get_by_text("What stands out")).to_be_visible(timeout=120_000)
    jobs.close()
    expect(main).to_contain_text(
        "Text: column answer, one of 4; only it is compared, measured and searched.", timeout=SLOW
    )
    expect(main).to_contain_text("Not looked at: turns.", timeout=SLOW)

    go(page, "Documents")
    search(page, "English في")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("of 60 selected", timeout=SLOW)
    assert number(page.get_by_test_id("stSidebar").get_by_text(re.compile(r"\d selected$")).inner_text()) == 30
    settle(page)
    open_row(page)
    text = page.locator(".tamis-text").first
    expect(text).to_contain_text("English", timeout=SLOW)
    assert text.get_attribute("dir") == "auto"
    assert text.evaluate("(shown) => getComputedStyle(shown).direction") == "rtl"


def test_every_text_for_reading_takes_the_direction_of_its_script() -> None:
    sources = {path.name: path.read_text("utf-8") for path in Path(__file__).parents[2].joinpath("app").rglob("*.py")}
    holders = [name for name, source in sources.items() if re.search(r"[\"']tamis-text", source)]
    assert sorted(holders) == ["conversation_view.py", "text_view.py"]
