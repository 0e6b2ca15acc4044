"""Make the pictures of a conversation and of a preference pair in docs/screenshots, from small made-up corpora.

Usage: ``python docs/screenshots_turns.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "docs")]

from chat_corpora import conversations, preferences, write_rows  # noqa: E402
from dashboard import browser, served, settle, tamis  # noqa: E402
from screenshots import FOLDER, SIZE, Camera  # noqa: E402


def main() -> None:
    """Take both pictures."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for name, rows in (("chats", conversations()), ("pairs", preferences())):
            path = write_rows(place / f"{name}.jsonl", rows)
            tamis("analyze", str(path), "--name", name, "--tier", "fast", home=place / "home")
        with served(place / "home", place) as dashboard, browser() as chromium:
            for corpus, name, theme in (("chats", "conversation", "light"), ("pairs", "pair", "dark")):
                page = chromium.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
                page.goto(f"{dashboard.url}/documents?corpus={corpus}")
                settle(page)
                read_first(page)
                Camera(page, theme, FOLDER).save(name)
                page.close()


def read_first(page: Page) -> None:
    """Open the first document of the table, and its first fold."""
    page.locator(".tamis-table tbody tr").first.click()
    page.get_by_role("button", name="Close").wait_for()
    settle(page)
    if page.locator("details.tamis-fold").count():
        page.locator("details.tamis-fold summary").first.click()
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
