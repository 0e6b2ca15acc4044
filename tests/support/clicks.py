"""What people do on a page and read from it, for all browser tests."""

from __future__ import annotations

import math
import re

from dashboard import settle
from playwright.sync_api import Locator, Page, expect

SLOW = 30_000
"""Milliseconds that a busy machine may take for one answer."""


def go(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).first.click()
    expect(page).to_have_url(re.compile(f"/{name.lower()}"))
    settle(page)


def lasso(page: Page, *, radius: float) -> None:
    """Draw a circle around the middle of the map and wait for what it selects."""
    outline(page, radius=radius)
    release(page)


def release(page: Page) -> None:
    """Let the mouse go and wait until the selection is there."""
    page.mouse.up()
    expect(page.get_by_role("button", name="Keep only")).to_be_visible(timeout=30_000)


def outline(page: Page, *, radius: float) -> None:
    """Draw a circle and keep the button of the mouse down."""
    area = page.locator(".tamis-map[data-ready]")
    area.wait_for(timeout=60_000)
    box = area.bounding_box()
    assert box is not None
    x, y = box["x"] + 0.42 * box["width"], box["y"] + 0.5 * box["height"]
    area.get_by_role("button", name="Lasso").click()
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 25):
        angle = 2 * math.pi * step / 24
        page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))


def number(text: str) -> int:
    """Return the first number of a text, thin spaces removed."""
    found = re.search(r"\d+", text.replace("\u202f", ""))
    assert found, text
    return int(found.group())


def funnel(page: Page) -> list[int]:
    """Return the counts the funnel shows."""
    page.get_by_test_id("funnel").wait_for(timeout=30_000)
    return [number(text) for text in page.locator("[data-testid=funnel] .count").all_inner_texts()]


def search(page: Page, text: str, *, kind: str = "") -> None:
    """Send a text from the command bar and wait for the answer."""
    if kind:
        page.get_by_role("combobox", name="Kind of search").click()
        page.get_by_role("option", name=kind, exact=True).click()
    field = page.get_by_role("textbox", name="Search", exact=True)
    field.fill(text)
    field.press("Enter")
    settle(page)


def open_row(page: Page, place: int = 0) -> None:
    """Open a document of the table of documents and wait for the reader."""
    page.locator(".tamis-table tbody tr").nth(place).click(timeout=30_000)
    page.get_by_role("button", name="Close", exact=True).wait_for(timeout=30_000)
    settle(page)


def summon(page: Page, key: str) -> None:
    """Press the key that leads to the command bar; the page may still be loading what listens to it."""
    for _ in range(20):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        if page.evaluate("document.activeElement?.ariaLabel") == "Search":
            return
    raise AssertionError(f"{key} does not lead to the command bar")


class ClickCounter:
    """Clicks and counts them, as the goals of a task count: each press of the mouse is one."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, place: Locator) -> None:
        """Click once and wait until the page has answered."""
        expect(place).to_be_visible(timeout=SLOW)
        place.click()
        self._answered()

    def press(self, x: float, y: float) -> None:
        """Click once at a place of the window and wait until the page has answered."""
        self.page.mouse.click(x, y)
        self._answered()

    def _answered(self) -> None:
        self.clicks += 1
        self.page.wait_for_timeout(300)
        settle(self.page)
