"""Evaluation items on the page Duplicates: counts by set, both texts with marks, and the precision people give."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dashboard import Dashboard, served, settle, tamis
from playwright.sync_api import Page, expect

from tamis.analytics.duplicates.evaluation_sets import save_evaluation
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser

ENDS = ("ba", "do", "fe", "gi", "xu")
WORDS = [f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "pe", "ra") for second in ENDS]
QUESTION = " ".join(f"{word}{k}" for k, word in enumerate(WORDS * 2))
ATTACK = "<b>bold</b> `code` **stars** " + " ".join(f"{word}z{k}" for k, word in enumerate(WORDS * 2))


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve 60 texts, three of which hold items of two evaluation sets."""
    root = tmp_path_factory.mktemp("contamination")
    home, corpus = root / "home", root / "corpus"
    home.mkdir()
    corpus.mkdir()
    texts = [f"{' '.join(f'plain{k}x{place}' for place in range(40))}" for k in range(60)]
    texts[7] = f"{texts[7]}\n{QUESTION.upper()}\n{texts[8]}"
    texts[9] = f"{texts[9]}\n{ATTACK}"
    texts[11] = " ".join(word if k % 10 else "changed" for k, word in enumerate(QUESTION.split()))
    pq.write_table(pa.table({"id": [f"{k:02d}" for k in range(60)], "text": texts}), corpus / "texts.parquet")
    rows = {"quiz": [{"question": QUESTION, "answer": "no"}, {"question": ATTACK}], "other": [{"text": QUESTION}]}
    for name, items in rows.items():
        (root / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    tamis("analyze", str(corpus), "--name", "corpus", "--tier", "fast", home=home)
    save_evaluation(Workspace(home), "exams", [root / "quiz.jsonl", root / "other.jsonl"])
    with served(home, corpus) as running:
        yield running


def link(dashboard: Dashboard) -> str:
    """Return the address of the part Contamination."""
    view = SharedView(settings=(("dup_kind", "contamination"),))
    return f"{dashboard.url}/duplicates?corpus=corpus&view={Workspace(dashboard.home).put_value(view.to_value())}"


def test_items_are_measured_shown_beside_their_document_and_judged(dashboard: Dashboard, page: Page) -> None:
    page.goto(link(dashboard))
    settle(page)
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_text("Contaminated", exact=True)).to_be_visible(timeout=120_000)
    settle(page)
    # One question is in both sets: three documents, two of them for it.
    expect(page.locator(".tamis-stats")).to_contain_text("Contaminated3")
    expect(page.locator(".tamis-stats")).to_contain_text("Items found3of 3")
    expect(page.get_by_text("No hit of the sample has been judged yet.")).to_be_visible()
    expect(page.locator(".tamis-shared")).to_have_count(2)
    marks = page.locator(".tamis-shared mark")
    assert marks.count() >= 2
    look = marks.first.evaluate(
        "mark => [getComputedStyle(mark).fontWeight, getComputedStyle(mark).color,"
        " getComputedStyle(mark.parentElement).color]"
    )
    assert int(look[0]) >= 600 and look[1] != look[2]
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    settle(page)
    page.get_by_text("Sample to review").click()
    settle(page)
    hits = int(page.locator(".tamis-stats").inner_text().split("Hits")[1].split()[0])
    for number in range(hits):
        page.get_by_role("button", name="Right" if number else "Wrong").click()
        settle(page)
        page.wait_for_timeout(500)
    expect(page.get_by_text("exact, all")).to_be_visible(timeout=20_000)
    expect(page.locator(".tamis-stats")).to_contain_text("exact")
    assert page.locator(".tamis-shared b").count() == 0


def test_the_recipe_drops_what_the_page_counted(dashboard: Dashboard, page: Page) -> None:
    page.goto(link(dashboard))
    settle(page)
    expect(page.get_by_text("Contaminated", exact=True)).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Add to the recipe").click()
    settle(page)
    expect(page.get_by_test_id("funnel")).to_contain_text("57", timeout=60_000)
    entry = json.loads((dashboard.home / "evaluations" / "exams.json").read_text())
    rule = OPERATORS.build("idf_decontaminate", {"evaluation": entry["digest"]})
    view = SharedView(recipe=Recipe().with_operator(rule), settings=(("document", 7),))
    page.goto(f"{dashboard.url}/documents?corpus=corpus&view={Workspace(dashboard.home).put_value(view.to_value())}")
    settle(page)
    page.get_by_text("What each step says").click()
    expect(page.get_by_text("Shared with other: other.jsonl, row 1, whole")).to_be_visible(timeout=60_000)
