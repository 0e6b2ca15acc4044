"""What axe-core finds on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

NOT_OURS = ("empty-table-header",)
"""Rules that Streamlit's own tables and frames break."""


def violations(page: Page) -> list[str]:
    """Return what is not accessible on a page, one line an element: rule, impact, HTML."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in found
        if rule["id"] not in NOT_OURS
        for node in rule["nodes"]
    ]
