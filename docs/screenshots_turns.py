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
from screenshots import SIZE, save  # noqa: E402


def main() -> None:
    """Take both pictures, light and dark."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for name, rows in (("chats", conversations()), ("pairs", preferences())):
            tamis("analyze", str(write_rows(place / f"{name}.jsonl", rows)), "--name", name, home=place / "home")
        with served(place / "home", place) as dashboard, browser() as chromium:
            for theme in ("light", "dark"):
                page = chromium.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
                for corpus, name, row in (("chats", "conversation", 45), ("pairs", "pair", 45)):
                    page.goto(f"{dashboard.url}/documents?corpus={corpus}")
                    settle(page)
                    read(page, row)
                    save(page, name, theme)
                page.close()


def read(page: Page, row: int) -> None:
    """Open a document of the table, and what is folded in its first fold."""
    page.get_by_test_id("stDataFrame").first.click(position={"x": 15, "y": row})
    page.get_by_role("button", name="Close").wait_for()
    settle(page)
    if page.locator("details.tamis-fold").count():
        page.locator("details.tamis-fold summary").first.click()
    page.mouse.move(5, 890)
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
