"""What people click on the Clusters page: names, merging, splitting, taking back, comparing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from dashboard import Dashboard, served, settle, tamis
from docstrings import write_corpus
from playwright.sync_api import Page, expect
from topics import TOPICS, blob_vectors, topic_texts

pytestmark = pytest.mark.browser

PER_TOPIC = 90
ROW = 30


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve four topics that lie apart on a given map."""
    root = tmp_path_factory.mktemp("clusters")
    texts, labels = topic_texts(PER_TOPIC)
    vectors, _ = blob_vectors(PER_TOPIC)
    places = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[labels] + np.random.default_rng(0).normal(size=(len(labels), 2))
    table = pa.table(
        {"text": texts, "x": places[:, 0], "y": places[:, 1], "vector": pa.array(list(vectors.astype("f4")))}
    )
    corpus = write_corpus(root / "corpus", table)
    given = ("--vectors", "vector", "--coordinates", "x,y", "--map", "min_cluster_size=20")
    tamis("analyze", str(corpus), "--name", "topics", *given, home=root / "home")
    with served(root / "home", corpus) as running:
        yield running


def opened(page: Page, dashboard: Dashboard, *, clusters: int) -> None:
    """Open the page and wait until it tells so many clusters."""
    page.goto(f"{dashboard.url}/clusters?corpus=topics")
    settle(page)
    told(page, clusters)


def told(page: Page, clusters: int) -> None:
    expect(page.get_by_text(re.compile(rf"^{clusters} clusters in"))).to_be_visible(timeout=90_000)


def choose(page: Page, *places: int) -> None:
    """Tick rows of the table."""
    table = page.locator(".stDataFrame").first
    table.wait_for(timeout=30_000)
    box = table.bounding_box()
    assert box is not None
    for place in places:
        page.mouse.click(box["x"] + 15, box["y"] + 35 + ROW * place + ROW / 2)
    settle(page)


def take_back(page: Page, dashboard: Dashboard, *, clusters: int) -> None:
    page.goto(f"{dashboard.url}/clusters?corpus=topics")
    page.get_by_role("button", name="Take the last edit back").click()
    told(page, clusters)


def test_a_name_given_on_the_page_is_used_on_the_map_and_an_empty_one_brings_the_old_back(
    dashboard: Dashboard, page: Page
) -> None:
    opened(page, dashboard, clusters=4)
    choose(page, 0)
    field = page.get_by_role("textbox", name="Name", exact=True)
    before = field.input_value()
    field.fill("My own name")
    field.press("Enter")
    expect(page.get_by_role("heading", name="My own name")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Map").first.click()
    legend = page.locator(".tamis-map[data-ready]").get_by_role("group", name="Legend")
    expect(legend.get_by_text("My own name")).to_be_visible(timeout=60_000)
    opened(page, dashboard, clusters=4)
    choose(page, 0)
    field.fill("")
    field.press("Enter")
    expect(page.get_by_role("heading", name=before)).to_be_visible(timeout=30_000)


def test_merged_clusters_are_one_until_the_edit_is_taken_back(dashboard: Dashboard, page: Page) -> None:
    opened(page, dashboard, clusters=4)
    choose(page, 0, 1)
    page.get_by_role("button", name="Merge these 2").click()
    told(page, 3)
    expect(page.get_by_role("button", name="Merge these 2")).to_have_count(0, timeout=30_000)
    take_back(page, dashboard, clusters=4)
    expect(page.get_by_role("button", name="Take the last edit back")).to_have_count(0, timeout=30_000)


def test_a_split_cluster_is_several_until_the_edit_is_taken_back(dashboard: Dashboard, page: Page) -> None:
    opened(page, dashboard, clusters=4)
    choose(page, 1)
    parts = page.get_by_role("spinbutton", name="Parts")
    parts.fill("3")
    parts.press("Enter")
    settle(page)
    page.get_by_role("button", name="Split").click()
    told(page, 6)
    take_back(page, dashboard, clusters=4)


def test_two_clusters_are_compared_by_the_words_only_one_of_them_uses(dashboard: Dashboard, page: Page) -> None:
    opened(page, dashboard, clusters=4)
    choose(page, 0, 1)
    chart = page.locator(".stPlotlyChart").last
    expect(chart.get_by_text("% of documents with the word")).to_be_visible(timeout=30_000)
    words = set(chart.locator(".ytick").all_text_contents())
    topics = [set(topic.split()) & words for topic in TOPICS.values()]
    assert sum(len(found) >= 3 for found in topics) == 2, words
