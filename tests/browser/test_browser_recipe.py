"""What people click on the Recipe page: percentiles become fixed numbers, rules leave for other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import funnel
from dashboard import Dashboard, served, settle, tamis, visit
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.export.run_folder import Run
from tamis.analytics.recipe.recipe import Recipe

pytestmark = pytest.mark.browser

RECIPE = (
    Recipe(title="Bands")
    .with_operator("signal_range", signal="n_tokens", min=6)
    .with_operator("percentile_band", signal="n_words", low=10, high=90)
)


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("recipe") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def load(page: Page, dashboard: Dashboard, recipe: Recipe) -> None:
    """Replace the recipe of the session by another one."""
    visit(page, dashboard, "recipe")
    page.get_by_role("tab", name="Load").click()
    page.get_by_role("textbox", name="Recipe as YAML").fill(recipe.to_yaml())
    page.get_by_role("button", name="Replace the recipe").click()
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(len(recipe) + 1, timeout=60_000)
    settle(page)


def test_fixed_numbers_replace_percentiles_and_keep_the_same_documents(dashboard: Dashboard, page: Page) -> None:
    load(page, dashboard, RECIPE)
    before = funnel(page)
    expect(page.get_by_text(re.compile(r"here: Keep documents with n_words \W+ \d+ and \W+ \d+"))).to_be_visible()
    fix = page.get_by_role("button", name="Fix the numbers")
    expect(fix).to_have_count(1)
    fix.click()
    expect(fix).to_have_count(0, timeout=30_000)
    settle(page)
    assert funnel(page) == before and before[2] < before[1] < before[0]
    page.get_by_role("tab", name="YAML").click()
    expect(page.get_by_test_id("stCode").filter(has_text="percentile: 90")).to_be_visible()


@pytest.mark.parametrize(
    ("tool", "file"), [("sql", "rules.sql"), ("datatrove", "rules.py"), ("data-juicer", "rules.yaml")]
)
def test_downloaded_rules_are_those_of_the_command_line(
    dashboard: Dashboard, page: Page, tmp_path: Path, tool: str, file: str
) -> None:
    load(page, dashboard, RECIPE)
    page.get_by_role("tab", name="Export and run").click()
    page.get_by_text("Export rules").click()
    page.get_by_role("radio", name=tool).or_(page.get_by_role("button", name=tool, exact=True)).first.click()
    button = page.get_by_role("button", name=f"Download {file}")
    expect(button).to_be_visible(timeout=30_000)
    expect(page.get_by_text("decides documents together")).not_to_have_count(0)
    expect(page.get_by_test_id("stCode").filter(has_text=f"--as {tool} -o rules")).to_be_visible()
    settle(page)
    with page.expect_download() as loading:
        button.click()
    (tmp_path / "recipe.yaml").write_text(RECIPE.to_yaml(), "utf-8")
    arguments = ("export", str(tmp_path / "recipe.yaml"), str(dashboard.corpus), "--as", tool)
    said = tamis(*arguments, "-o", str(tmp_path / "rules"), home=dashboard.home).stdout
    assert Path(loading.value.path()).read_bytes() == (tmp_path / "rules" / file).read_bytes()
    assert "left out: percentile-band" in said


def test_a_run_is_written_in_the_chosen_format(dashboard: Dashboard, page: Page) -> None:
    recipe = Recipe(title="Lines").with_operator("exact_dedup").with_operator("pii_redaction")
    load(page, dashboard, recipe)
    page.get_by_role("tab", name="Export and run").click()
    page.get_by_role("button", name="Export bundle").click()
    button = page.get_by_role("button", name="Run on this corpus")
    expect(button).to_be_visible(timeout=120_000)
    settle(page)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_text("Everything agrees: selection")).to_be_visible(timeout=120_000)
    settle(page)
    # By keys: a list at the lower end of the window closes when the page scrolls to an entry.
    page.get_by_role("combobox", name="Format").fill("JSON Lines")
    expect(page.get_by_role("option", name="JSON Lines", exact=True)).to_be_visible(timeout=30_000)
    page.keyboard.press("Enter")
    settle(page)
    button.click()
    expect(page.get_by_text("Curated.")).to_be_visible(timeout=120_000)
    expect(page.get_by_text(re.compile(r"files · JSON Lines$"))).to_be_visible()
    (run,) = (Run.open(path.parent) for path in (dashboard.home / "runs").glob("*/run.json"))
    assert run.format == "jsonl"
    assert sum(file.rows for file in run.files if file.name.startswith("curated/")) == run.counts[-1].documents
    assert {path.suffix for path in (run.folder / "curated").iterdir()} == {".jsonl"}
