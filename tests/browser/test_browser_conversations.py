"""Conversations and preference pairs in Chromium: read as turns, by keyboard, on a phone, shown before the analysis."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from accessibility import violations
from chat_corpora import LONG, conversations, preferences, write_rows
from clicks import go, open_row, search
from dashboard import Dashboard, served, settle, tamis
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from shared_corpus import shared_folder

from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace

pytestmark = pytest.mark.browser
PATIENT = 30_000
RENDERED = "<|im_start|>user\nHello {n}<|im_end|>\n<|im_start|>assistant\nGood day.<|im_end|>\n"


@pytest.fixture(scope="module")
def dashboard(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve conversations and pairs, analysed, and two corpora that are not."""

    def make(folder: Path) -> None:
        for name, rows in (("chats", conversations()), ("pairs", preferences())):
            path = write_rows(folder / f"{name}.jsonl", rows)
            tamis("analyze", str(path), "--name", name, "--tier", "fast", home=folder / "home")
        home = Workspace(folder / "home")
        for name, rows in (
            ("raw", conversations(20)),
            ("rendered", [{"text": RENDERED.format(n=n)} for n in range(9)]),
        ):
            corpus = open_corpus(write_rows(folder / f"{name}.jsonl", rows))
            home.remember(CorpusEntry(name, corpus.path, {}, corpus.fingerprint, {}))

    folder = shared_folder(tmp_path_factory, "chats", make)
    with served(folder / "home", folder) as running:
        yield running


def at(page: Page, dashboard: Dashboard, corpus: str, name: str = "") -> None:
    page.goto(f"{dashboard.url}/{name}?corpus={corpus}")
    settle(page)


def read_first(page: Page) -> None:
    """Open the first document of the table."""
    open_row(page)


def test_a_conversation_is_read_as_turns_and_opened_by_keyboard(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "chats", "documents")
    read_first(page)
    turns = page.locator(".tamis-turn")
    assert [each.get_attribute("aria-label") for each in turns.all()][:5] == [
        "Turn 1, system", "Turn 2, user", "Turn 3, assistant", "Turn 4, tool", "Turn 5, assistant",
    ]  # fmt: skip
    expect(turns.nth(5)).to_contain_text("<b>Is that all?</b> תודה רבה", timeout=PATIENT)
    folds = page.locator("details.tamis-fold")
    expect(folds.filter(has_text="They want to").locator(".tamis-text")).to_be_hidden(timeout=PATIENT)
    folds.nth(0).locator("summary").focus()
    page.keyboard.press("Enter")
    expect(folds.nth(0).locator(".tamis-text")).to_contain_text('"languages": [\n      "en",', timeout=PATIENT)
    more = page.locator("details.tamis-more")
    more.locator("summary").focus()
    page.keyboard.press("Space")
    expect(more).to_contain_text(LONG[-40:], timeout=PATIENT)
    assert violations(page) == []
    marks = page.get_by_role("combobox", name="Mark in the text")
    marks.click()
    page.keyboard.type("Personal")
    page.get_by_role("option", name="Personal data").click()
    expect(page.locator(".tamis-turn.user mark").first).to_have_text("ann0@kitchen.net", timeout=PATIENT)


def test_a_pair_stands_side_by_side_and_on_a_phone_one_below_the_other(dashboard: Dashboard, chromium: Browser) -> None:
    for width, beside in ((1440, True), (390, False)):
        page = chromium.new_context(viewport={"width": width, "height": 844}).new_page()
        page.goto(f"{dashboard.url}/documents?corpus=pairs")
        page.locator(".tamis-table tbody tr").first.click(timeout=PATIENT)
        chosen, rejected = (page.locator(f".tamis-turn.{side}").first for side in ("chosen", "rejected"))
        left, right = chosen.bounding_box(), rejected.bounding_box()
        assert left is not None and right is not None
        assert (left["y"] == right["y"]) is beside and (left["x"] == right["x"]) is not beside
        assert chosen.locator(".tamis-differs").count() and rejected.locator(".tamis-differs").count()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.context.close()


def test_overview_counts_turns_and_parts_and_lists_the_rows_that_are_no_documents(
    dashboard: Dashboard, page: Page
) -> None:
    at(page, dashboard, "chats")
    rows = [row["messages"] for row in conversations()[:60]]
    turns = sum(map(len, rows))
    expect(page.locator(".tamis-roles")).to_contain_text(f"{turns} turns of", timeout=PATIENT)
    users = sum(turn["role"] == "user" for row in rows for turn in row) + sum("image_url" in str(row) for row in rows)
    expect(page.locator(".tamis-said.user").first).to_have_text(f"user {users}", timeout=PATIENT)
    page.get_by_text("3 rows are no documents: see why").click()
    expect(page.locator(".tamis-row")).to_have_count(3, timeout=PATIENT)
    expect(page.locator(".tamis-row").last).to_contain_text(
        "chats.jsonl, row 63: message 1 has no role (role)", timeout=PATIENT
    )
    expect(page.locator(".tamis-row").last).to_contain_text('"content": "<i>who</i> speaks?"', timeout=PATIENT)
    page.get_by_role("combobox", name="Why these rows").click()
    page.get_by_role("option", name="messages is NULL (1)").click()
    expect(page.locator(".tamis-row")).to_have_count(1, timeout=PATIENT)
    assert violations(page) == []
    go(page, "Documents")
    page.get_by_text("no documents", exact=True).click()
    expect(page.locator(".tamis-row")).to_have_count(3, timeout=PATIENT)


def test_a_search_looks_at_the_part_that_was_chosen(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "chats", "documents")
    # Two of the ten conversations with the long turn go on after it.
    for scope, found in (("in: whole", 10), ("in: response", 8), ("in: user", 0)):
        page.get_by_role("combobox", name="In", exact=True).click()
        page.get_by_role("option", name=scope, exact=True).click()
        search(page, "Stir slowly")
        shown = f"1 to {found} of {found} documents" if found else "0 to 0 of 0 documents"
        expect(page.get_by_text(shown)).to_be_visible(timeout=PATIENT)
        page.get_by_role("button", name="Clear", exact=False).first.click()
        expect(page.get_by_text("nothing selected")).to_be_visible(timeout=PATIENT)
        settle(page)


def test_before_the_analysis_the_shape_is_shown_tried_and_refused_at_its_field(
    dashboard: Dashboard, page: Page
) -> None:
    at(page, dashboard, "raw")
    expect(page.get_by_text("Each row is a conversation in messages")).to_be_visible(timeout=PATIENT)
    expect(
        page.get_by_text("3 of the first 23 rows are no documents: message 1 has no role (role) (1)")
    ).to_be_visible()
    page.get_by_text("Choose how rows become documents").click()
    settle(page)
    key = page.get_by_role("textbox", name="Key of the role")
    key.fill("speaker")
    key.press("Enter")
    fault = page.locator(".tamis-fault")
    expect(fault).to_contain_text(
        "None of the first 23 rows is a document then: message 1 has no role (speaker)", timeout=PATIENT
    )
    cell = page.get_by_test_id("stColumn").filter(has=key)
    expect(cell.locator(".tamis-fault")).to_have_count(1, timeout=PATIENT)
    assert violations(page) == []
    page.get_by_role("combobox", name="A row is").click()
    page.get_by_role("option", name="template: several columns joined").click()
    settle(page)
    template = page.get_by_role("textbox", name="Template")
    template.fill("From {nowhere}: {id}")
    template.press("Control+Enter")
    expect(fault).to_contain_text("no such column", timeout=PATIENT)
    template.fill("From {source}: {id}")
    template.press("Control+Enter")
    expect(page.locator(".tamis-row").first).to_contain_text("kitchen", timeout=PATIENT)
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_text("Each row is columns source, id joined by a template")).to_be_visible(timeout=PATIENT)


def test_a_rendered_template_opens_as_turns_with_one_click(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "rendered")
    expect(page.get_by_text("Column text holds conversations rendered with the template ChatML")).to_be_visible(
        timeout=PATIENT
    )
    page.get_by_role("button", name="Open as turns").click()
    expect(page.get_by_text("Each row is a conversation in text (messages)")).to_be_visible(timeout=PATIENT)
    expect(page.locator(".tamis-turn.user").first).to_contain_text("Hello 0", timeout=PATIENT)


@pytest.mark.parametrize("corpus", ["chats", "pairs"])
def test_every_page_shows_turns_and_fits_a_phone(corpus: str, dashboard: Dashboard, chromium: Browser) -> None:
    page = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
    for name in ("quality", "review"):
        page.goto(f"{dashboard.url}/{name}?corpus={corpus}")
        if name == "review":
            page.get_by_label("Your name").last.fill("Ada")
            page.keyboard.press("Enter")
        page.locator(".tamis-turn.user, .tamis-said.user").first.wait_for(timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_a_point_of_the_map_says_who_says_what(dashboard: Dashboard, page: Page) -> None:
    at(page, dashboard, "chats", "map")
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=60_000)
    picture = np.asarray(Image.open(BytesIO(area.screenshot())).convert("L"), dtype=np.int16)
    box = area.bounding_box()
    assert box is not None
    ground = int(np.median(picture))
    places = np.argwhere(np.abs(picture[120:-60, 10:-220] - ground) > 8)
    y, x = (int(each) for each in places[len(places) // 2])
    page.mouse.move(box["x"] + 10 + x, box["y"] + 120 + y)
    tip = area.locator(".tip")
    expect(tip.locator(".tamis-said.user b")).to_have_text("user", timeout=20_000)
    expect(tip.locator(".tamis-said.user span")).to_contain_text("How do I", timeout=PATIENT)
    expect(tip.locator(".tamis-said.assistant span")).to_contain_text("Repeat this", timeout=PATIENT)
