"""Pictures are found by a sentence with a model of both, and what is found is a selection like any other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq
import pytest
from accessibility import violations
from clicks import funnel, go, number, search
from dashboard import Dashboard, served, settle, tamis
from drawn_pictures import write_pictures
from playwright.sync_api import Page, expect
from tiny_clip import write_tiny_clip

from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.study.meaning import ranking, sentence_embedder, sentence_example
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace

pytestmark = pytest.mark.browser
PICTURES, NEAREST = 60, 7
SENTENCE = "a red circle on paper"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve drawn pictures without captions, embedded by a small model that reads pictures and texts."""
    folder = tmp_path_factory.mktemp("found")
    clip = write_tiny_clip(folder / "clip")
    path, home = write_pictures(folder / "corpus", PICTURES, captions=False), Workspace(folder / "home")
    corpus = open_corpus(path, probes=home.probes)
    write_options(home, corpus, MapOptions(tier="precise", model=str(clip), x="x", y="y"))
    Study.open(corpus, home)
    home.remember(CorpusEntry("drawn", str(path), fingerprint=corpus.fingerprint))
    with served(home.root, path) as running:
        yield running


def nearest(dashboard: Dashboard) -> list[str]:
    """Return the ids of the pictures nearest to the sentence, the nearest first, by their stored vectors."""
    home = Workspace(dashboard.home)
    study = Study.open(open_corpus(dashboard.corpus, probes=home.probes), home)
    example = sentence_example(study, SENTENCE, sentence_embedder(study))
    cosines = ranking(study, example).numbers(example.column)
    found: list[str] = study.facts.ids.take(np.argsort(-cosines, kind="stable")[:NEAREST]).to_pylist()
    return found


def test_a_sentence_selects_pictures_on_both_pages_and_a_run_keeps_exactly_these(
    dashboard: Dashboard, page: Page
) -> None:
    page.goto(f"{dashboard.url}/documents?corpus=drawn")
    settle(page)
    search(page, SENTENCE, kind="Meaning")
    told, rail = page.locator(".tamis-meaning"), page.get_by_test_id("stSidebar")
    expect(told).to_contain_text(f"of {PICTURES} documents", timeout=60_000)
    page.get_by_role("radio", name="Number", exact=True).click()
    wanted = page.get_by_role("spinbutton", name="The nearest so many documents")
    wanted.fill(str(NEAREST))
    wanted.press("Enter")
    expect(told).to_contain_text(f"{NEAREST} of {PICTURES} documents", timeout=30_000)
    page.get_by_role("button", name="Select those above").click()
    tiles = page.locator(".tamis-gallery li")
    expect(tiles).to_have_count(NEAREST, timeout=30_000)
    expect(rail).to_contain_text(f"like “{SENTENCE}” in meaning")
    assert number(rail.get_by_text(re.compile(r"\d of .*selected")).inner_text()) == NEAREST
    likeness = [float(tile.inner_text().split()[-1]) for tile in tiles.all()]
    assert likeness == sorted(likeness, reverse=True), "the nearest come first"
    assert violations(page) == []

    go(page, "Map")
    expect(page.locator(".tamis-map[data-ready]")).to_be_visible(timeout=60_000)
    expect(told).to_contain_text(f"of {PICTURES} documents")
    expect(page.locator(".tamis-sheet img")).to_have_count(NEAREST, timeout=30_000)
    beside = page.get_by_test_id("stMain").get_by_text("Signals that differ most")
    expect(beside).to_be_visible(timeout=60_000)
    assert "likeness" not in page.locator(".tamis-against").last.inner_text()

    page.get_by_role("button", name="Keep only").click()
    assert funnel(page) == [PICTURES, NEAREST]
    go(page, "Recipe")
    page.get_by_role("tab", name="Export and run").click()
    page.get_by_role("button", name="Export bundle").click()
    expect(page.get_by_text("Exported.")).to_be_visible(timeout=60_000)
    bundle = next(path for path in (dashboard.home / "bundles").iterdir() if not path.name.startswith("."))
    out = dashboard.home / "out"
    tamis("run", str(bundle), str(dashboard.corpus), "-o", str(out), home=dashboard.home)
    kept = [row["id"] for row in pq.read_table(out / "selection.parquet").to_pylist() if row["copies"]]
    assert sorted(kept) == sorted(nearest(dashboard))
