"""A sample is the same for any layout, nested, fair to sources; its recipe runs on the whole and keeps its promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tamis.analytics.export.bundle import Bundle
from tamis.analytics.export.run import Run
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.design_sample import ID, OTHERS, draw, draw_rows, sample_at, sample_size
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

IDS = pa.array([f"document-{number:05d}" for number in range(3_000)])
SOURCES = np.array(["large"] * 2_400 + ["small"] * 590 + ["rare"] * 10, dtype=object)


@pytest.mark.parametrize(("text", "wanted"), [("200", 200), ("2k", 2_000), ("1.5K", 1_500), ("5%", 150), ("9M", 3_000)])
def test_sizes_are_numbers_thousands_millions_or_shares(text: str, wanted: int) -> None:
    assert sample_size(text, 3_000) == wanted


@pytest.mark.parametrize("text", ["", "all", "-5", "0", "0%", "2kk", "1e5"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="Size of a sample"):
        sample_size(text, 3_000)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3_000), st.integers(1, 3_000), st.integers(0, 5))
def test_a_smaller_sample_is_part_of_a_larger_one_and_every_source_is_there(one: int, other: int, seed: int) -> None:
    small, strata = draw_rows(IDS, SOURCES, min(one, other), seed=seed)
    large, _ = draw_rows(IDS, SOURCES, max(one, other), seed=seed)
    assert not (small & ~large).any()
    assert all(drawn >= 1 for _, drawn in strata.values()) and sum(part for _, part in strata.values()) == small.sum()
    assert abs(int(small.sum()) - min(one, other)) <= 3


def test_every_document_is_as_likely_as_another() -> None:
    counts = sum(draw_rows(IDS, None, 300, seed=seed)[0].astype(int) for seed in range(60))
    assert chisquare(np.asarray(counts).reshape(30, -1).sum(axis=1)).pvalue > 1e-4


def test_layout_and_order_of_the_files_change_nothing(tmp_path: Path) -> None:
    table, found = docstrings(), []
    for name, files, seed in (("one", 1, None), ("many", 5, 3)):
        corpus = open_corpus(write_corpus(tmp_path / name, table, files=files, seed=seed))
        drawn = draw(corpus, Workspace(tmp_path / f"home-{name}"), "120")
        rows = pq.read_table(drawn.path)
        found.append(sorted(zip(rows.column(ID).to_pylist(), rows.column("text").to_pylist(), strict=True)))
        assert sample_at(drawn.path) == drawn == draw(corpus, Workspace(tmp_path / f"home-{name}"), "120")
        assert set(rows.column("source").to_pylist()) == {"json", "email", "logging", "collections"}
    assert found[0] == found[1] and abs(len(found[0]) - 120) <= 2


def test_of_many_small_sources_the_sample_is_a_fair_share_and_duplicates_within_them_are_not_hidden() -> None:
    sources = np.array(
        [f"package-{number // 3}" if number < 2_400 else "large" for number in range(3_000)], dtype=object
    )
    chosen, strata = draw_rows(IDS, sources, 300, seed=1)
    assert strata == {"large": [600, 60], OTHERS: [2_400, 240]} and chosen.sum() == 300
    together = 0
    for seed in range(20):
        packages = sources[draw_rows(IDS, sources, 300, seed=seed)[0]]
        together += 240 - len(set(packages[packages != "large"]))
    # Of three documents at 10% each, 0.1 + 0.1 + 0.1 - (1 - 0.9^3) = 0.029 are drawn beside another one.
    assert abs(together / 20 - 800 * 0.029) < 4


def test_a_recipe_made_on_a_sample_runs_on_the_whole_and_says_predicted_against_actual(tmp_path: Path) -> None:
    home, whole = tmp_path / "home", write_corpus(tmp_path / "whole", docstrings(), files=3)
    said = tamis("analyze", str(whole), "--sample", "50%", "--tier", "fast", home=home).stdout
    assert "by keyed hash, seed 0" in said
    entry, recipe = Workspace(home).corpus("whole-sample"), Recipe(title="Longer")
    for name, params in (
        ("signal_range", {"signal": "n_words", "min": 12}), ("exact_dedup", {}), ("near_dedup", {"threshold": 0.8}),
        ("token_budget", {"amount": 10_000}),
    ):  # fmt: skip
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    roles = [part for role, column in entry.roles.items() if column for part in (f"--{role}", column)]
    tamis("export", str(tmp_path / "recipe.yaml"), entry.path, "-o", str(tmp_path / "bundle"), *roles, home=home)
    sample = Bundle.open(tmp_path / "bundle").lock.sample  # type: ignore[union-attr]
    drawn = sample_at(entry.path)
    assert sample is not None and drawn is not None
    assert (sample.documents, sample.drawn, sample.seed) == (drawn.documents, drawn.drawn, drawn.seed)
    assert {name: list(part) for name, part in sample.strata.items()} == drawn.strata
    assert [each.method for each in sample.predictions] == ["share", "groups", "pairs", "amount"]
    page = tmp_path / "report.html"
    tamis("report", str(tmp_path / "recipe.yaml"), entry.path, "-o", str(page), "--no-measure", home=home)
    told = page.read_text("utf-8")
    assert "What is to be expected of the whole" in told and f"{sample.drawn:,} of {sample.documents:,}" in told
    done = tamis("run", str(tmp_path / "bundle"), str(whole), "-o", str(tmp_path / "out"), home=home).stdout
    assert "predicted for the whole" in done and "outside" not in done and f"made on {drawn.drawn:,}" in done
    run = Run.open(tmp_path / "out")
    assert [(each.step, each.actual, each.inside) for each in run.promised] == [
        (count.step, count.documents, True) for count in run.counts[1:]
    ]
    assert all(promised.low == each.low for promised, each in zip(run.promised, sample.predictions, strict=True))
    kept = set(pq.read_table(tmp_path / "out" / "selection.parquet").column(0).to_pylist())
    assert len(kept & set(pq.read_table(entry.path).column(ID).to_pylist())) > 20
    on_itself = tamis("run", str(tmp_path / "bundle"), entry.path, "-o", str(tmp_path / "again"), home=home).stdout
    assert "predicted" not in on_itself and Run.open(tmp_path / "again").promised == ()
