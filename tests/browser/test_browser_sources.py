"""What rules found outside the documents: the evaluation item in one of them, and passages that many of them share."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dashboard import Dashboard, served, settle, tamis
from playwright.sync_api import Page, expect

from tamis.analytics.duplicates.references import put_reference
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser

FOOTER = "Subscribe to our newsletter <b>now</b>"
TEXTS = [f"{' '.join(f'word{k}x{place}' for place in range(40))}\n{FOOTER}" for k in range(60)]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve texts that share a footer, with the rules that look for it and for an evaluation item."""
    root = tmp_path_factory.mktemp("sources")
    home, corpus = root / "home", root / "corpus"
    home.mkdir()
    corpus.mkdir()
    pq.write_table(pa.table({"id": [f"{k:02d}" for k in range(60)], "text": TEXTS}), corpus / "texts.parquet")
    tamis("analyze", str(corpus), "--name", "corpus", "--tier", "fast", home=home)
    with served(home, corpus) as running:
        yield running


def link(dashboard: Dashboard, recipe: Recipe, page: str, **settings: int) -> str:
    """Return the address of a page with a recipe in its view."""
    view = SharedView(recipe=recipe, settings=tuple(settings.items()))
    return f"{dashboard.url}/{page}?corpus=corpus&view={Workspace(dashboard.home).put_value(view.to_value())}"


def test_a_document_names_the_evaluation_item_found_in_it(dashboard: Dashboard, page: Page) -> None:
    items = dashboard.home.parent / "eval"
    items.mkdir()
    pq.write_table(pa.table({"text": ["nothing like it", TEXTS[7][:200]]}), items / "items.parquet")
    digest = put_reference([items], Workspace(dashboard.home))
    recipe = Recipe().with_operator(OPERATORS.build("decontaminate", {"evaluation": digest}))
    page.goto(link(dashboard, recipe, "documents", document=7))
    settle(page)
    page.get_by_text("What each step says").click()
    expect(page.get_by_text("Shared with items.parquet, row 2")).to_be_visible(timeout=60_000)


def test_a_chosen_passage_becomes_a_step_that_removes_it(dashboard: Dashboard, page: Page) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("boilerplate", {}))
    page.goto(link(dashboard, recipe, "recipe"))
    settle(page)
    page.get_by_text("Edit", exact=True).first.click()
    expect(page.get_by_text("Lines that at least 10 documents of their source share")).to_be_visible(timeout=60_000)
    page.get_by_test_id("stDataFrame").first.click(position={"x": 14, "y": 42})
    page.get_by_role("button", name="Remove the chosen ones from the texts").click(timeout=60_000)
    settle(page)
    expect(page.get_by_text("Remove 1 boilerplate line from the texts").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"[{FOOTER}]").first).to_be_visible()
