"""What a lasso drawn in Chromium selects is what a headless run exports, document by document, on large maps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clicks import funnel, lasso, number
from dashboard import served, settle, tamis
from mapped_corpus import SERVER, analysed, write_mapped
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tamis.analytics.export.bundle import Bundle
from tamis.analytics.operators.selection import MapPolygon

pytestmark = pytest.mark.browser


def inside(x: NDArray[np.float32], y: NDArray[np.float32], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which points are inside by the sign changes of a ray to the right; float64, edge by edge, bool (n,)."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


@pytest.mark.parametrize("documents", [100_000])
def test_a_lasso_drawn_on_a_large_map_exports_exactly_the_documents_inside_it(
    documents: int, page: Page, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    corpus = write_mapped(tmp_path / "corpus", documents)
    analysed(corpus, home, "large")
    with served(home, corpus, program=SERVER) as dashboard:
        page.goto(f"{dashboard.url}/map?corpus=large")
        lasso(page, radius=160)
        shown = number(page.locator("[data-testid=stSidebar]").get_by_text(re.compile(r"\d selected$")).inner_text())
        page.get_by_role("button", name="Keep only").click()
        total, kept = funnel(page)
        page.get_by_role("link", name="Recipe").first.click()
        settle(page)
        page.get_by_role("tab", name="Export and run").click()
        page.get_by_role("button", name="Export bundle").click()
        expect(page.get_by_text("Exported.")).to_be_visible(timeout=60_000)
    folder = next(path for path in (home / "bundles").iterdir() if not path.name.startswith("."))
    out = tmp_path / "out"
    tamis("run", str(folder), str(corpus), "-o", str(out), home=tmp_path / "other-home")

    bundle = Bundle.open(folder)
    [rule] = [step.operator for step in bundle.recipe.steps]
    assert isinstance(rule, MapPolygon)
    table = pq.read_table(corpus)
    drawn = np.array(rule.vertices)
    within = inside(table.column("x").to_numpy(), table.column("y").to_numpy(), drawn)
    expected = table.column("text").filter(pa.array(within)).sort()
    exported = pq.read_table(out / "curated", columns=["text"]).column("text")
    assert total == documents and 0 < shown < documents
    assert shown == kept == rule.documents == len(expected)
    assert exported.cast(pa.string()).sort().combine_chunks() == expected.cast(pa.string()).combine_chunks()
