"""The map in Chromium: density and points, pointer, keys and fingers, and what a poorer browser shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clicks import funnel, lasso, number
from dashboard import Dashboard, served
from mapped_corpus import SERVER, analysed, write_mapped
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

pytestmark = pytest.mark.browser

N = 40_000
INK = """(root) => {
  const canvas = root.querySelector("canvas.gl"), copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const draw = copy.getContext("2d");
  draw.drawImage(canvas, 0, 0);
  const bytes = draw.getImageData(0, 0, copy.width, copy.height).data;
  let ink = 0, best = 0, at = 0;
  for (let k = 3; k < bytes.length; k += 4) {
    ink += bytes[k];
    const x = ((k - 3) / 4) % copy.width, y = ((k - 3) / 4 - x) / copy.width;
    const inner = x > 40 && x < 0.7 * copy.width && y > 60 && y < copy.height - 60;
    if (inner && bytes[k] > best) [best, at] = [bytes[k], (k - 3) / 4];
  }
  return {ink: ink / 255, x: (at % copy.width) * canvas.clientWidth / copy.width,
          y: Math.floor(at / copy.width) * canvas.clientHeight / copy.height};
}"""


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve a corpus whose map has a few very busy places."""
    root = tmp_path_factory.mktemp("mapped")
    corpus = write_mapped(root / "corpus", N, spread=0.08)
    analysed(corpus, root / "home", "mapped")
    with served(root / "home", corpus, program=SERVER) as running:
        yield running


def opened(page: Page, dashboard: Dashboard) -> Locator:
    """Open the map and return it once everything is drawn."""
    page.goto(f"{dashboard.url}/map?corpus=mapped")
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=60_000)
    expect(area).to_have_attribute("data-drawn", re.compile("density|points"))
    return area


def selected(page: Page) -> int:
    """Return how many documents the rail calls selected."""
    words = page.locator("[data-testid=stSidebar]").get_by_text(re.compile(r"\d selected$"))
    expect(words).to_contain_text(" of ", timeout=30_000)
    return number(words.inner_text())


def drag(page: Page, area: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the mouse between two places given as shares of the map's width and height."""
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
    page.mouse.up()


def test_many_documents_are_drawn_as_density_and_as_points_when_near(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    expect(area).to_have_attribute("data-drawn", "density")
    expect(area.get_by_role("status")).to_contain_text("Density of 40\u202f000 documents, exact")
    assert area.evaluate(INK)["ink"] > 100
    for _ in range(8):
        area.get_by_role("button", name="Closer").click()
    expect(area).to_have_attribute("data-drawn", "points")
    expect(area.get_by_role("status")).to_contain_text("40\u202f000 points, all drawn")
    area.get_by_role("button", name="Fit").click()
    expect(area).to_have_attribute("data-drawn", "density")


def test_the_map_stays_where_it_is_while_a_document_is_read_and_another_page_is_seen(
    dashboard: Dashboard, page: Page
) -> None:
    area = opened(page, dashboard)
    home = area.get_attribute("data-view")
    for _ in range(3):
        area.get_by_role("button", name="Closer").click()
    area.get_by_role("button", name="Lasso").click()
    entry = area.get_by_role("button", name=re.compile("^source 1"))
    entry.click()
    expect(area).not_to_have_attribute("data-view", home or "")
    view = area.get_attribute("data-view") or ""
    area.get_by_role("button", name="Move").click()
    spot = area.evaluate(INK)
    area.locator("canvas.gl").click(position={"x": spot["x"], "y": spot["y"]})
    expect(page.get_by_role("button", name="Close", exact=True)).to_be_visible(timeout=30_000)
    # While the page changes, the map of the run before may still be there.
    expect(area).to_have_count(1, timeout=30_000)
    expect(area).to_have_attribute("data-view", view)
    ring = [float(part) for part in (area.get_attribute("data-ring") or "").split()]
    box = area.bounding_box()
    assert box and len(ring) == 2 and 0 < ring[0] < box["width"] and 0 < ring[1] < box["height"]
    page.get_by_role("link", name="Documents").first.click()
    expect(page.get_by_role("textbox", name="Search", exact=True)).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Map").first.click()
    expect(area).to_have_attribute("data-view", view, timeout=30_000)
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(area).not_to_have_attribute("data-view", view, timeout=30_000)


def test_the_legend_hides_what_is_clicked_and_shows_it_again(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    before = area.evaluate(INK)["ink"]
    entry = area.get_by_role("button", name=re.compile("^source 1"))
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(200)
    hidden = area.evaluate(INK)["ink"]
    entry.click()
    page.wait_for_timeout(200)
    assert 0 < hidden < 0.95 * before
    assert area.evaluate(INK)["ink"] == pytest.approx(before)


def test_on_a_phone_the_legend_is_folded_all_tools_are_in_reach_and_a_tapped_document_is_a_sheet_in_view(
    dashboard: Dashboard, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    area = opened(page, dashboard)
    legend = area.get_by_role("group", name="Legend")
    expect(legend.get_by_role("button", name=re.compile("^source 1"))).to_have_count(0)
    whole, tools, folded = area.bounding_box(), area.locator(".tools").bounding_box(), legend.bounding_box()
    assert whole and tools and folded
    assert whole["y"] + whole["height"] < 844 and folded["height"] < 40
    assert folded["y"] > whole["y"] + 0.6 * whole["height"] > tools["y"] + tools["height"]
    for button in area.locator(".tools button").all():
        box = button.bounding_box()
        assert box and whole["x"] <= box["x"] and box["x"] + box["width"] <= whole["x"] + whole["width"]
    legend.get_by_role("button").first.click()
    expect(legend.get_by_role("button", name=re.compile("^source 1"))).to_be_visible()
    legend.get_by_role("button").first.click()
    spot = area.evaluate(INK)
    area.locator("canvas.gl").tap(position={"x": spot["x"], "y": spot["y"]})
    text = page.locator(".tamis-text", has_text=re.compile(r"^document \d+$"))
    expect(text).to_be_in_viewport(timeout=30_000)
    expect(page.get_by_role("button", name="Close", exact=True)).to_be_in_viewport()
    page.wait_for_timeout(300)
    ring = [float(part) for part in (area.get_attribute("data-ring") or "").split()]
    sheet, map_box = page.locator("[class*=st-key-map_sheet]").bounding_box(), area.bounding_box()
    assert sheet and map_box and map_box["y"] + ring[1] < sheet["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("[class*=st-key-map_sheet]")).to_have_count(0, timeout=30_000)
    context.close()


def test_the_legend_is_searched_and_shows_one_group_alone_and_the_rule_says_so(
    dashboard: Dashboard, page: Page
) -> None:
    area = opened(page, dashboard)
    legend, status = area.get_by_role("group", name="Legend"), area.get_by_role("status")
    legend.get_by_role("button", name=re.compile("^source 3")).dblclick()
    expect(legend).to_contain_text("6 hidden")
    shown = number(status.inner_text())
    area.focus()
    page.keyboard.press("a")
    chosen = selected(page)
    assert 0 < chosen <= shown < N
    rail = page.locator("[data-testid=stSidebar]")
    expect(rail).to_contain_text(f"the {chosen} documents inside an area of the map, only source source 3")
    legend.get_by_role("button", name="Only source 5").click()
    for name, pressed in (("source 5", "true"), ("source 3", "false")):
        expect(legend.get_by_role("button", name=re.compile(f"^{name}"))).to_have_attribute("aria-pressed", pressed)
    search = legend.get_by_role("searchbox", name="Search the legend")
    search.fill("source 6")
    expect(legend.get_by_role("button", name=re.compile("^source"))).to_have_count(1)
    search.press("Enter")
    search.press("Escape")
    expect(legend.get_by_role("button", name=re.compile("^source 6"))).to_have_attribute("aria-pressed", "true")
    expect(legend.get_by_role("button", name=re.compile("^source 5"))).to_have_attribute("aria-pressed", "false")
    legend.get_by_role("button", name="Show all").click()
    expect(status).not_to_contain_text("hidden by the legend")


def test_a_panel_says_what_a_lasso_holds_against_the_rest_with_documents_to_read(
    dashboard: Dashboard, page: Page
) -> None:
    area = opened(page, dashboard)
    lasso(page, radius=130)
    chosen = selected(page)
    panel = page.locator("[class*=st-key-map_sheet]")
    expect(panel).to_contain_text(f"{chosen:,} selected".replace(",", "\u202f"))
    expect(panel).to_contain_text(re.compile("Source, 6 of 7|Source"))
    expect(panel).to_contain_text("Signals that differ most")
    expect(panel).to_contain_text("All documents, exact.")
    view = area.get_attribute("data-view")
    panel.get_by_role("button", name="Read document 2").click()
    expect(page.get_by_role("button", name="Close", exact=True)).to_be_visible(timeout=30_000)
    expect(area).to_have_attribute("data-view", view or "")
    expect(area).to_have_attribute("data-ring", re.compile(r"\d"))
    page.get_by_role("button", name="Close", exact=True).click()
    expect(panel).to_contain_text("Documents to read", timeout=30_000)
    panel.get_by_role("button", name="Hide").click()
    expect(panel).to_have_count(0, timeout=30_000)
    page.get_by_role("button", name="What is selected").click()
    expect(panel).to_contain_text("Documents to read", timeout=30_000)


def test_dials_turn_density_into_points_and_points_larger(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    area.get_by_role("button", name="Look").click()
    area.get_by_label("Density").fill("-4")
    expect(area).to_have_attribute("data-drawn", "points")
    page.wait_for_timeout(300)
    small = area.evaluate(INK)["ink"]
    area.get_by_label("Point size").fill("2")
    page.wait_for_timeout(300)
    assert area.evaluate(INK)["ink"] > 1.5 * small
    area.get_by_role("button", name="As usual").click()
    expect(area).to_have_attribute("data-drawn", "density")


def test_what_the_legend_hides_is_neither_counted_as_drawn_nor_selected(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    status, first = area.get_by_role("status"), area.get_by_role("button", name=re.compile("^source 0"))
    area.focus()
    page.keyboard.press("a")
    everything = selected(page)
    expect(status).to_contain_text("selected")
    first.click()
    expect(status).to_contain_text(re.compile("hidden by the legend.* of them hidden"))
    drawn, hidden, chosen, unseen = (number(part) for part in re.findall(r"\d[\d\u202f]*", status.inner_text()))
    assert hidden == unseen > 0 and drawn + hidden == N and chosen == everything
    area.focus()
    page.keyboard.press("Escape")
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("nothing selected", timeout=30_000)
    area.focus()
    page.keyboard.press("a")
    assert selected(page) == everything - hidden
    expect(status).not_to_contain_text("of them hidden")
    page.get_by_role("button", name="Keep only").click()
    total, kept = funnel(page)
    assert total == N and kept == everything - hidden


def test_a_box_selects_shift_adds_and_escape_clears(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    area.get_by_role("button", name="Box").click()
    drag(page, area, (0.1, 0.2), (0.35, 0.8))
    first = selected(page)
    page.keyboard.down("Shift")
    drag(page, area, (0.3, 0.2), (0.6, 0.8))
    page.keyboard.up("Shift")
    words = page.locator("[data-testid=stSidebar]").get_by_text(re.compile("selected$"))
    expect(words).not_to_contain_text(f"{first:,} of".replace(",", "\u202f"), timeout=30_000)
    assert 0 < first < selected(page) < N
    expect(area.get_by_role("status")).to_contain_text("selected")
    area.focus()
    page.keyboard.press("Escape")
    expect(words).to_contain_text("nothing selected", timeout=30_000)


def test_the_map_is_used_with_keys_alone(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    area.focus()
    home = area.get_attribute("data-view")
    for key in ("+", "ArrowLeft", "ArrowUp", "+"):
        page.keyboard.press(key)
    expect(area).not_to_have_attribute("data-view", home or "")
    page.keyboard.press("a")
    near = selected(page)
    assert 0 < near < N
    area.focus()
    page.keyboard.press("0")
    expect(area).to_have_attribute("data-view", home or "")
    page.keyboard.press("Shift+A")
    words = page.locator("[data-testid=stSidebar]").get_by_text(re.compile("selected$"))
    expect(words).not_to_contain_text(f"{near:,} of".replace(",", "\u202f"), timeout=30_000)
    assert selected(page) > near
    area.focus()
    page.keyboard.press("Escape")
    expect(words).to_contain_text("nothing selected", timeout=30_000)
    for name in ("Move", "Lasso", "Box", "Add", "Closer", "Further", "Fit", "PNG", "SVG"):
        expect(area.get_by_role("button", name=name, exact=True)).to_be_visible()


def test_hovering_shows_the_document_that_a_click_opens(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    place, box = area.evaluate(INK), area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + place["x"], box["y"] + place["y"])
    tip = area.locator(".tip")
    expect(tip).to_be_visible(timeout=10_000)
    said = re.search(r"document \d+", tip.inner_text())
    assert said
    page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])
    expect(page.get_by_role("button", name="Close")).to_be_visible(timeout=30_000)
    expect(page.locator(".tamis-text", has_text=re.compile(f"^{said.group()}$"))).to_be_visible(timeout=30_000)


def touch(session: CDPSession, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_fingers_move_zoom_and_draw_a_lasso_after_resting(dashboard: Dashboard, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1180, "height": 820}, has_touch=True)
    page = context.new_page()
    area = opened(page, dashboard)
    session = context.new_cdp_session(page)
    box = area.bounding_box()
    assert box is not None
    x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.45 * box["height"]

    home = [float(part) for part in (area.get_attribute("data-view") or "").split()]
    touch(session, "touchStart", (x, y))
    for step in range(1, 5):
        touch(session, "touchMove", (x + 20 * step, y))
    touch(session, "touchEnd")
    page.wait_for_timeout(300)
    moved = [float(part) for part in (area.get_attribute("data-view") or "").split()]
    assert moved[0] < home[0] and moved[1:] == home[1:]

    touch(session, "touchStart", (x - 40, y), (x + 40, y))
    for step in range(1, 9):
        touch(session, "touchMove", (x - 40 - 5 * step, y), (x + 40 + 5 * step, y))
    touch(session, "touchEnd")
    page.wait_for_timeout(300)
    zoomed = [float(part) for part in (area.get_attribute("data-view") or "").split()]
    assert zoomed[2] == pytest.approx(2 * home[2], rel=0.1)

    area.get_by_role("button", name="Fit").tap()
    page.wait_for_timeout(300)
    touch(session, "touchStart", (x - 120, y - 120))
    expect(area).to_have_attribute("data-holding", "yes")
    for place in ((x + 120, y - 120), (x + 120, y + 120), (x - 120, y + 120)):
        touch(session, "touchMove", place)
    touch(session, "touchEnd")
    assert 0 < selected(page) < N
    context.close()


def test_the_map_follows_the_window_and_the_theme(dashboard: Dashboard, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    page = context.new_page()
    area = opened(page, dashboard)
    paper = area.evaluate("(root) => getComputedStyle(root).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(paper[:3]) < 60
    page.set_viewport_size({"width": 1000, "height": 700})
    page.wait_for_function(
        "(root) => Math.abs(root.querySelector('canvas.gl').width - root.clientWidth * devicePixelRatio) <= 3"
        " && root.clientWidth < 900",
        arg=area.element_handle(),
    )
    assert area.evaluate(INK)["ink"] > 100
    context.close()


def test_without_webgl2_a_stated_sample_is_shown_and_stays(dashboard: Dashboard, page: Page) -> None:
    page.add_init_script(
        "const ask = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind === 'webgl2' ? null : ask.call(this, kind, ...rest); };"
    )
    page.goto(f"{dashboard.url}/map?corpus=mapped")
    stated = page.get_by_text("a sample of 20\u202f000 of 40\u202f000 points (seed 0)")
    expect(stated).to_be_visible(timeout=30_000)
    expect(page.locator(".stPlotlyChart")).to_be_visible(timeout=30_000)
    page.get_by_text("Fade dropped").click()
    page.wait_for_timeout(1_500)
    expect(stated).to_be_visible()
    expect(page.locator(".stPlotlyChart")).to_be_visible()


def test_a_lasso_around_the_middle_selects_part_of_the_map(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    lasso(page, radius=130)
    assert 0 < selected(page) < N
    expect(area.get_by_role("status")).to_contain_text("Density of")
