"""What axe-core finds on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "rules": {"target-size": {"enabled": True}},
}
"""Everything up to WCAG 2.2 AA and good practice; no rule is left out."""

TRIES = 5
"""Times that a page is looked at, a second apart: what Streamlit still fades in has too little contrast."""


def violations(page: Page) -> list[str]:
    """Return what is not accessible on a page, one line an element: rule, impact, HTML."""
    found = _violations(page)
    for _ in range(TRIES - 1):
        if not found:
            break
        page.wait_for_timeout(1000)
        found = _violations(page)
    return found


def _violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{rule['id']} ({rule['impact']}): {node['html'][:200]}" for rule in found for node in rule["nodes"]]


_CUT = """() => [...document.querySelectorAll('[data-testid=stMain] button [data-testid=stMarkdownContainer] p')]
  .filter(p => p.offsetParent && p.clientWidth > 2 && p.scrollWidth > p.clientWidth + 1).map(p => p.innerText)"""


def cut_labels(page: Page) -> list[str]:
    """Return the labels of buttons that do not fit into them."""
    return list(page.evaluate(_CUT))
