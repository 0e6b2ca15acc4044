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
    entry = area.get_by_role("button", name=re.compile("source 1"))
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
    entry = area.get_by_role("button", name=re.compile("source 1"))
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(200)
    hidden = area.evaluate(INK)["ink"]
    entry.click()
    page.wait_for_timeout(200)
    assert 0 < hidden < 0.95 * before
    assert area.evaluate(INK)["ink"] == pytest.approx(before)


def test_a_narrow_map_has_its_legend_below_the_points_and_its_tools_in_reach(dashboard: Dashboard, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    area = opened(page, dashboard)
    whole = area.bounding_box()
    tools, legend = area.locator(".tools").bounding_box(), area.get_by_role("group", name="Legend").bounding_box()
    assert whole and tools and legend
    assert tools["y"] + tools["height"] < whole["y"] + 0.3 * whole["height"]
    assert legend["y"] > whole["y"] + 0.6 * whole["height"]
    for button in area.locator(".tools button").all():
        box = button.bounding_box()
        assert box and whole["x"] <= box["x"] and box["x"] + box["width"] <= whole["x"] + whole["width"]
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(area).not_to_have_attribute("data-narrow", "")


def test_what_the_legend_hides_is_neither_counted_as_drawn_nor_selected(dashboard: Dashboard, page: Page) -> None:
    area = opened(page, dashboard)
    status, first = area.get_by_role("status"), area.get_by_role("group", name="Legend").get_by_role("button").first
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
