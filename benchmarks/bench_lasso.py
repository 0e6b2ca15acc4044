"""A lasso drawn on a large map gives the rows that are exported: ``bench_lasso.py [--home FOLDER --corpus NAME]``

Opens an analysed corpus, or a million documents on a given map, in Chromium, draws a lasso, drops what it holds,
exports the bundle, runs it headless on the same corpus, and compares: the number selected, the funnel, the ids in the
bundle, and the rows the run kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from clicks import funnel, lasso, number
from dashboard import PROGRAM, browser, served, settle, tamis
from mapped_corpus import SERVER, analysed, write_mapped
from playwright.sync_api import expect

from tamis.data.workspace import Workspace

DOCUMENTS = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the given corpus, or make one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=os.environ.get("TAMIS_BENCH_HOME"))
    parser.add_argument("--corpus", default="demo")
    chosen = parser.parse_args(arguments)
    if chosen.home is not None:
        return compare(chosen.home, chosen.corpus, program=PROGRAM)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        analysed(write_mapped(Path(folder, "corpus"), DOCUMENTS), home, "large")
        return compare(home, "large", program=SERVER)


def compare(home: Path, name: str, *, program: str) -> int:
    """Draw, export, run, compare on an analysed corpus; return 1 where something differs."""
    path = Workspace(home).corpus(name).path
    with served(home, Path(path), program=program) as dashboard, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{dashboard.url}/map?corpus={name}", timeout=300_000)
        begun = time.perf_counter()
        lasso(page, radius=160)
        print(f"map opened and lasso drawn: {time.perf_counter() - begun:.1f} s")
        label = page.locator("[data-testid=stSidebar]").get_by_text(re.compile("selected$"))
        selected = number(label.inner_text())
        begun = time.perf_counter()
        page.get_by_role("button", name="Drop", exact=True).click()
        total, left = funnel(page)
        print(f"dropped: {time.perf_counter() - begun:.2f} s; {selected:,} of {total:,} selected, {left:,} left")
        page.get_by_role("link", name="Recipe").first.click()
        settle(page)
        page.get_by_role("tab", name="Export and run").click()
        known = set((home / "bundles").glob("*"))
        page.get_by_role("button", name="Export bundle").click()
        expect(page.get_by_text("Exported.")).to_be_visible(timeout=600_000)
        bundle = next(new for new in (home / "bundles").glob("[!.]*") if new not in known)
    held = sum(pq.read_metadata(file).num_rows for file in (bundle / "artifacts").glob("*.parquet"))
    with tempfile.TemporaryDirectory() as folder:
        tamis("run", str(bundle), path, "-o", f"{folder}/out", home=home)
        manifest = json.loads(Path(folder, "out", "run.json").read_bytes())
        kept = sum(pq.read_metadata(file).num_rows for file in Path(folder, "out").glob("curated*/*.parquet"))
        kept = kept or sum(pq.read_metadata(file).num_rows for file in Path(folder, "out").glob("curated*.parquet"))
    lock = json.loads((bundle / "recipe.lock.json").read_bytes())
    same = (
        manifest["selection"] == lock["selection"],
        total - left == selected == held,
        manifest["counts"][-1]["documents"] == left == kept,
    )
    print(f"ids in the bundle {held:,}, rows of the run {kept:,}; digest equal, ids equal, rows equal: {same}")
    return int(not all(same))


if __name__ == "__main__":
    raise SystemExit(main())
