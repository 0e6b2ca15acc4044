"""What people do on the Training page: add steps, drag a phase of a curriculum, read a step, write the data."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from accessibility import violations
from dashboard import Dashboard, served, settle
from playwright.sync_api import Page, expect
from shared_corpus import SharedCorpus

from tamis.analytics.operators.order import Curriculum
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.training.trace import PREPARE_FILE
from tamis.app.dashboard.session import SharedView
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("training") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def share_of(page: Page) -> float:
    return float(page.get_by_role("spinbutton", name="Easiest first, %").input_value())


def rested(page: Page) -> float:
    """Return the share when the last of the moves has been answered."""
    found = None
    while found != (now := share_of(page)):
        found = now
        page.wait_for_timeout(1500)
        settle(page)
    return now


def drawn(page: Page) -> str:
    """Return the areas of the picture."""
    areas = page.locator(".tamis-run polygon")
    return str(areas.evaluate_all("areas => areas.map(area => area.getAttribute('points')).join()"))


def test_a_phase_that_is_dragged_is_seen_kept_and_written(dashboard: Dashboard, page: Page) -> None:
    curriculum = {"order": "warm-up then random", "difficulty": "n_tokens", "warm_up": 0.3}
    recipe = Recipe().with_operator("curriculum", **curriculum)
    view = Workspace(dashboard.home).put_value(SharedView((), recipe).to_value())
    page.goto(f"{dashboard.url}/training?corpus=corpus&view={view}")
    settle(page)
    page.get_by_role("button", name="Pack to 2048 by best fit").click()
    boundary = page.get_by_role("slider", name="Boundary of the curriculum")
    expect(boundary).to_have_attribute("aria-valuenow", "0.3", timeout=60_000)
    before = drawn(page)
    box, plot = boundary.bounding_box(), page.locator(".tamis-run .surface").bounding_box()
    assert box is not None and plot is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.6, box["y"] + 60, steps=8)
    keep = page.get_by_role("button", name="Keep this boundary")
    expect(keep).to_be_visible(timeout=30_000)
    page.mouse.up()
    settle(page)
    assert drawn(page) != before
    dragged = rested(page)
    assert 60 < dragged < 99.9, "short documents come first, so most of them are read in 60% of the tokens"
    boundary.focus()
    page.keyboard.press("ArrowLeft")
    field = page.get_by_role("spinbutton", name="Easiest first, %")
    expect(field).to_have_value(re.compile(re.escape(f"{dragged - 1:.1f}")), timeout=30_000)
    assert violations(page) == []
    keep.click()
    expect(keep).to_be_hidden(timeout=30_000)
    assert share_of(page) == pytest.approx(dragged - 1)

    page.get_by_role("button", name="Write training data").click()
    expect(page.get_by_text("Written:")).to_be_visible(timeout=120_000)
    (written,) = Workspace(dashboard.home).runs.glob(f"*/{PREPARE_FILE}")
    (kept,) = [step.operator for step in Recipe.from_yaml((written.parent / "recipe.yaml").read_text("utf-8"))][:1]
    assert isinstance(kept, Curriculum) and kept.warm_up == pytest.approx((dragged - 1) / 100)


def test_a_step_is_read_by_a_click_by_its_number_and_by_keys(dashboard: Dashboard, page: Page) -> None:
    recipe = Recipe().with_operator("pack", length=256).with_operator("batches", size=2)
    view = Workspace(dashboard.home).put_value(SharedView((), recipe).to_value())
    page.goto(f"{dashboard.url}/training?corpus=corpus&view={view}")
    settle(page)
    number = page.get_by_role("spinbutton", name="Step", exact=True)
    number.fill("7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Step 7 reads")).to_be_visible(timeout=30_000)
    page.get_by_role("slider", name="Step that is read below").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Step 8 reads")).to_be_visible(timeout=30_000)
    page.locator(".tamis-run .surface").click(position={"x": 300, "y": 100})
    expect(page.get_by_role("heading", name=re.compile(r"Step \d{2,} reads"))).to_be_visible(timeout=30_000)
    page.get_by_role("table", name="Documents of this step").get_by_role("button").first.click()
    expect(page.get_by_role("button", name="Close")).to_be_visible(timeout=30_000)
    assert violations(page) == []
