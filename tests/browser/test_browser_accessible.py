"""Every page for everybody: axe-core finds nothing, in both themes, with a recipe, a selection and an open document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from accessibility import cut_labels, violations
from dashboard import Dashboard, served, settle
from playwright.sync_api import Browser, Page, ViewportSize, expect
from shared_corpus import SharedCorpus

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.session import SharedView
from tamis.app.pages.navigation import PAGES
from tamis.data.workspace import Workspace

pytestmark = pytest.mark.browser
DESK: ViewportSize = {"width": 1440, "height": 900}
TABLET: ViewportSize = {"width": 1024, "height": 768}


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a few hundred real docstrings."""
    home = docstring_corpus.copy_home(tmp_path_factory.mktemp("accessible") / "home")
    with served(home, docstring_corpus.corpus) as running:
        yield running


def busy_view(dashboard: Dashboard) -> str:
    """Store a view in which much is on the page, and return its name."""
    recipe = Recipe().with_operator("signal_range", signal="n_tokens", min=12).with_operator("exact_dedup")
    chosen = OPERATORS.build("signal_range", {"signal": "n_tokens", "max": 60})
    assert isinstance(chosen, RowOperator)
    view = SharedView((chosen,), recipe, (("document", 3), ("dup_kind", "near")))
    return Workspace(dashboard.home).put_value(view.to_value())


def show(page: Page, dashboard: Dashboard, name: str, view: str = "") -> None:
    page.goto(f"{dashboard.url}/{'' if name == 'overview' else name}?corpus=corpus{view and f'&view={view}'}")
    settle(page)


@pytest.mark.parametrize(("theme", "size"), [("light", DESK), ("dark", TABLET)], ids=["light desk", "dark tablet"])
def test_every_page_can_be_read_and_used_by_all_in_both_themes_and_cuts_no_button(
    dashboard: Dashboard, chromium: Browser, theme: Literal["light", "dark"], size: ViewportSize
) -> None:
    page = chromium.new_context(viewport=size, color_scheme=theme).new_page()
    view, found, cut = busy_view(dashboard), {}, {}
    show(page, dashboard, "review")
    page.get_by_label("Your name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.cookie.includes('tamis_name')")
    for name, _, _ in PAGES:
        show(page, dashboard, name, view)
        # The chosen button is darkest under the pointer, where it lies after the click.
        for chosen in page.get_by_role("radio", checked=True).and_(page.locator("button")).all()[:1]:
            chosen.hover()
            page.wait_for_timeout(400)
        found[name], cut[name] = violations(page), cut_labels(page)
    page.context.close()
    assert not any(found.values()), found
    assert not any(cut.values()), cut


def test_every_page_can_be_read_and_used_by_all_on_a_phone_and_none_is_wider_than_it(
    dashboard: Dashboard, chromium: Browser
) -> None:
    page = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    found, wide = {}, []
    for name, _, _ in PAGES:
        page.goto(f"{dashboard.url}/{'' if name == 'overview' else name}?corpus=corpus")
        expect(page.get_by_test_id("stMain")).to_be_visible(timeout=60_000)
        page.wait_for_timeout(2_500)
        found[name] = violations(page)
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            wide.append(name)
    page.context.close()
    assert not any(found.values()) and not wide, (found, wide)


def test_a_deep_link_asks_for_nothing_that_is_not_there_and_the_first_page_has_a_name(
    dashboard: Dashboard, page: Page
) -> None:
    missing: list[str] = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    for name in ("map", "recipe"):
        show(page, dashboard, name)
    page.goto(f"{dashboard.url}/overview?corpus=corpus")
    settle(page)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page).to_have_url(f"{dashboard.url}/?corpus=corpus")
    assert missing == []


def test_buttons_of_steps_say_what_they_do_to_which_and_keys_keep_drop_and_cap(
    dashboard: Dashboard, page: Page
) -> None:
    view = busy_view(dashboard)
    show(page, dashboard, "recipe", view)
    for name in ("Move step exact-dedup up", "Switch step exact-dedup off", "Remove step signal-range"):
        expect(page.get_by_role("button", name=name)).to_have_count(1)
    page.get_by_role("button", name="Move step exact-dedup up").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move step exact-dedup up")).to_be_disabled(timeout=30_000)
    names = page.get_by_role("button").evaluate_all(
        "all => all.filter(b => b.offsetParent).map(b => (b.ariaLabel || b.innerText).trim())"
    )
    assert not [name for name in names if name.endswith(" icon") or name == ""]
    page.locator("body").press("Shift+M")
    expect(page.get_by_label("Keep at most")).to_be_visible(timeout=20_000)
    page.keyboard.press("Escape")
    page.get_by_test_id("funnel").click()
    page.keyboard.press("Shift+D")
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(4, timeout=30_000)


def test_focus_returns_to_the_map_when_what_it_opened_is_closed(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "map")
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=60_000)
    area.focus()
    for _ in range(4):
        page.keyboard.press("+")
    page.keyboard.press("Shift+A")
    close = page.get_by_role("button", name="Close", exact=True)
    read = page.get_by_role("button", name="Read document 1")
    read.focus()
    page.keyboard.press("Enter")
    expect(close).to_be_visible(timeout=30_000)
    close.focus()
    page.keyboard.press("Enter")
    expect(close).to_have_count(0, timeout=30_000)
    page.wait_for_timeout(600)
    assert page.evaluate("document.activeElement !== document.body")
