"""What people click, in Chromium, on a real corpus: from a lasso to the same selection on the command line."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clicks import funnel, go, lasso, number, search
from dashboard import Dashboard, served, settle, tamis, visit
from docstrings import write_corpus
from playwright.sync_api import Browser, Page, expect
from shared_corpus import SharedCorpus

pytestmark = pytest.mark.browser

PAYLOADS = (
    "<script>window.pwned = 1</script>",
    '<img src=x onerror="window.pwned = 1">',
    "[click](javascript:window.pwned=1) ![x](https://evil.invalid/x.png)",
    "<b id=injected>bold</b> **bold** `code` $x^2$ :material/home:",
    "</div></div><iframe id=injected src=https://evil.invalid></iframe>",
    "https://evil.invalid/a or www.evil.invalid or ann@evil.invalid",
)


@pytest.fixture(scope="module")
def dashboard(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve two analysed corpora: real docstrings, and texts that try to be more than text."""
    root = tmp_path_factory.mktemp("dashboard")
    home = docstring_corpus.copy_home(root / "home")
    texts = [f"{payload} number {k} of the hostile documents" for k in range(12) for payload in PAYLOADS]
    # Duplicates lead their groups.
    hostile = pa.table({"text": [*texts, *PAYLOADS, *PAYLOADS], "source": [*PAYLOADS] * 14})
    tamis("analyze", str(write_corpus(root / "hostile", hostile)), "--name", "hostile", "--tier", "fast", home=home)
    with served(home, docstring_corpus.corpus) as running:
        yield running


def show(page: Page, dashboard: Dashboard, name: str, corpus: str = "corpus") -> None:
    page.goto(f"{dashboard.url}/{name}?corpus={corpus}")
    settle(page)


def resharded(source: Path, folder: Path) -> Path:
    """Write the same documents shuffled, in another number of files."""
    table = pa.concat_tables(pq.read_table(path) for path in sorted(source.glob("*.parquet")))
    return write_corpus(folder, table, files=5, seed=7)


def changed(source: Path, folder: Path, text: str) -> Path:
    """Write the same documents with the first one replaced."""
    table = pa.concat_tables(pq.read_table(path) for path in sorted(source.glob("*.parquet")))
    texts = [text, *table.column("text").to_pylist()[1:]]
    place = table.schema.get_field_index("text")
    return write_corpus(folder, table.set_column(place, "text", pa.array(texts, pa.large_string())))


def test_a_lasso_and_a_cut_made_in_the_browser_run_headless_with_the_same_digest(
    dashboard: Dashboard, page: Page, tmp_path: Path
) -> None:
    show(page, dashboard, "map")
    lasso(page, radius=110)
    selected = number(page.locator("[data-testid=stSidebar]").get_by_text(re.compile(r"\d selected$")).inner_text())
    page.get_by_role("button", name="Drop", exact=True).click()
    total, after_lasso = funnel(page)
    assert total - after_lasso == selected > 0

    go(page, "Quality")
    page.get_by_role("spinbutton", name="Drop below").fill("12")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save as rule").click()
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(3, timeout=30_000)
    kept = funnel(page)[-1]
    assert kept < after_lasso

    go(page, "Recipe")
    page.get_by_role("tab", name="Export and run").click()
    page.get_by_role("button", name="Export bundle").click()
    expect(page.get_by_text("Exported.")).to_be_visible(timeout=60_000)
    bundle = next(path for path in (dashboard.home / "bundles").iterdir() if not path.name.startswith("."))

    other = resharded(dashboard.corpus, tmp_path / "resharded")
    out = tmp_path / "out"
    done = tamis("run", str(bundle), str(other), "-o", str(out), home=tmp_path / "other-home")
    manifest = json.loads((out / "run.json").read_text("utf-8"))
    lock = json.loads((bundle / "recipe.lock.json").read_text("utf-8"))
    assert manifest["selection"] == lock["selection"], done.stdout
    assert manifest["counts"][-1]["documents"] == kept
    assert "agrees" in tamis("verify", str(bundle), str(other), home=tmp_path / "other-home").stdout

    poorer = changed(dashboard.corpus, tmp_path / "changed", "no")
    refused = tamis("verify", str(bundle), str(poorer), home=tmp_path / "other-home", check=False)
    assert refused.returncode == 2
    assert "differs" in refused.stderr
    assert "map-polygon" in refused.stderr or "n-tokens" in refused.stderr


def test_the_map_is_saved_as_a_picture_with_labels_that_stay_text(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "map")
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=60_000)
    saved = {}
    for name in ("PNG", "SVG"):
        with page.expect_download() as loading:
            area.get_by_role("button", name=name).click()
        saved[name] = Path(loading.value.path()).read_bytes()
        assert loading.value.suggested_filename == f"tamis-map.{name.lower()}"
    assert saved["PNG"].startswith(b"\x89PNG") and len(saved["PNG"]) > 5_000
    drawn = ElementTree.fromstring(saved["SVG"].decode())
    words = [node.text or "" for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "Cluster" in words and len(words) > 3
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}image"))) == 1


def test_a_link_shows_a_colleague_the_same_view(dashboard: Dashboard, page: Page, chromium: Browser) -> None:
    show(page, dashboard, "")
    page.get_by_role("button", name="Select", exact=True).first.click()
    page.get_by_role("button", name="Drop", exact=True).click()
    before = funnel(page)
    expect(page).to_have_url(re.compile("view=[0-9a-f]{64}"))
    colleague = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    colleague.goto(page.url)
    settle(colleague)
    assert funnel(colleague) == before
    colleague.context.close()


def test_undo_and_redo_go_back_and_forth(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "")
    page.get_by_role("button", name="Select", exact=True).first.click()
    page.get_by_role("button", name="Drop", exact=True).click()
    before = funnel(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("funnel")).to_have_count(0, timeout=30_000)
    settle(page)
    page.get_by_role("button", name="Redo").click()
    assert funnel(page) == before


def test_a_search_selects_and_the_document_opens_with_its_reason(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "documents")
    search(page, "event loop")
    expect(page.get_by_role("button", name="Drop", exact=True)).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Drop", exact=True).click()
    total, kept = funnel(page)
    assert 0 < total - kept < total / 2


def test_texts_that_try_to_be_markup_stay_texts(dashboard: Dashboard, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    for name in ("", "map", "duplicates", "clusters", "quality", "documents"):
        show(page, dashboard, name, corpus="hostile")
        page.wait_for_timeout(1200)
        assert page.locator("a[href*='evil.invalid']").count() == 0, name
        assert page.evaluate("window.pwned") is None, name
        assert page.locator("#injected").count() == 0, name
    page.locator(".tamis-table .opener").first.wait_for()
    outside = [url for url in asked if not url.startswith((dashboard.url, "data:", "blob:"))]
    assert not outside


def test_the_map_bytes_need_the_token_of_a_session(dashboard: Dashboard, page: Page) -> None:
    with page.expect_request(re.compile("/tamis/blob/points")) as caught:
        show(page, dashboard, "map")
    request = caught.value
    assert request.response().status == 200
    for token in ("", "guessed"):
        bare = urllib.request.Request(request.url, headers={"x-tamis-token": token} if token else {})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(bare, timeout=10)
        assert refused.value.code == 403
        refused.value.close()


def test_a_cluster_is_selected_and_dropped(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "clusters")
    table = page.locator(".stDataFrame").first
    table.wait_for(timeout=30_000)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 50)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_role("button", name="Drop", exact=True).click()
    total, kept = funnel(page)
    assert 0 < total - kept < total


def test_every_answer_says_what_may_be_loaded_and_every_page_obeys(dashboard: Dashboard, page: Page) -> None:
    for path in ("/", "/map", "/_stcore/health", "/static/nothing.js"):
        try:
            with urllib.request.urlopen(dashboard.url + path, timeout=10) as answer:
                headers = answer.headers
        except urllib.error.HTTPError as error:
            headers = error.headers
            error.close()
        assert "frame-ancestors 'none'" in headers["content-security-policy"] and headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(dashboard.url)
    for name in ("map", "clusters", "duplicates", "quality", "recipe", "effect", "review", "documents", "jobs"):
        visit(page, dashboard, name)
    visit(page, dashboard, "map")
    page.locator(".tamis-map[data-ready]").wait_for(timeout=60_000)
    own = (dashboard.url, "data:", "blob:")
    assert refused == [] and [url for url in asked if not url.startswith(own)] == []


def test_a_saved_view_brings_corpus_selection_and_recipe_back_to_anyone(
    dashboard: Dashboard, page: Page, chromium: Browser
) -> None:
    show(page, dashboard, "documents")
    search(page, "event loop")
    rail = page.get_by_test_id("stSidebar")
    expect(rail).to_contain_text("“event loop”", timeout=30_000)
    words = rail.get_by_text(re.compile(r"\d.* selected$")).inner_text()
    page.get_by_test_id("stPopover").filter(has_text="Views").get_by_role("button").click()
    page.get_by_role("textbox", name="Save this view as").fill("loops of events")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved as loops-of-events. Names have no spaces.")).to_be_visible(timeout=30_000)

    # Somebody else, on another corpus.
    other = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    show(other, dashboard, "quality", "hostile")
    other.get_by_test_id("stPopover").filter(has_text="Views").get_by_role("button").click()
    other.get_by_role("button", name="loops-of-events", exact=True).click()
    expect(other.get_by_test_id("stSidebar")).to_contain_text(words, timeout=30_000)
    expect(other).to_have_url(re.compile("corpus=corpus"))
    settle(other)
    if not other.get_by_role("button", name="Remove the view loops-of-events").is_visible():
        other.get_by_test_id("stPopover").filter(has_text="Views").get_by_role("button").click()
    other.get_by_role("button", name="Remove the view loops-of-events").click()
    expect(other.get_by_role("button", name="loops-of-events", exact=True)).to_have_count(0, timeout=30_000)
    other.context.close()


def test_another_corpus_stands_beside_the_open_one_and_on_its_map(dashboard: Dashboard, page: Page) -> None:
    show(page, dashboard, "")
    main = page.get_by_test_id("stMain")
    page.get_by_text("Beside another corpus").click()
    field = page.get_by_role("combobox", name="Other corpus")
    expect(field).to_be_visible(timeout=30_000)
    settle(page)
    field.click()
    page.get_by_role("option", name="hostile", exact=True).click()
    sizes = main.locator(".tamis-stats").last
    expect(sizes).to_contain_text("Documents of hostile", timeout=60_000)
    assert number(sizes.locator("div:has-text('Documents of hostile') b").inner_text()) == 14 * len(PAYLOADS)
    assert number(sizes.locator("div:has-text('Documents of corpus') b").inner_text()) > 200
    expect(
        main.get_by_text("The distance is the largest difference of the two cumulative distributions")
    ).to_be_visible()
    page.get_by_role("button", name="Place it on the map").click()
    expect(page.get_by_text("0 of hostile have no embedding")).to_be_visible(timeout=120_000)
    settle(page)
    figure = main.locator(".js-plotly-plot").last
    expect(figure.locator(".legendtext")).to_have_text(["corpus", "hostile"], timeout=30_000)
    assert page.evaluate("window.pwned === undefined && document.getElementById('injected') === null")
